#include "sidespan/proxy/server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "session.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/net/timer.h"

namespace sidespan::proxy {

struct Server::Impl final : Session::Owner, net::TurnEnd {
  Impl(net::Loop& loop, wire::Pool& pool, Random random, trace::SpanSink& sink, Log& log,
       const std::shared_ptr<const Options>& options, std::atomic<size_t>& connections)
      : worker{loop,
               pool,
               random,
               sink,
               log,
               options,
               ProxyMetrics(options->limits.metric_series_max),
               OriginBook(*options),
               connections},
        sweeper(loop, [this] { sweep(); }) {}
  ~Impl() { worker.loop.cancel_turn_end(*this); }

  void session_changed(SlotId id) override {
    changed.push_back(id);
    worker.loop.at_turn_end(*this);
  }
  void on_turn_end() override;
  void sweep();
  // `others`: connections of the process before this one.
  std::optional<Error> refusal_for(const net::Stream& stream, size_t others);

  Worker worker;
  SlotMap<Session> sessions;
  std::vector<SlotId> changed;
  net::Timer sweeper;
};

Server::Server(net::Loop& loop, wire::Pool& pool, Random random, trace::SpanSink& sink, Log& log,
               const std::shared_ptr<const Options>& options, std::atomic<size_t>& connections)
    : impl_(std::make_unique<Impl>(loop, pool, random, sink, log, options, connections)) {}

Server::~Server() = default;

std::optional<Error> Server::Impl::refusal_for(const net::Stream& stream, size_t others) {
  const std::vector<net::Network>& allowed = worker.options->allow_from;
  const bool known = allowed.empty() || stream.peer().is_loopback() ||
                     std::ranges::any_of(allowed, [&](const net::Network& network) {
                       return network.contains(stream.peer());
                     });
  if (!known) {
    return Error{Code::kDenied, Side::kAgent, false,
                 stream.peer().ip() + " is not in egress.allow_from"};
  }
  if (others < worker.options->limits.connections_max) return std::nullopt;
  worker.metrics.refused_connections.add();
  return Error{Code::kOverload, Side::kSelf, true, "there are too many connections"};
}

void Server::accept(std::unique_ptr<net::Stream> stream) {
  Place place(impl_->worker.connections_of_process);
  // Those who are only told 503 need memory too; beyond twice the limit nobody is told.
  if (place.others() >= 2 * impl_->worker.options->limits.connections_max) return;
  std::optional<Error> refusal = impl_->refusal_for(*stream, place.others());
  impl_->sessions.emplace([&](SlotId id) {
    return std::make_unique<Session>(impl_->worker, *impl_, id, std::move(place), std::move(stream),
                                     std::move(refusal));
  });
  if (!impl_->sweeper.active()) impl_->sweeper.start(Session::kSweepInterval, true);
}

void Server::Impl::on_turn_end() {
  for (const SlotId id : std::exchange(changed, {})) {
    Session* session = sessions.find(id);
    if (session != nullptr && session->reap()) sessions.erase(id);
  }
}

void Server::Impl::sweep() {
  const MonoTime now = worker.loop.now().mono;
  sessions.for_each([&](SlotId, Session& session) { session.sweep(now); });
  if (sessions.size() > 0) sweeper.start(Session::kSweepInterval, true);
}

void Server::drain(bool agents_gone) {
  impl_->worker.draining = true;
  impl_->worker.agents_gone = agents_gone;
  impl_->sessions.for_each([](SlotId, Session& session) { session.drain(); });
}

void Server::abort() {
  const Error error{Code::kOverload, Side::kSelf, true, "the sidecar is shutting down"};
  impl_->sessions.for_each([&](SlotId, Session& session) { session.abort(error); });
}

size_t Server::busy() const {
  return impl_->worker.exchanges;
}

size_t Server::connections() const {
  return impl_->sessions.size();
}

uint64_t Server::requests() const {
  return impl_->worker.metrics.requests();
}

void Server::collect(metrics::Snapshot& snapshot) const {
  impl_->worker.metrics.collect(snapshot);
}

std::optional<Error> check_address(const Options& options, const SelfGuard& self,
                                   std::string_view host, const net::Address& address) {
  if (self.is_self(address)) {
    return Error{
        Code::kLoop, Side::kAgent, false,
        std::string(host) + " port " + std::to_string(address.port()) + " is this sidecar itself"};
  }
  if (matches(options.deny, host, &address)) {
    return Error{Code::kDenied, Side::kAgent, false,
                 std::string(host) + " (" + address.ip() + ") is on the list of egress.deny"};
  }
  return std::nullopt;
}

}  // namespace sidespan::proxy
