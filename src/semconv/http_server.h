// Where the span of a request to the agent's own server differs from one of a call: OpenTelemetry's
// stable HTTP server conventions, and the status rules of servers for HTTP and gRPC. Used by
// http_span.cc alone, which adds what both have in common.
#pragma once

#include <cstdint>

#include "sidespan/semconv/http_span.h"

namespace sidespan::semconv {

// URL, server, client and user agent, as the client that asked first knows them.
void set_server_target(trace::Span& span, const HttpFacts& facts, const HttpSpanOptions& options);

// Whether the server has failed, and not only who asked.
bool is_server_error(int status);
bool is_grpc_server_error(uint32_t status);

}  // namespace sidespan::semconv
