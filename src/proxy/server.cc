#include "sidespan/proxy/server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "session.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/net/timer.h"
#include "turn_span.h"

namespace sidespan::proxy {
namespace {

// Of the memory for traffic, what a worker may keep of targets: a small limit leaves room for
// requests, however many workers there are.
constexpr size_t kMemoShare = 256;

}  // namespace

struct Server::Impl final : Session::Owner, Tunnel::Owner, net::TurnEnd, semconv::McpCallSink {
  Impl(net::Loop& loop, wire::Pool& pool, Random random, trace::SpanSink& sink, Log& log,
       const std::shared_ptr<const Options>& options, const Shared& shared)
      : worker{loop,
               pool,
               random,
               sink,
               log,
               options,
               ProxyMetrics(options->limits.metric_series_max),
               OriginBook(*options),
               IgnoredPaths(options->ignore_paths),
               shared,
               *this,
               lineage::TargetMemo(
                   std::min(lineage::TargetMemo::kBytesMax, shared.memory.limit() / kMemoShare))},
        sweeper(loop, [this] { sweep(); }),
        turn_sweeper(loop, [this] { sweep_turns(); }) {}
  ~Impl() { worker.loop.cancel_turn_end(*this); }

  void session_changed(SlotId id) override {
    changed.push_back(id);
    worker.loop.at_turn_end(*this);
  }
  void accept_inner(std::unique_ptr<net::Stream> stream) override {
    accept(std::move(stream), Door::kEgress);
  }
  void accept(std::unique_ptr<net::Stream> stream, Door door);
  bool make_room(MemoryMark mark) override;
  void tunnel_over(SlotId id) override {
    tunnels_over.push_back(id);
    worker.loop.at_turn_end(*this);
  }
  void on_turn_end() override;
  // True: it was, and the session is over.
  bool splice(Session& session);
  void on_call(trace::Span&& span, semconv::Ending ending) override {
    worker.metrics.mcp_calls[static_cast<size_t>(ending)].add();
    worker.sink.emit(std::move(span));
  }
  void on_call_left_out() override { worker.metrics.mcp_calls_left_out.add(); }
  void sweep();
  void sweep_turns();
  void emit(const std::vector<lineage::ClosedTurn>& turns);
  // `others`: connections of the process before this one.
  std::optional<Error> refusal_for(const net::Stream& stream, Door door, size_t others);
  // Whether an agent's connection that has rested ends, for another to come.
  bool make_place();
  // None where none has rested. Its agent is told that it ends.
  SlotId part_longest_at_rest();

