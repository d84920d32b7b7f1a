#include "sidespan/report/otlp_request.h"

#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/http/deflate.h"
#include "sidespan/http/grpc.h"
#include "sidespan/http/uri.h"

namespace sidespan::report {
namespace {

constexpr uint16_t kHttpPort = 80;
constexpr std::string_view kGrpcPath =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

std::string authority(const OtlpOptions& options) {
  http::Authority authority{options.host, options.port};
  if (options.port == kHttpPort) authority.port.reset();
  return authority.to_string();
}

}  // namespace

wire::PoolKey export_key(const OtlpOptions& options) {
  return {.host = text::lower(options.host),
          .port = options.port,
          .secure = options.secure,
          .h2 = options.protocol == OtlpProtocol::kGrpc,
          .certificate = options.certificate};
}

// What frames and names the body is ours to say; other fields are the user's wherever he wrote one.
http::Head export_head(const OtlpOptions& options) {
  http::Head head;
  head.set_method("POST");
  const bool grpc = options.protocol == OtlpProtocol::kGrpc;
  head.set_target(grpc ? kGrpcPath : std::string_view(options.path));
  head.headers.add("Host", authority(options));
  head.headers.add("User-Agent", options.user_agent);
  for (const auto& [name, value] : options.headers) head.headers.set(name, value);
  for (const std::string_view ours : {"Content-Length", "Transfer-Encoding", "Connection"}) {
    head.headers.remove(ours);
  }
  head.headers.remove("Content-Encoding");
  if (grpc) {
    head.headers.set("Content-Type", "application/grpc");
    head.headers.set("TE", "trailers");
    head.headers.set("Grpc-Timeout", std::to_string(options.timeout.count()) + "m");
    head.headers.set("Grpc-Accept-Encoding", "identity,gzip");
    if (options.gzip) head.headers.set("Grpc-Encoding", "gzip");
    return head;
  }
  head.headers.set("Content-Type", "application/x-protobuf");
  if (options.gzip) head.headers.set("Content-Encoding", "gzip");
  return head;
}

std::string export_body(const OtlpOptions& options, std::span<const std::string_view> parts) {
  std::string message;
  if (options.gzip) {
    message = http::gzip(parts);
  } else {
    for (const std::string_view part : parts) message.append(part);
  }
  if (options.protocol != OtlpProtocol::kGrpc) return message;
  const http::GrpcFrame frame{options.gzip, static_cast<uint32_t>(message.size())};
  return frame.encode() + message;
}

}  // namespace sidespan::report
