#include "session.h"

#include <algorithm>
#include <utility>

#include "sidespan/http/answer.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::proxy {
namespace {

// A connection without a request, as measured.
constexpr size_t kIdleBytes = size_t{3} * 1024;

// Returns how many there were. Mostly there is one.
template <class One>
size_t forget_over(std::vector<std::unique_ptr<One>>& all) {
  if (all.empty()) return 0;
  if (all.size() > 1) return std::erase_if(all, [](const auto& one) { return one->done(); });
  if (!all.front()->done()) return 0;
  all.pop_back();
  return 1;
}

}  // namespace

Session::Session(Worker& worker, Owner& owner, SlotId id, Place place, Door door,
                 std::unique_ptr<net::Stream> stream, std::optional<Error> refusal)
    : worker_(worker),
      owner_(owner),
      id_(id),
      place_(std::move(place)),
      charge_(kIdleBytes),
      connection_(std::move(stream), nullptr, http::make_h1_server(worker.options->limits.codec),
                  *this),
      refusal_(refusal ? std::make_unique<const Error>(*std::move(refusal)) : nullptr),
      due_(MonoTime::max()),
      idle_since_(worker.loop.now().mono),
      door_(door) {
  worker_.metrics.connections.add(1);
  connection_.set_stall_time(worker.options->limits.stream_idle_time_max);
  Session::call_at(idle_since_ + worker.options->limits.keep_alive_time_max);
}

void Session::changed() {
  if (!std::exchange(changed_, true)) owner_.session_changed(id_);
}

Session::~Session() {
  worker_.metrics.connections.add(-1);
}

void Session::wake(wire::Connection&) {
  while (std::optional<http::Event> event = connection_.next()) dispatch(std::move(*event));
  if (opener_) look_at_opening();
  if (connection_.closed()) {
    for (const auto& exchange : exchanges_) exchange->on_agent_gone();
    for (const auto& inner : inner_) inner->cut();
  } else if (connection_.codec().done()) {
    connection_.finish();
  }
  // An exchange that is over says so itself.
  const bool may_splice = exchanges_.size() == 1 && exchanges_.front()->is_tunnel();
  if (connection_.closed() || may_splice) changed();
}

void Session::dispatch(http::Event&& event) {
  const http::StreamId stream = event.stream;
  if (auto* head = std::get_if<http::Head>(&event.what)) {
    // Its answer would not arrive: who gets none asks again elsewhere.
    if (connection_.finishing()) return;
    last_told_ = stream;
    return begin(std::move(*head), stream);
  }
  if (Exchange* exchange = find(stream)) return exchange->on_agent_event(std::move(event));
  if (InnerConnection* inner = find_inner(stream)) return inner->on_agent_event(std::move(event));
  // A head that was refused has no exchange, and answers here. So do bytes after an exchange is
  // over.
  if (const auto* reset = std::get_if<http::Reset>(&event.what)) {
    // Who ended a stream that was answered already asks for nothing, however he did it.
    if (reset->error.code == Code::kConnectionReset || (stream != 0 && stream <= last_told_))
      return;
    last_told_ = stream;
    // Whatever was asked, who is not let in is told that.
    return refuse(stream, refusal_ ? *refusal_ : reset->error);
  }
  if (const auto* body = std::get_if<http::Body>(&event.what)) {
    connection_.consumed(stream, body->data.size());
  }
}

// When the tunnel was asked for, where that was for the request that comes now: to reach the origin
// is a part of it. Clients that connect ahead let it rest.
std::optional<Moment> Session::take_asked_for(Nanoseconds idle) {
  constexpr Milliseconds kAtOnce{1000};
  if (!inside_) return std::nullopt;
  const Moment asked = std::exchange(inside_->asked_for, {});
  const bool for_this = asked.mono != MonoTime{} && idle < kAtOnce;
  return for_this ? std::optional(asked) : std::nullopt;
}

void Session::begin(http::Head&& head, http::StreamId stream) {
  const MonoTime now = worker_.loop.now().mono;
  const std::optional<Moment> asked_for = take_asked_for(now - std::exchange(idle_since_, now));
  if (opener_) {
    worker_.shared.interceptor.served(inside_->key, inside_->execution());
    std::exchange(opener_, nullptr)->on_inside_request();
  }
  if (worker_.draining) connection_.drain();
  if (refusal_) {
    connection_.drain();
    return refuse(stream, *refusal_);
  }
  if (worker_.shared.memory.over(MemoryMark::kRefuse) && !owner_.make_room(MemoryMark::kRefuse)) {
    worker_.metrics.memory_refused.add();
    return refuse(stream, {Code::kOverload, Side::kSelf, true,
                           "limits.memory leaves no room for another request"});
  }
  const bool in_stream = multiplexed() && door_ == Door::kEgress && inside_ == nullptr;
  if (in_stream && head.asks("CONNECT")) return begin_inner(std::move(head), stream);
  AgentSide& agent = *this;
  found_ = exchanges_.size();
  exchanges_.push_back(std::make_unique<Exchange>(worker_, agent, stream, std::move(head)));
  exchanges_.back()->begin(asked_for);
}

