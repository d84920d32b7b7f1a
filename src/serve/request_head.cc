#include "serve/request_head.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

namespace sidespan::serve {
namespace {

constexpr std::array<std::string_view, 3> kMethods = {"GET", "HEAD", "POST"};

std::unexpected<Refusal> refuse(int status, std::string sentence) {
  return std::unexpected(Refusal{status, std::move(sentence)});
}

Target split(std::string_view target) {
  const size_t question = target.find('?');
  const bool has_query = question != std::string_view::npos;
  return {std::string(target.substr(0, question)),
          std::string(has_query ? target.substr(question + 1) : std::string_view())};
}

std::string_view without_brackets(std::string_view host) {
  const bool literal = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  return literal ? host.substr(1, host.size() - 2) : host;
}

// The host a client means: of an absolute target, else of the Host field, which must then be one.
std::optional<std::string> host_of(const http::Head& head, const std::optional<http::Url>& url) {
  if (url) return url->authority.host;
  if (head.headers.count("Host") != 1) return std::nullopt;
  auto authority = http::parse_authority(head.headers.find("Host").value_or(""));
  if (!authority) return std::nullopt;
  return std::move(authority->host);
}

}  // namespace

std::expected<Target, Refusal> read_head(const http::Head& head, const Endpoint::Options& options) {
  if (std::ranges::find(kMethods, head.method()) == kMethods.end()) {
    return refuse(405, "only GET, HEAD and POST are served here");
  }
  std::optional<http::Url> url;
  if (!http::is_origin_form(head.target())) {
    auto absolute = http::parse_url(head.target());
    if (!absolute) return refuse(400, "the request's target is neither a path nor a URL");
    url = *std::move(absolute);
  }
  if (!options.hosts.empty()) {
    const std::optional<std::string> host = host_of(head, url);
    if (!host) return refuse(400, "the request does not say for which host it is");
    const bool known = std::ranges::any_of(options.hosts, [&](std::string_view name) {
      return text::equal_ignoring_case(without_brackets(name), *host);
    });
    if (!known) return refuse(421, "this endpoint does not answer under that host name");
  }
  if (head.body.kind == http::BodyLength::Kind::kKnown &&
      head.body.bytes > options.body_bytes_max) {
    return refuse(413, "the request's body is too large");
  }
  return split(url ? std::string_view(url->path) : head.target());
}

}  // namespace sidespan::serve
