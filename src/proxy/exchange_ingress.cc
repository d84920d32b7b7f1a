// A request to the agent's own server, and what it says of the calls that the agent makes
// meanwhile. The server is where the settings say, whatever the request names, and is told the rest
// as the client said it: Host, Forwarded and X-Forwarded-* are neither added nor changed.
#include <utility>

#include "credential.h"
#include "exchange.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::proxy {
namespace {

// The server has taken a task on and tells nobody when it is done. To a notification of MCP's
// (Streamable HTTP) it means no more than that it came.
bool is_accepted(const http::Head& request, const http::Head& response) {
  constexpr int kAccepted = 202;
  return response.status == kAccepted && !request.headers.contains("mcp-session-id") &&
         !request.headers.contains("mcp-protocol-version");
}

// What waits for the work has had enough, as a server's time limit does, and not the work.
bool is_timeout(int status) {
  constexpr int kRequestTimeout = 408;
  constexpr int kServiceUnavailable = 503;
  constexpr int kGatewayTimeout = 504;
  return status == kRequestTimeout || status == kServiceUnavailable || status == kGatewayTimeout;
}

// The server has not heard that nobody waits any longer, or may go on all the same.
bool is_given_up(semconv::Ending ending) {
  using semconv::Ending;
  return ending != Ending::kComplete && ending != Ending::kOriginClosed;
}

}  // namespace

std::optional<Error> Exchange::choose_ingress() {
  mode_ = semconv::Mode::kIngress;
  const std::string_view target = request_.target();
  if (request_.asks("CONNECT")) {
    return Error{Code::kUnsupported, Side::kAgent, false, "the ingress opens no tunnels"};
  }
  known_ = worker_.origins.agents_server();
  if (target.starts_with('/') || target == "*") {
    url_.scheme = "http";
    url_.path_given = target != "*";
    url_.path = url_.path_given ? target : "/";
    Result<http::Authority> named =
        http::parse_authority(request_.headers.find("host").value_or(""));
    if (named) url_.authority = *std::move(named);
    return std::nullopt;
  }
  Result<http::Url> url = http::parse_url(target);
  if (!url) return std::move(url).error();
  url_ = *std::move(url);
  if (url_.scheme == "http" || url_.scheme == "https") return std::nullopt;
  return Error{
      Code::kUnsupported, Side::kAgent, false,
      "a request's target is an http:// or https:// URL, not " + std::string(url_.scheme) + "://"};
}

// RFC 9112 section 3.2.2: a target in absolute-form counts, whatever Host says.
void Exchange::set_ingress_host() {
  http::Headers& headers = request_.headers;
  const std::string_view target = request_.target();
  if (!target.starts_with('/') && target != "*") {
    headers.set("Host", url_.authority.to_string());
  } else if (!headers.find("host")) {
    headers.set("Host", known_->authority());  // HTTP/1.0 has none
  }
}

CallTrace::Standing Exchange::find_standing() {
  if (agent_.door() == Door::kIngress) {
    probe_ = options_.ingress.ignores(request_, path());
    return {.served = true, .ignored = probe_};
  }
  CallTrace::Standing found{
      .ignored = worker_.ignored.names(url_.path),
      .credential = inside_ != nullptr ? inside_->credential : credential_in(request_.headers)};
  if (!options_.ingress || found.ignored) return found;
  work_ = worker_.shared.ingress.begin_work(worker_.loop.now().mono);
  found.ingress = work_.request();
  return found;
}

// Not before its context is final, since a call may come as soon as the agent has read a byte.
void Exchange::begin_serving() {
  if (mode_ != semconv::Mode::kIngress || in_flight_) return;
  if (probe_) {
    in_flight_ = worker_.shared.ingress.begin_probe();
    return;
  }
  const std::shared_ptr<const lineage::Execution>& execution = trace_->execution();
  const Moment now = worker_.loop.now();
  in_flight_ = worker_.shared.ingress.begin(execution, now.mono);
  if (!lineage_ || !execution) return;
  lineage_->serve(worker_.shared.lineage->open_given(lineage::ref_of(execution->context), 0, now),
                  now.mono);
}

// What the request says may be what tells the calls that are made for it from others.
void Exchange::begin_given() {
  trace_->decide(nullptr, {}, worker_.random);
  lineage::Registry* const registry = worker_.shared.lineage;
  if (registry == nullptr || grpc_) return;
  if (worker_.shared.memory.over(MemoryMark::kTapsOff)) return lose_sight();
  lineage_ = std::make_unique<CallLineage>(*registry, false);
  lineage_->begin(request_, url_, nullptr, worker_.targets);
}

// A stream of events that was asked for by GET, or what an Upgrade made: it may stay for hours.
bool Exchange::waits_for_events() const {
  if (response_.status == http::kSwitchingProtocols) return true;
  return request_.asks("GET") &&
         semconv::framing_of(response_.headers.find("content-type").value_or("")) ==
             semconv::BodyFraming::kEvents;
}

// What stays open without anything going on in it, as far as anybody can tell, would keep its trace
// from being decided on and every later request from being evidence. A WebSocket of the agent's own
// counts as a call.
void Exchange::settle_work() {
  if (!held_trace_ && !options_.ingress) return;
  const bool waits = waits_for_events();
  if (waits) release_own_trace();
  if (!options_.ingress) return;
  if (mode_ == semconv::Mode::kIngress) {
    if (waits) in_flight_.settle();
  } else if (mode_ == semconv::Mode::kTunnel) {
    work_.end(worker_.loop.now().mono);  // what it was opened for is a call
  } else if (waits && response_.status != http::kSwitchingProtocols) {
    work_.settle();
  }
}

void Exchange::leave_ingress(semconv::Ending ending, lineage::CallEnd how) {
  using End = lineage::IngressWatch::End;
  const MonoTime now = worker_.loop.now().mono;
  const bool in_turn = lineage_ && lineage_->joined() && lineage_->place().is_turn;
  work_.end(now,
            how == lineage::CallEnd::kAnswered           ? End::kLastWord
            : ending == semconv::Ending::kAgentCancelled ? End::kGivenUp
                                                         : End::kOther,
            in_turn ? lineage_->place().execution : lineage::ExecutionRef{});
  in_flight_.end(
      now, is_accepted(request_, response_) || is_timeout(response_.status) || is_given_up(ending));
}

// The client, as who the span's other side is.
void Exchange::describe_client(semconv::HttpFacts& facts, std::string& ip) const {
  const net::Address& client = agent_.peer();
  ip = client.ip();
  facts.peer_ip = ip;
  facts.peer_port = client.port();
  facts.protocol_version = agent_.multiplexed() ? "2" : request_.minor_version == 0 ? "1.0" : "1.1";
}

}  // namespace sidespan::proxy
