// The observers that read bodies, one file each; make_request_observer() chooses.
#pragma once

#include <memory>

#include "sidespan/semconv/observer.h"

namespace sidespan::semconv {

// Null: the request is no call of a model.
std::unique_ptr<Observer> make_model_observer(const CallFacts& facts,
                                              const ObserverOptions& options);
// Null: the request does not look like one to an MCP server.
std::unique_ptr<Observer> make_mcp_observer(const CallFacts& facts);
// Null: the request is no call of gRPC. Counts messages, and tells how long the client waits.
std::unique_ptr<Observer> make_grpc_observer(const CallFacts& facts);

}  // namespace sidespan::semconv
