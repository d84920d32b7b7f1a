#include "sidespan/report/otlp_request.h"

#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

namespace sidespan::report {
namespace {

constexpr uint16_t kHttpPort = 80;

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
          .certificate = options.certificate};
}

// What frames and names the body is ours to say; other fields are the user's wherever he wrote one.
http::Head export_head(const OtlpOptions& options) {
  http::Head head;
  head.set_method("POST");
  head.set_target(options.path);
  head.headers.add("Host", authority(options));
  head.headers.add("User-Agent", options.user_agent);
  for (const auto& [name, value] : options.headers) head.headers.set(name, value);
  for (const std::string_view ours : {"Content-Length", "Transfer-Encoding", "Connection"}) {
    head.headers.remove(ours);
  }
  head.headers.set("Content-Type", "application/x-protobuf");
  if (options.gzip) {
    head.headers.set("Content-Encoding", "gzip");
  } else {
    head.headers.remove("Content-Encoding");
  }
  return head;
}

}  // namespace sidespan::report
