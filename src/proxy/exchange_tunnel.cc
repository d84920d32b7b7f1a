// CONNECT: a tunnel is opened, its first bytes are looked at, and what becomes of it: requests in
// plain HTTP, TLS that is opened, or bytes that pass as they are.
#include <algorithm>
#include <string>
#include <utility>

#include "access_log.h"
#include "exchange.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"
#include "sidespan/tls/client_hello.h"
#include "tunnel_likeness.h"

namespace sidespan::proxy {
namespace {

// What a record of a handshake begins with (RFC 8446 section 5.1).
constexpr char kTlsHandshake = 22;
constexpr uint16_t kHttpsPort = 443;

bool offers(const std::vector<std::string>& alpn, std::string_view protocol) {
  return std::ranges::find(alpn, protocol) != alpn.end();
}

}  // namespace

// A connection that was verified when it was made, and is idle, is as good as a new one.
bool Exchange::has_secured_origin() {
  const std::string& host = url_.authority.host;
  const MonoTime now = worker_.loop.now().mono;
  if (!worker_.shared.interceptor.may_open(asked_tunnel(), now)) return false;
  wire::PoolKey key = secured_key(host, true);
  for (const bool tls13 : {false, true}) {
    key.tls13 = tls13;
    for (const bool h2 : {true, false}) {
      key.h2 = h2;
      const std::optional<wire::Pool::Secured> there = worker_.pool.secured(key);
      if (there) peer_ = there->peer;
      if (there) return true;
    }
  }
  return false;
}

// Of the connection by TLS behind this tunnel, where `name` is whom the agent wants there.
wire::PoolKey Exchange::secured_key(const std::string& name, bool h2) const {
  wire::PoolKey key = tunnel_key();
  key.secure = true;
  key.certificate = client_certificate_for(options_.client_certificates, name);
  key.pinned_to = agent_.pinned();
  key.h2 = h2;
  if (name != key.host) key.server_name = name;
  key.tls13 = opening_ && opening_->tls13;
  return key;
}

void Exchange::open_tunnel() {
  http::LocalAnswer answer = http::make_answer(200, "");
  answer.head.set_reason("Connection Established");
  answer.head.body = http::BodyLength::none();
  answer.head.headers.clear();
  response_.status = 200;
  first_byte_ = worker_.loop.now().mono;
  tunnel_ = true;
  settle_work();
  opening_ = std::make_unique<Opening>();
  peeking_ = true;
  request_ended_ = false;
  request_.headers.fit();
  to_agent(std::move(answer.head));
  if (origin_) origin_->tunnel();
  agent_.tunnel(stream_);
}

// Some clients tunnel plain http too (Node's fetch does). Those requests are worth a span each, and
// so are those inside TLS; so the first bytes decide. An origin that speaks first has a tunnel at
// once.
void Exchange::peek(Chain data) {
  held_.append(std::move(data));
  opening_->begin(last_activity_);
  // The origin's handshake is under way, or what came is still no whole record.
  if (waiting_ || held_.size() < opening_->look_at) return;
  const std::string first = held_.to_string();
  if (first.starts_with(kTlsHandshake)) return peek_tls(first);
  const Likeness likeness = likeness_to_http(first);
  if (likeness == Likeness::kHttp) return leave_tunnel();
  likeness == Likeness::kUnsure ? arm_timer() : stop_peeking();
}

void Exchange::peek_tls(std::string_view first) {
  tls::ClientHello hello;
  switch (tls::peek_client_hello(first, hello)) {
    case tls::Peek::kMore:
      opening_->greeting = true;
      opening_->look_at = tls::client_hello_wants(first);
      return arm_timer();
    case tls::Peek::kNotTls:
      return stop_peeking();
    case tls::Peek::kMalformed:
      opening_->reason = Opaque::kMalformedHello;
      if (worker_.shared.interceptor.refuses_unread_hellos()) {
        return refuse_hello("the TLS hello is malformed and may name any host");
      }
      return stop_peeking();
    case tls::Peek::kHello:
      opening_->greeting = false;
      return on_hello(hello);
  }
}

Interceptor::Asked Exchange::asked_tunnel() const {
  const auto& credential = trace_->credential();
  return {url_.authority.host, url_.port(),
          credential ? std::string_view(credential->id) : std::string_view()};
}

void Exchange::refuse_hello(std::string what) {
  const Error error{Code::kDenied, Side::kAgent, false,
                    std::move(what) + ", which tls.intercept.mismatch refuses"};
  to_agent(http::Reset{error});
  finish(semconv::Ending::kRefused, error);
}

void Exchange::on_hello(const tls::ClientHello& hello) {
  opening_->server_name = hello.server_name;
  opening_->alpn = hello.alpn;
  opening_->tls13 = hello.version_min() >= tls::kTls13;
  Interceptor::Decision decision = worker_.shared.interceptor.decide(
      asked_tunnel(), origin_address(), hello, worker_.loop.now().mono);
  if (decision.opaque) opening_->reason = *decision.opaque;
  if (decision.refuse) {
    return refuse_hello("the TLS hello names " + hello.server_name + " in a tunnel to " +
                        url_.authority.host);
  }
  if (decision.opaque) return stop_peeking();
  secure_origin(decision.name);
}

// The origin first: the agent is shown a certificate only for whom we know.
void Exchange::secure_origin(const std::string& name) {
  auto inside = std::make_unique<Inside>();
  inside->authority = {name, url_.authority.port};
  if (inside->authority.port == kHttpsPort) inside->authority.port.reset();
  // What the agent speaks is asked for first, where that spares a translation.
  const bool h2 = offers(opening_->alpn, http::kH2Alpn) || known_->h2_alone();
  inside->key = secured_key(name, h2);
  inside->credential = trace_->credential();
  inside->asked_for = start_;
  opening_->inside = std::move(inside);
  const wire::PoolKey& key = opening_->inside->key;
  if (origin_) {
    waiting_ = worker_.pool.secure(
        std::move(origin_), key,
        [this](Result<wire::Pool::Secured> result) { on_secured(std::move(result)); });
    return;
  }
  if (std::optional<wire::Pool::Secured> there = worker_.pool.secured(key)) {
    return on_secured(*std::move(there));
  }
  dial_tunnel();  // it went meanwhile, or is another's; then once more
}

void Exchange::on_secured(Result<wire::Pool::Secured> result) {
  touch();
  waiting_.reset();
  const bool certificate_wanted =
      result ? result->certificate_wanted : result.error().code == Code::kCertificateRequired;
  if (certificate_wanted) return pass_after_all(Opaque::kClientCertificate);
  // To tell the agent by HTTP would take the memory that it was given up for.
  const bool given_up =
      !result && result.error().code == Code::kOverload && result.error().side == Side::kSelf;
  if (given_up) return on_origin_reset(std::move(result.error()));
  Inside& inside = *opening_->inside;
  if (!result && result.error().code == Code::kNoProtocol && !inside.key.h2) {
    known_->refused_h1();
    return secure_origin(inside.key.verified_name());
  }
  if (result) {
    inside.certificate = std::move(result->certificate);
  } else {
    // The agent learns it by HTTP, and the call has a span.
    inside.failure = std::move(result.error());
  }
  // What the origin took, where the agent can speak it.
  const std::vector<std::string>& offered = opening_->alpn;
  inside.agent_h2 =
      offers(offered, http::kH2Alpn) && (!offers(offered, http::kH1Alpn) || (result && result->h2));
  Result<std::unique_ptr<tls::Engine>> engine = worker_.shared.interceptor.terminate(
      inside.key.verified_name(), inside.agent_h2 ? http::kH2Alpn : http::kH1Alpn,
      worker_.loop.now().wall);
  if (!engine) {
    worker_.log.write(LogLevel::kWarn, "no certificate could be made",
                      {{"host", inside.key.verified_name()}, {"what", engine.error().what}});
    return pass_after_all(Opaque::kNoAuthority);
  }
  peeking_ = false;
  handed_over_ = true;
  --worker_.exchanges;
  agent_.intercept(stream_, std::move(opening_->inside), *std::move(engine),
                   std::exchange(held_, {}));
}

// The connection to the origin is used up: bytes of ours went over it.
void Exchange::pass_after_all(Opaque reason) {
  opening_->reason = reason;
  opening_->inside.reset();
  dial_tunnel();
}

void Exchange::dial_tunnel() {
  waiting_ = worker_.pool.dial(
      tunnel_key(), *this,
      [this](Result<wire::OriginStreamPtr> dialled) { on_dialled(std::move(dialled)); }, true);
}

void Exchange::rejoin_tunnel() {
  origin_->tunnel();
  if (const std::unique_ptr<Inside> wanted = std::move(opening_->inside)) {
    return secure_origin(wanted->key.verified_name());
  }
  stop_peeking();
  if (request_ended_ && !done_) on_request_end();
}

// An HTTP/2 origin speaks at once, and so does its agent: what that says decides. Keeps `data`
// then, else it is all that was said.
bool Exchange::is_settings(Chain& data) {
  opening_->begin(last_activity_);
  Chain& said = opening_->settings;
  said.append(std::move(data));
  const bool alike = is_like_settings(said.to_string());
  if (!alike) data = std::exchange(said, {});
  return alike;
}

// From now on it is a tunnel like any other.
void Exchange::pass_tunnel() {
  if (!origin_) {
    if (!waiting_) dial_tunnel();
    return;
  }
  const bool half_a_hello = opening_->greeting && opening_->reason == Opaque::kNotTls;
  if (half_a_hello) opening_->reason = Opaque::kMalformedHello;
  if (half_a_hello && worker_.shared.interceptor.refuses_unread_hellos()) {
    return refuse_hello("the TLS hello does not end and may name any host");
  }
  opening_->passed = true;
  peeking_ = false;
  on_request_body(std::exchange(held_, {}));
  if (Chain said = std::exchange(opening_->settings, {}); !said.empty()) {
    on_response_body(std::move(said));
  }
}

bool Exchange::may_splice() const {
  const bool passes =
      tunnel_ && opening_ && opening_->passed && !done_ && mode_ == semconv::Mode::kTunnel;
  if (!passes || observer_ || lineage_ || !origin_ || waiting_) return false;
  const bool plain = origin_->tls() == nullptr && origin_->protocol() == "1.1";
  const bool quiet = held_.empty() && queued_to_agent() == 0 && queued_to_origin() == 0;
  return plain && quiet && !request_ended_ && !response_ended_;
}

Tunnel::Parts Exchange::splice() {
  Tunnel::Parts parts{.start = start_.mono,
                      .opened = *first_byte_,
                      .sent = request_bytes_,
                      .received = response_bytes_,
                      .reason = opening_->reason};
  place();
  if (trace_->active()) worker_.metrics.count_parent(trace_->source());
  if (trace_->sampled()) {
    std::string client;
    semconv::HttpFacts facts = facts_by_now(response_.status, client);
    facts.end = worker_.loop.now().mono;
    trace::Span span = semconv::make_http_span(facts, options_.spans);
    describe_session(span);
    parts.span = std::make_unique<trace::PackedSpan>(std::move(span));
  }
  if (options_.access_log) {
    parts.logged = std::make_unique<const Tunnel::Logged>(
        Tunnel::Logged{trace_->span(), baggage_text(trace_->further_attributes())});
  }
  parts.known = std::move(known_);
  parts.origin = wire::Pool::take(std::move(origin_));
  done_ = true;
  --worker_.exchanges;
  return parts;
}

void Exchange::leave_tunnel() {
  if (origin_ && opening_->settings.empty()) origin_->resume_http();
  origin_.reset();
  auto inside = std::make_unique<Inside>();
  inside->authority = url_.authority;
  inside->credential = trace_->credential();
  inside->asked_for = start_;
  trace_.reset();  // the requests inside have the spans
  inside->key = tunnel_key();
  // Who begins so knows that the origin speaks it.
  inside->key.h2 = held_.to_string().starts_with(http::kH2Preface);
  Chain first = std::exchange(held_, {});
  finish(semconv::Ending::kComplete, std::nullopt);
  agent_.resume_http(stream_, std::move(inside), std::move(first));
}

void Exchange::take_back() {
  handed_over_ = false;
  ++worker_.exchanges;
}

void Exchange::on_inside_request() {
  take_back();
  trace_.reset();
  finish(semconv::Ending::kComplete, std::nullopt);
}

void Exchange::on_inside_lost(semconv::Ending ending, const std::optional<Error>& error) {
  take_back();
  mode_ = semconv::Mode::kIntercept;
  finish(ending, error);
}

}  // namespace sidespan::proxy
