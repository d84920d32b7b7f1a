#include "semconv/http_server.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "semconv/forwarded.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv {
namespace {

using trace::Attributes;

void add_url_parts(Attributes& attributes, const http::Url& url, std::string_view scheme,
                   const HttpSpanOptions& options) {
  attributes.add(attribute::kUrlScheme, scheme);
  const std::string_view target = url.path;
  const size_t query = std::min(target.find('?'), target.size());
  attributes.add(attribute::kUrlPath, target.substr(0, query));
  if (query == target.size()) return;
  std::string shown;
  append_redacted_query(shown, target.substr(query + 1), options.redact_query);
  attributes.add(attribute::kUrlQuery, std::string_view(shown));
}

void add_server(Attributes& attributes, const http::Url& url, std::string_view scheme,
                std::string_view forwarded_host) {
  http::Authority server = url.authority;
  if (!forwarded_host.empty()) {
    if (auto named = http::parse_authority(forwarded_host)) server = *std::move(named);
  }
  if (server.host.empty()) return;
  attributes.add(attribute::kServerAddress, std::string_view(server.host));
  constexpr uint16_t kHttpPort = 80;
  constexpr uint16_t kHttpsPort = 443;
  const uint16_t usual = scheme == "https" ? kHttpsPort : kHttpPort;
  attributes.add(attribute::kServerPort, static_cast<int64_t>(server.port.value_or(usual)));
}

}  // namespace

void set_server_target(trace::Span& span, const HttpFacts& facts, const HttpSpanOptions& options) {
  Attributes& attributes = span.attributes;
  const Forwarded forwarded = read_forwarded(facts.request->headers);
  const std::string_view scheme = forwarded.scheme.empty() ? facts.url->scheme : forwarded.scheme;
  add_url_parts(attributes, *facts.url, scheme, options);
  add_server(attributes, *facts.url, scheme, forwarded.host);
  const std::string_view client = forwarded.client.empty() ? facts.peer_ip : forwarded.client;
  if (!client.empty()) attributes.add(attribute::kClientAddress, client);
  if (const auto agent = facts.request->headers.find("user-agent")) {
    attributes.add(attribute::kUserAgentOriginal, *agent);
  }
}

bool is_server_error(int status) {
  constexpr int kFirst = 500;
  return status >= kFirst;
}

// OpenTelemetry, rpc/grpc: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
// DATA_LOSS.
bool is_grpc_server_error(uint32_t status) {
  constexpr std::array<uint32_t, 6> kErrors = {2, 4, 12, 13, 14, 15};
  return std::ranges::find(kErrors, status) != kErrors.end();
}

}  // namespace sidespan::semconv
