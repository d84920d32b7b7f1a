// Where an exchange's request goes: by its door, its target, a route or the tunnel that it came in.
#include <optional>
#include <string>
#include <utility>

#include "exchange.h"
#include "sidespan/base/text.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/via.h"

namespace sidespan::proxy {
namespace {

// Whoever is named must be the tunnel's origin, or by its certificate be the same.
bool leads_to(const Inside& inside, std::string_view named, uint16_t port) {
  if (port != inside.key.port) return false;
  if (named == inside.authority.host) return true;  // as nearly all are
  const std::string_view host = Host(named).name;
  return host == Host(inside.authority.host).name || inside.certificate.covers(host);
}

Error misdirected(const Inside& inside) {
  return {Code::kMisdirected, Side::kAgent, false,
          "this tunnel leads to " + std::string(inside.scheme()) + "://" +
              inside.authority.to_string() + " alone"};
}

// TRACE echoes the request; credentials stay out of the echo (RFC 9110 section 9.3.8).
std::string trace_echo(const http::Head& head) {
  std::string echo(head.method());
  echo.append(" ").append(head.target()).append(" HTTP/1.1\r\n");
  for (size_t i = 0; i < head.headers.size(); ++i) {
    const http::Field field = head.headers.at(i);
    const bool secret = text::equal_ignoring_case(field.name, "authorization") ||
                        text::equal_ignoring_case(field.name, "proxy-authorization") ||
                        text::equal_ignoring_case(field.name, "cookie");
    if (!secret) echo.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return echo + "\r\n";
}

}  // namespace

// Origin-form and asterisk-form: where the request goes is said elsewhere.
bool Exchange::names_no_origin(std::string_view target) {
  return target.starts_with('/') || target == "*";
}

std::optional<Error> Exchange::choose_target() {
  if (agent_.door() == Door::kIngress) return choose_ingress();
  if (inside_ != nullptr) return choose_inside(*inside_);
  if (request_.asks("CONNECT")) {
    mode_ = semconv::Mode::kTunnel;
    url_.authority = *http::parse_authority(request_.target());
    return std::nullopt;
  }
  if (request_.target().starts_with('/')) {
    mode_ = semconv::Mode::kRoute;
    std::optional<http::Url> url = route_for(options_.routes, request_.target());
    if (!url) {
      refuse_without_span(
          404,
          "no route leads from this path. As a forward proxy sidespan needs the full "
          "URL in the request line; a base-URL route is set under `routes`");
    } else if (!asks_us_by_name()) {
      refuse_without_span(
          421,
          "who is on this machine asks for a base-URL route at `localhost`, an "
          "address or a name without a dot: others may have been made to lead here");
    } else {
      url_ = *std::move(url);
    }
    return std::nullopt;
  }
  if (request_.target() == "*") {
    return Error{Code::kUnsupported, Side::kAgent, false,
                 "OPTIONS * asks the proxy itself, which has no options"};
  }
  return choose_absolute();
}

// A page in a browser reads what a route leads to once its own name leads here (DNS rebinding).
bool Exchange::asks_us_by_name() const {
  const std::string_view given = request_.headers.find(http::FieldName::kHost).value_or("");
  if (given.empty() || !agent_.peer().is_loopback()) return true;
  const Result<http::Authority> named = http::parse_authority(given);
  if (!named) return false;
  const Host host(named->host);
  // Nobody can buy a name without a dot, but a machine has some of its own.
  return host.address || host.name.ends_with(".localhost") || !host.name.contains('.');
}

// The tunnel was allowed for one origin, and that is where its requests go.
std::optional<Error> Exchange::choose_inside(const Inside& inside) {
  if (inside.key.secure) mode_ = semconv::Mode::kIntercept;
  if (request_.asks("CONNECT")) {
    return Error{Code::kUnsupported, Side::kAgent, false, "a tunnel takes no second CONNECT"};
  }
  if (names_no_origin(request_.target())) {
    url_.scheme = inside.scheme();
    url_.authority = inside.authority;
    url_.path_given = request_.target() != "*";
    url_.path = url_.path_given ? request_.target() : "/";
    const Result<http::Authority> named =
        http::parse_authority(request_.headers.find(http::FieldName::kHost).value_or(""));
    return named ? choose_named(inside, *named) : std::nullopt;
  }
  Result<OriginBook::Use> known = worker_.origins.find(request_.target(), url_);
  if (!known) return std::move(known).error();
  if (url_.scheme != inside.scheme()) return misdirected(inside);
  if (agent_.multiplexed()) {
    const http::Authority named = url_.authority;
    if (std::optional<Error> error = choose_named(inside, named)) return error;
    if (url_.authority != named) return std::nullopt;
  } else if (!leads_to(inside, url_.authority.host, url_.port())) {
    return misdirected(inside);
  }
  known_ = *std::move(known);
  return std::nullopt;
}

// By Host, or by what HTTP/2 says in its place.
std::optional<Error> Exchange::choose_named(const Inside& inside, const http::Authority& named) {
  url_.authority = inside.authority;
  // Without TLS nobody can tell whose names an origin has, and that is left to it.
  if (!inside.key.secure || inside.failure) return std::nullopt;
  // Without a port it is the tunnel's.
  url_.authority = {named.host, named.port ? named.port : inside.authority.port};
  if (leads_to(inside, named.host, named.port.value_or(inside.key.port))) return std::nullopt;
  return misdirected(inside);
}

// Inside a tunnel the agent wrote Host for this origin itself, unless it speaks HTTP/1.0.
bool Exchange::keeps_host() const {
  const bool wrote_it = agent_.multiplexed() || names_no_origin(request_.target());
  return inside_ != nullptr && wrote_it && request_.headers.contains("host");
}

// A connection that was made after the tunnel's may show another certificate.
std::optional<Error> Exchange::misdirection(const wire::OriginStream& origin) const {
  const std::string& host = url_.authority.host;
  if (inside_ == nullptr || !inside_->key.secure || host == inside_->authority.host) {
    return std::nullopt;
  }
  const std::string_view name = Host(host).name;
  const bool same = name == Host(inside_->authority.host).name;
  if (same || origin.tls()->peer().covers(name)) return std::nullopt;
  return misdirected(*inside_);
}

std::optional<Error> Exchange::choose_absolute() {
  Result<OriginBook::Use> known = worker_.origins.find(request_.target(), url_);
  if (!known) return std::move(known).error();
  // HTTP/2 has no origin-form: a path of ours is named with ourselves.
  if (!options_.routes.empty() && agent_.multiplexed() && agent_.is_here(url_.authority)) {
    if (std::optional<http::Url> url = route_for(options_.routes, url_.path)) {
      mode_ = semconv::Mode::kRoute;
      url_ = *std::move(url);
      return std::nullopt;
    }
  }
  known_ = *std::move(known);
  if (url_.scheme == "http" || url_.scheme == "https") return std::nullopt;
  return Error{
      Code::kUnsupported, Side::kAgent, false,
      "a request's target is an http:// or https:// URL, not " + std::string(url_.scheme) + "://"};
}

bool Exchange::by_absolute_form() const {
  return mode_ != semconv::Mode::kTunnel && inside_ == nullptr && known_->absolute();
}

// Who sends on what comes from here may lead it back. Others are not told unasked: some compress
// nothing then.
bool Exchange::tells_way() const {
  const bool by_route = mode_ == semconv::Mode::kRoute && url_.scheme == "http";
  return options_.via || by_route || by_absolute_form();
}

size_t Exchange::sidespans_passed() const {
  return http::sidespans_passed(request_.headers);
}

// Where the second proxy leads back here, only the number of its tunnels says so.
wire::PoolKey Exchange::tunnel_key() const {
  wire::PoolKey key = known_->tunnel_key();
  if (key.through) key.sidespans = sidespans_passed();
  return key;
}

bool Exchange::answer_max_forwards() {
  const auto field = request_.headers.find(http::FieldName::kMaxForwards);
  if (!field || !(request_.asks("TRACE") || request_.asks("OPTIONS"))) return false;
  const std::optional<uint64_t> hops = text::parse_unsigned(*field);
  if (!hops) return false;
  if (*hops > 0) {
    request_.headers.set("Max-Forwards", std::to_string(*hops - 1));
    return false;
  }
  const bool trace = request_.asks("TRACE");
  http::LocalAnswer answer = http::make_answer(200, trace ? trace_echo(request_) : "",
                                               trace ? "message/http" : "text/plain");
  if (!trace)
    answer.head.headers.add("Allow",
                            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT");
  send_answer(std::move(answer));
  finish(semconv::Ending::kComplete, std::nullopt);
  return true;
}

}  // namespace sidespan::proxy