  Worker worker;
  SlotMap<Session> sessions;
  SlotMap<Tunnel> tunnels;
  std::vector<SlotId> changed;
  std::vector<SlotId> changing;  // what on_turn_end() looks at; both keep their room
  std::vector<SlotId> tunnels_over;
  net::Timer sweeper;
  net::Timer turn_sweeper;
  size_t parts_to_sweep = 0;  // of the executions
  MonoTime none_rests_until{};
};

Server::Server(net::Loop& loop, wire::Pool& pool, Random random, trace::SpanSink& sink, Log& log,
               const std::shared_ptr<const Options>& options, const Shared& shared)
    : impl_(std::make_unique<Impl>(loop, pool, random, sink, log, options, shared)) {}

Server::~Server() = default;

std::optional<Error> Server::Impl::refusal_for(const net::Stream& stream, Door door,
                                               size_t others) {
  const std::vector<net::Network>& allowed = worker.options->allow_from;
  const bool known = door == Door::kIngress || allowed.empty() || stream.peer().is_loopback() ||
                     std::ranges::any_of(allowed, [&](const net::Network& network) {
                       return network.contains(stream.peer());
                     });
  if (!known) {
    return Error{Code::kDenied, Side::kAgent, false,
                 stream.peer().ip() + " is not in egress.allow_from"};
  }
  if (others < worker.options->limits.connections_max || make_place()) return std::nullopt;
  worker.metrics.refused_connections.add();
  return Error{Code::kOverload, Side::kSelf, true, "there are too many connections"};
}

// Its place is free at once, whatever the agent makes of the end.
bool Server::Impl::make_place() {
  const SlotId parted = part_longest_at_rest();
  if (!parted) return false;
  const Place free = sessions.find(parted)->leave();
  return true;
}

// What is idle saves somebody a connection later; what is under way is needed now. Of an agent's
// connection the memory is wanted, so that the end does not wait for what the agent makes of it.
bool Server::Impl::make_room(MemoryMark mark) {
  constexpr int kAtOnceMax = 16;
  int ended = 0;
  for (; ended < kAtOnceMax && worker.shared.memory.over(mark); ++ended) {
    if (worker.pool.close_idle()) continue;
    const SlotId parted = part_longest_at_rest();
    if (!parted) break;
    sessions.erase(parted);
  }
  return ended > 0;
}

// A crowd that is refused does not look through all others each time.
SlotId Server::Impl::part_longest_at_rest() {
  constexpr Milliseconds kRest{5000};
  constexpr Milliseconds kLookAgain{100};
  const MonoTime now = worker.loop.now().mono;
  if (now < none_rests_until) return {};
  SlotId longest;
  MonoTime since = now - kRest;
  sessions.for_each([&](SlotId id, Session& session) {
    const std::optional<MonoTime> rests = session.at_rest();
    if (!rests || *rests > since) return;
    since = *rests;
    longest = id;
  });
  Session* const session = longest ? sessions.find(longest) : nullptr;
  if (session == nullptr || !session->is_quiet()) {
    none_rests_until = now + kLookAgain;
    return {};
  }
  session->part();
  worker.metrics.parted_connections.add();
  return longest;
}

void Server::accept(std::unique_ptr<net::Stream> stream, Door door) {
  impl_->accept(std::move(stream), door);
}

void Server::Impl::accept(std::unique_ptr<net::Stream> stream, Door door) {
  Place place(worker.shared.connections);
  // Those who are only told 503 need memory too; beyond twice the limit nobody is told.
  if (place.others() >= 2 * worker.options->limits.connections_max) return;
  std::optional<Error> refusal = refusal_for(*stream, door, place.others());
  sessions.emplace([&](SlotId id) {
    return std::make_unique<Session>(worker, *this, id, std::move(place), door, std::move(stream),
                                     std::move(refusal));
  });
  if (!sweeper.active()) sweeper.start(Session::kSweepInterval, true);
}

void Server::Impl::on_turn_end() {
  changing.swap(changed);
  for (const SlotId id : changing) {
    Session* session = sessions.find(id);
    if (session != nullptr && (session->reap() || splice(*session))) sessions.erase(id);
  }
  changing.clear();
  for (const SlotId id : std::exchange(tunnels_over, {})) tunnels.erase(id);
}

bool Server::Impl::splice(Session& session) {
  std::optional<Tunnel::Parts> parts = session.splice();
  if (!parts) return false;
  tunnels.emplace([&](SlotId id) {
    return std::make_unique<Tunnel>(worker, *this, id, session.leave(), *std::move(parts));
  });
  return true;
}

void Server::Impl::sweep() {
  const MonoTime now = worker.loop.now().mono;
  sessions.for_each([&](SlotId, Session& session) { session.sweep(now); });
  tunnels.for_each([](SlotId, Tunnel& tunnel) { tunnel.sweep(); });
  worker.shared.mcp_calls.expire(now, *this);
  lineage::Registry* const lineage = worker.shared.lineage;
  if (lineage != nullptr) {
    parts_to_sweep = lineage::Registry::kSweepParts;
    if (!turn_sweeper.active()) sweep_turns();
  }
  const bool turns = lineage != nullptr && !(lineage->idle() && lineage->traces().idle());
  const bool connections = sessions.size() + tunnels.size() > 0;
  const bool more = connections || worker.shared.mcp_calls.waiting() > 0 || turns;
  if (more) sweeper.start(Session::kSweepInterval, true);
}

// The next part of the executions, until each had its turn since the last sweep.
void Server::Impl::sweep_turns() {
  constexpr Milliseconds kInterval = Session::kSweepInterval / lineage::Registry::kSweepParts;
  emit(worker.shared.lineage->close_due(worker.loop.now().mono));
  if (--parts_to_sweep > 0) turn_sweeper.start(kInterval, true);
}

void Server::Impl::emit(const std::vector<lineage::ClosedTurn>& turns) {
  for (const lineage::ClosedTurn& turn : turns) {
    if ((turn.span.flags & trace::kSampledFlag) == 0) continue;
    worker.metrics.turns.add();
    worker.sink.emit(make_turn_span(turn, *worker.options));
    worker.sink.release(turn.span.trace_id);
  }
}

void Server::drain(bool agents_gone) {
  impl_->worker.draining = true;
  impl_->worker.agents_gone = agents_gone;
  impl_->sessions.for_each([](SlotId, Session& session) { session.drain(); });
}

void Server::abort() {
  const Error error{Code::kOverload, Side::kSelf, true, "the sidecar is shutting down"};
  impl_->sessions.for_each([&](SlotId, Session& session) { session.abort(error); });
  impl_->tunnels.for_each(
      [&](SlotId, Tunnel& tunnel) { tunnel.reset(semconv::Ending::kDrain, error); });
  impl_->worker.shared.mcp_calls.end_all(
      {.ending = semconv::Ending::kDrain, .at = impl_->worker.loop.now().mono}, *impl_);
  if (lineage::Registry* const lineage = impl_->worker.shared.lineage) {
    impl_->emit(lineage->close_all(impl_->worker.loop.now().mono));
  }
}

bool Server::make_room(MemoryMark mark) {
  return impl_->make_room(mark);
}

bool Server::reset_largest(size_t bytes, wire::Dialer& dialer) {
  struct Holder {
    size_t bytes;
    SlotId session = {};  // one of these names something
    SlotId tunnel = {};
    SlotId leftover = {};
    SlotId securing = {};
  };
  std::vector<Holder> holders;
  impl_->sessions.for_each([&](SlotId id, const Session& session) {
    holders.push_back({.bytes = session.held(), .session = id});
  });
  impl_->tunnels.for_each([&](SlotId id, const Tunnel& tunnel) {
    holders.push_back({.bytes = tunnel.held(), .tunnel = id});
  });
  for (const wire::Pool::Leftover& leftover : impl_->worker.pool.leftovers()) {
    holders.push_back({.bytes = leftover.bytes, .leftover = leftover.id});
  }
  for (const wire::Dialer::Securing& securing : dialer.securing()) {
    holders.push_back({.bytes = securing.bytes, .securing = securing.id});
  }
  // Mostly the first is enough, so they are not sorted.
  std::ranges::make_heap(holders, {}, &Holder::bytes);
  bool any = false;
  for (size_t freed = 0; freed < bytes && !holders.empty(); holders.pop_back()) {
    std::ranges::pop_heap(holders, {}, &Holder::bytes);
    const Holder& largest = holders.back();
    freed += largest.bytes;
    // It may have gone with the session that it was for.
    if (largest.securing && !dialer.give_up(largest.securing)) continue;
    any = true;
    impl_->worker.metrics.memory_reset.add();
    const Error error{Code::kOverload, Side::kSelf, true,
                      "limits.memory is reached, and this connection held most"};
    if (largest.session) {
      impl_->sessions.find(largest.session)->reset(error);
    } else if (largest.tunnel) {
      impl_->tunnels.find(largest.tunnel)->reset(semconv::Ending::kLimit, error);
    } else if (largest.leftover) {
      impl_->worker.pool.reset(largest.leftover);
    }
  }
  return any;
}

size_t Server::busy() const {
  size_t busy = impl_->worker.exchanges;
  if (!impl_->worker.draining) return busy;
  // The last bytes of an answer may wait for the agent when its exchange is over.
  impl_->sessions.for_each([&](SlotId, const Session& session) { busy += session.is_owing(); });
  return busy;
}

size_t Server::connections() const {
  return impl_->sessions.size() + impl_->tunnels.size();
}

uint64_t Server::requests() const {
  return impl_->worker.metrics.requests();
}

Server::MemoryReactions Server::memory_reactions() const {
  const ProxyMetrics& metrics = impl_->worker.metrics;
  return {.taps_off = metrics.memory_taps_off.value(),
          .refused = metrics.memory_refused.value(),
          .reset = metrics.memory_reset.value()};
}

void Server::collect(metrics::Snapshot& snapshot) const {
  impl_->worker.metrics.collect(snapshot);
  metrics::merge(snapshot, "sidespan_origin_connections_refused",
                 "Calls that waited in vain for one of their origin's connections.",
                 metrics::Kind::kCounter,
                 {.labels = {},
                  .value = static_cast<double>(impl_->worker.pool.refused().value()),
                  .histogram = {}});
}

std::optional<Error> check_self(const SelfGuard& self, std::string_view host,
                                const net::Address& address) {
  if (!self.is_self(address)) return std::nullopt;
  return Error{
      Code::kLoop, Side::kAgent, false,
      std::string(host) + " port " + std::to_string(address.port()) + " is this sidecar itself"};
}

std::optional<Error> check_address(const Options& options, const SelfGuard& self,
                                   std::string_view host, const net::Address& address) {
  if (std::optional<Error> loop = check_self(self, host, address)) return loop;
  const wire::SecondProxy& second = options.second_proxy;
  if (host == second.host && address.port() == second.port) return std::nullopt;
  if (matches(options.deny, host, &address)) {
    return Error{Code::kDenied, Side::kAgent, false,
                 std::string(host) + " (" + address.ip() + ") is on the list of egress.deny"};
  }
  return std::nullopt;
}

}  // namespace sidespan::proxy
