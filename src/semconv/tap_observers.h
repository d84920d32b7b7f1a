// The observers that read bodies, one file each; make_request_observer() chooses. Options outlive
// what is made with them.
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
// Null: neither its fields nor where it goes say that the request is one to an MCP server.
std::unique_ptr<Observer> make_mcp_observer(const CallFacts& facts, const ObserverOptions& options);
// Null: it does not look like a client's first request, either. What its body says decides.
std::unique_ptr<Observer> make_likely_mcp_observer(const CallFacts& facts,
                                                   const ObserverOptions& options);
// Null: neither its fields nor its path say that the request is one to an A2A agent.
std::unique_ptr<Observer> make_a2a_observer(const CallFacts& facts);
// Of a GET for the card of one.
std::unique_ptr<Observer> make_agent_card_observer();
// Of a request whose body may say that it is one; `likely_mcp` hears all that it hears, and is
// asked where it is none. May return that, which may be null.
std::unique_ptr<Observer> make_likely_a2a_observer(const CallFacts& facts,
                                                   std::unique_ptr<Observer> likely_mcp);
// Null: the request is no call of Amazon SQS or SNS.
std::unique_ptr<Observer> make_aws_queue_observer(const CallFacts& facts,
                                                  const ObserverOptions& options);
// Null: the request is no call of gRPC. Counts messages, and tells how long the client waits.
std::unique_ptr<Observer> make_grpc_observer(const CallFacts& facts);

// What both observers of models say of a call. `counts_itself`: see CallFacts.
void describe_model_call(trace::Span& span, const genai::CallReader& call,
                         const ObserverOptions& options, bool counts_itself);

}  // namespace sidespan::semconv
