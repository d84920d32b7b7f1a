// How an export asks a collector: for the exporter, and for who only wants to know whether it would
// be answered. OTLP 1.x over HTTP and gRPC.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sidespan/http/message.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/wire/pool.h"

namespace sidespan::report {

// Of the connection.
wire::PoolKey export_key(const OtlpOptions& options);
// The head of each request, but for the length of its body.
http::Head export_head(const OtlpOptions& options);
// A message, given in parts, as it is sent: packed, framed.
std::string export_body(const OtlpOptions& options, std::span<const std::string_view> parts);

}  // namespace sidespan::report