// A stream has no room for another connection's worth of TLS and requests: those are a session's.
void Session::begin_inner(http::Head&& connect, http::StreamId stream) {
  net::Stream::Pair pair = net::Stream::pair(worker_.loop, connection_.peer());
  AgentSide& agent = *this;
  inner_.push_back(
      std::make_unique<InnerConnection>(agent, stream, std::move(pair.first), *worker_.options));
  inner_.back()->begin(std::move(connect));
  owner_.accept_inner(std::move(pair.second));
}

void Session::refuse(http::StreamId stream, const Error& error) {
  http::LocalAnswer answer = http::make_answer(error);
  worker_.metrics.count_request(
      door_ == Door::kIngress ? semconv::Mode::kIngress : semconv::Mode::kForward,
      answer.head.status);
  const LogLevel level = worker_.options->access_log ? LogLevel::kInfo : LogLevel::kDebug;
  if (worker_.log.enabled(level)) {
    worker_.log.write(
        level, "request refused",
        {{"side", name_of(error.side)}, {"error", name_of(error.code)}, {"what", error.what}});
  }
  answer.head.headers.set("Connection", "close");
  connection_.send({stream, std::move(answer.head)});
  connection_.send({stream, http::Body{Chain(answer.body)}});
  connection_.send({stream, http::End{}});
  if (multiplexed()) close(stream);
}

Exchange* Session::find(http::StreamId stream) {
  const auto is_it = [&](size_t at) {
    return at < exchanges_.size() && exchanges_[at]->stream() == stream && !exchanges_[at]->done();
  };
  // What one event is for the next is for, too, or its neighbour: with a hundred streams it shows.
  if (is_it(found_)) return exchanges_[found_].get();
  if (is_it(++found_)) return exchanges_[found_].get();
  for (found_ = 0; found_ < exchanges_.size(); ++found_) {
    if (is_it(found_)) return exchanges_[found_].get();
  }
  return nullptr;
}

InnerConnection* Session::find_inner(http::StreamId stream) {
  const auto found = std::ranges::find_if(
      inner_, [&](const auto& inner) { return inner->stream() == stream && !inner->done(); });
  return found == inner_.end() ? nullptr : found->get();
}

// What the agent waited for until now, it did not let rest.
void Session::tunnel(http::StreamId stream) {
  idle_since_ = worker_.loop.now().mono;
  connection_.tunnel(stream);
}

void Session::resume_http(http::StreamId stream, std::unique_ptr<Inside> inside, Chain first) {
  inside_ = std::move(inside);
  last_told_ = 0;
  first_stream_ = stream + 1;
  connection_.resume_http(stream, std::move(first));
}

void Session::intercept(http::StreamId stream, std::unique_ptr<Inside> inside,
                        std::unique_ptr<tls::Engine> engine, const Chain& first) {
  inside_ = std::move(inside);
  const auto opener = std::ranges::find(exchanges_, stream, &Exchange::stream);
  opener_ = std::move(*opener);
  exchanges_.erase(opener);
  last_told_ = 0;
  first_stream_ = 1;
  const http::CodecLimits& limits = worker_.options->limits.codec;
  connection_.secure(
      std::move(engine),
      inside_->agent_h2 ? http::make_h2_server(limits) : http::make_h1_server(limits), first);
  idle_since_ = worker_.loop.now().mono;
  call_at(idle_since_ + patience());
}

// Who refuses our certificate says so in the handshake, or just goes.
void Session::look_at_opening() {
  const tls::Engine& engine = *connection_.tls();
  const bool over = connection_.closed() || connection_.codec().done();
  if (!engine.failure() && !over) return;
  const MonoTime now = worker_.loop.now().mono;
  Interceptor& interceptor = worker_.shared.interceptor;
  const std::string_view execution = inside_->execution();
  const bool passes_now = engine.rejected_by_peer()
                              ? interceptor.rejected(inside_->key, execution, now)
                              : !engine.failure() && interceptor.left(inside_->key, execution, now);
  if (passes_now) {
    worker_.log.write(LogLevel::kWarn,
                      "an agent refused our certificate: for limits.tls_pinned_time nobody looks "
                      "into its tunnels there",
                      {{"host", inside_->key.verified_name()},
                       {"port", std::to_string(inside_->key.port)},
                       {"execution", execution}});
  }
  if (engine.failure()) return lose_opener(semconv::Ending::kRefused, engine.failure());
  if (engine.established()) return lose_opener(semconv::Ending::kAgentCancelled, std::nullopt);
  lose_opener(semconv::Ending::kRefused,
              Error{Code::kTlsFailure, Side::kAgent, false,
                    "the agent went within the TLS handshake; does it trust the authority?"});
}

void Session::lose_opener(semconv::Ending ending, const std::optional<Error>& error) {
  if (opener_) std::exchange(opener_, nullptr)->on_inside_lost(ending, error);
}

Milliseconds Session::patience() const {
  const bool greeting = connection_.tls() != nullptr && !connection_.tls()->established();
  return greeting ? worker_.options->interception.handshake_time_max
                  : worker_.options->limits.keep_alive_time_max;
}

