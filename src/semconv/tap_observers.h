// The observers that read bodies, one file each; make_request_observer() chooses.
#pragma once

#include <memory>
#include <vector>

#include "sidespan/semconv/observer.h"

namespace sidespan::semconv {

// Null: the request is no call of a model.
std::unique_ptr<Observer> make_model_observer(const CallFacts& facts,
                                              const ObserverOptions& options);
// Null: the request opens no WebSocket that calls of models go over.
std::unique_ptr<Observer> make_model_socket_observer(const CallFacts& facts,
                                                     const ObserverOptions& options);
// Null: the request does not look like one to an MCP server.
std::unique_ptr<Observer> make_mcp_observer(const CallFacts& facts);
// Null: the request is no call of gRPC. Counts messages, and tells how long the client waits.
std::unique_ptr<Observer> make_grpc_observer(const CallFacts& facts);

// What both observers of models say of a call. `counts_itself`: see CallFacts.
void describe_model_call(trace::Span& span, const genai::CallReader& call,
                         const std::vector<genai::Price>& prices, bool counts_itself);

}  // namespace sidespan::semconv