bool Session::end_as_stale(http::StreamId stream) {
  if (multiplexed() || stream <= first_stream_ || connection_.has_unsent()) return false;
  connection_.abort();
  changed();
  return true;
}

void Session::close(http::StreamId stream) {
  if (!multiplexed()) return connection_.finish();
  connection_.send({stream, http::Reset{{Code::kConnectionClosed, Side::kSelf, false,
                                         "nobody reads the rest of the request"}}});
}

bool Session::is_here(const http::Authority& authority) const {
  const net::Address here = connection_.local();
  const std::optional<net::Address> named = Host(authority.host).address;
  const bool same = named ? named->ip() == here.ip() : authority.host == "localhost";
  return same && authority.port == here.port();
}

void Session::drain() {
  if (!is_idle()) connection_.drain();
  for (const auto& exchange : exchanges_) exchange->on_timer();  // a wait may be shorter now
  if (door_ == Door::kEgress || !is_idle()) return;
  connection_.drain();
  connection_.finish();
}

std::optional<MonoTime> Session::at_rest() const {
  const bool over = refusal_ || connection_.finishing() || connection_.closed();
  if (over || pinned_ || !is_idle() || connection_.has_unsent()) return std::nullopt;
  const tls::Engine* const tls = connection_.tls();
  if (tls != nullptr && (!tls->established() || tls->has_unread())) return std::nullopt;
  // A head has begun, or may be HTTP/2's preface.
  const http::Codec& codec = connection_.codec();
  if (codec.streams() > 0 || codec.deadline()) return std::nullopt;
  return idle_since_;
}

void Session::part() {
  lose_opener(semconv::Ending::kTimeout, std::nullopt);
  connection_.drain();
  connection_.finish();
}

void Session::abort(const Error& error) {
  for (const auto& exchange : exchanges_) exchange->abort(semconv::Ending::kDrain, error);
  lose_opener(semconv::Ending::kDrain, error);
  connection_.finish();
  changed();
}

void Session::reset(const Error& error) {
  for (const auto& exchange : exchanges_) exchange->cut(error);
  for (const auto& inner : inner_) inner->cut();
  lose_opener(semconv::Ending::kLimit, error);
  connection_.abort();
  changed();
}

bool Session::is_owing() const {
  if (!exchanges_.empty() || connection_.closed()) return false;
  const auto waits = [&](const auto& inner) { return connection_.queued(inner->stream()) > 0; };
  return connection_.has_unsent() || std::ranges::any_of(inner_, waits) ||
         (multiplexed() && connection_.codec().streams() > inner_.size());
}

size_t Session::held() const {
  size_t bytes = charge_.bytes() + connection_.held();
  for (const auto& exchange : exchanges_) bytes += exchange->held();
  for (const auto& inner : inner_) bytes += inner->held();
  return bytes;
}

bool Session::reap() {
  changed_ = false;
  if (forget_over(exchanges_) + forget_over(inner_) > 0) {
    idle_since_ = worker_.loop.now().mono;
    if (is_idle()) call_at(idle_since_ + patience());
  }
  return connection_.closed() && is_idle();
}

std::optional<Tunnel::Parts> Session::splice() {
  const bool alone = exchanges_.size() == 1 && inside_ == nullptr && connection_.tls() == nullptr;
  if (!alone || !exchanges_.front()->may_splice() || connection_.has_unsent()) return std::nullopt;
  Tunnel::Parts parts = exchanges_.front()->splice();
  exchanges_.clear();
  parts.agent = connection_.detach();
  return parts;
}

// A request among others costs a comparison: what is due later is found by the sweep.
void Session::call_at(MonoTime due) {
  if (due >= due_) return;
  due_ = due;
  const auto delay = due - worker_.loop.now().mono;
  if (delay > 2 * kSweepInterval) return;
  // At least until the sockets have been looked at again.
  if (!timer_) timer_ = std::make_unique<net::Timer>(worker_.loop, [this] { on_timer(); });
  timer_->start(std::max(Milliseconds(1), std::chrono::ceil<Milliseconds>(delay)), true);
}

void Session::sweep(MonoTime now) {
  // An exchange on which nothing passes does not look by itself.
  for (const auto& exchange : exchanges_) exchange->silence_observer();
  if (due_ <= now) on_timer();
  connection_.look_for_reset();
}

void Session::on_timer() {
  timer_.reset();
  due_ = MonoTime::max();
  for (const auto& exchange : exchanges_) exchange->on_timer();
  if (!is_idle()) return;
  const MonoTime now = worker_.loop.looked();
  if (is_owing()) {
    // An answer is on its way still: idle is who has got all of it.
    idle_since_ = now;
    if (connection_.has_moved() || owing_since_ == MonoTime{}) owing_since_ = now;
    const MonoTime due = owing_since_ + worker_.options->limits.stream_idle_time_max;
    if (now < due) return call_at(std::min(due, now + patience()));
    return part();
  }
  owing_since_ = {};
  const MonoTime due = idle_since_ + patience();
  if (now < due) return call_at(due);
  part();
}

}  // namespace sidespan::proxy
