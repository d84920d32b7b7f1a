#include "app/worker.h"

#include <optional>
#include <string>
#include <utility>

#include "app/bind.h"
#include "app/options.h"
#include "app/rare_line.h"
#include "app/tls_setup.h"
#include "sidespan/net/listener.h"
#include "sidespan/net/timer.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/wire/dialer.h"
#include "sidespan/wire/pool.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kHeartbeat{1000};
constexpr Milliseconds kDrainPulse{10};
// Not for agents: for health, admin and the collector, and for origins of the agents that are
// connected.
constexpr int kKeptFromAgents = 16;
// Nor for origins.
constexpr int kKeptFromOrigins = 8;

MonoTime::rep mono_now() {
  return SystemClock().now().mono.time_since_epoch().count();
}

wire::Dialer::Options dialer_options(const Settings& settings) {
  wire::Dialer::Options options = settings.limits.dialer;
  options.second_proxy = second_proxy(settings.egress);
  options.descriptors_kept = kKeptFromOrigins;
  return options;
}

}  // namespace

struct Worker::Inside {
  Inside(Worker& worker, net::Loop& loop, const Settings& settings, const TlsSetup& tls,
         Telemetry& telemetry, Log& log, MemoryLedger& ledger, const proxy::Shared& shared)
      : memory(ledger,
               [&worker] { worker.thread_.mailbox().post([&worker] { worker.let_go(); }); }),
        client_tls(client_context(settings, tls)),
        dialer(
            loop, dialer_options(settings),
            [this, options = worker.options_](std::string_view host, const net::Address& to) {
              return proxy::check_address(*options, self, host, to);
            },
            client_tls.get(),
            [this](std::string_view host, const net::Address& to) {
              return proxy::check_self(self, host, to);
            }),
        pool(loop, dialer, settings.limits.pool),
        spans(loop, telemetry.mailbox(), telemetry.pipeline()),
        server(loop, pool, Random::from_system(), spans, log, worker.options_, shared),
        pulse(loop, [&worker] { worker.pulse(); }) {}

  Result<std::unique_ptr<net::Listener>> open(net::Loop& loop, const net::Address& address,
                                              bool shared, proxy::Door door);
  Result<net::Address> bind(net::Loop& loop, const net::Address& address, PortUse use,
                            proxy::Door door);
  uint64_t shed_at(const std::vector<std::unique_ptr<net::Listener>>& which) const;
  void close_ingress();

  MemoryAccount memory;  // first: it counts what the others hold
  proxy::SelfGuard self;
  std::unique_ptr<tls::ClientContext> client_tls;
  wire::Dialer dialer;
  wire::Pool pool;
  report::WorkerSpans spans;
  proxy::Server server;
  net::Timer pulse;
  Milliseconds pulse_every = kHeartbeat;
  std::vector<std::unique_ptr<net::Listener>> egress;
  std::vector<std::unique_ptr<net::Listener>> ingress;
  uint64_t shed_before = 0;    // by listeners that were closed
  bool nobody_to_end = false;  // and more is held than may be: the next pulse looks again
  RareLine shed{"agents' connections were closed unanswered, no descriptor was left"};
  RareLine taps_off{"answers went by unobserved, limits.memory is near"};
  RareLine refused{"requests were refused, limits.memory is near"};
  RareLine reset{"connections that held most were reset, limits.memory is reached"};
};

Result<std::unique_ptr<net::Listener>> Worker::Inside::open(net::Loop& loop,
                                                            const net::Address& address,
                                                            bool shared, proxy::Door door) {
  net::Listener::Options options;
  options.reuse_port = shared;
  options.descriptors_kept = kKeptFromAgents;
  return net::Listener::listen(loop, address, options,
                               [this, door](std::unique_ptr<net::Stream> stream) {
                                 server.accept(std::move(stream), door);
                               });
}

Result<net::Address> Worker::Inside::bind(net::Loop& loop, const net::Address& address, PortUse use,
                                          proxy::Door door) {
  net::Address free = address;
  if (use == PortUse::kFirstOfMany) {
    // Two sidecars whose workers share would take half of each other's connections. So the port is
    // taken alone first, and given back.
    const auto alone = open(loop, address, false, door);
    if (!alone) return std::unexpected(alone.error());
    free = (*alone)->address();
  }
  Result<std::unique_ptr<net::Listener>> listener = open(loop, free, use != PortUse::kAlone, door);
  if (!listener) return std::unexpected(std::move(listener.error()));
  auto& listeners = door == proxy::Door::kEgress ? egress : ingress;
  listeners.push_back(std::move(*listener));
  self.add(listeners.back()->address());
  return listeners.back()->address();
}

uint64_t Worker::Inside::shed_at(const std::vector<std::unique_ptr<net::Listener>>& which) const {
  uint64_t sum = 0;
  for (const auto& listener : which) sum += listener->shed();
  return sum;
}

void Worker::Inside::close_ingress() {
  shed_before += shed_at(ingress);
  ingress.clear();
}

Worker::Worker(const Settings& settings, std::shared_ptr<const proxy::Options> options,
               const TlsSetup& tls, Telemetry& telemetry, Log& log, MemoryLedger& memory,
               const proxy::Shared& shared)
    : log_(log), options_(std::move(options)), thread_("worker"), heartbeat_(mono_now()) {
  thread_.call([&] {
    inside_ = std::make_unique<Inside>(*this, thread_.loop(), settings, tls, telemetry, log, memory,
                                       shared);
    pulse();
  });
}

Worker::~Worker() {
  stop();
}

void Worker::guard(const std::vector<net::Address>& own) {
  thread_.call([&] {
    for (const net::Address& address : own) inside_->self.add(address);
  });
}

Result<std::vector<net::Address>> Worker::listen(const ListenAddress& where, PortUse use,
                                                 proxy::Door door) {
  Result<std::vector<net::Address>> bound;
  thread_.call([&] {
    const Binding binding{
        .bind =
            [&](const auto& address) { return inside_->bind(thread_.loop(), address, use, door); },
        .undo =
            [&] { (door == proxy::Door::kEgress ? inside_->egress : inside_->ingress).clear(); }};
    bound = bind_all(where, binding);
  });
  return bound;
}

void Worker::drain(bool agents_gone) {
  thread_.mailbox().post([this, agents_gone] {
    inside_->close_ingress();
    inside_->server.drain(agents_gone);
    inside_->pool.drain();
    inside_->pulse_every = kDrainPulse;
    pulse();
  });
}

void Worker::stop() {
  if (!inside_) return;
  thread_.call([this] {
    look_for_losses();
    inside_->egress.clear();
    inside_->ingress.clear();
    inside_->server.abort();
    inside_->spans.flush();
    const std::scoped_lock lock(collect_mutex_);
    inside_->server.collect(last_);
    inside_.reset();
  });
  thread_.stop();
  // Who has ended is not waited for.
  heartbeat_ = MonoTime::max().time_since_epoch().count();
}

void Worker::pulse() {
  busy_ = inside_->server.busy();
  connections_ = inside_->server.connections();
  requests_ = inside_->server.requests();
  look_for_losses();
  if (inside_->nobody_to_end) let_go();
  const Moment now = SystemClock().now();
  time_.look(now, inside_->pulse_every, log_);
  heartbeat_ = now.mono.time_since_epoch().count();
  ++looks_;
  inside_->pulse.start(inside_->pulse_every, true);
}

void Worker::let_go() {
  if (!inside_) return;
  const size_t excess = inside_->memory.excess();
  const bool ended = excess > 0 && (inside_->server.make_room(MemoryMark::kReset) ||
                                    inside_->server.reset_largest(excess, inside_->dialer));
  // A part of it is freed when this turn ends, and another worker may hold the rest. Where there
  // was nobody to end, to look at once would find nobody again, and so on.
  if (ended) inside_->memory.look_again();
  inside_->nobody_to_end = excess > 0 && !ended;
}

void Worker::look_for_losses() {
  const uint64_t shed =
      inside_->shed_before + inside_->shed_at(inside_->egress) + inside_->shed_at(inside_->ingress);
  shed_ = shed;
  const MonoTime now = SystemClock().now().mono;
  inside_->shed.look(shed, now, log_);
  const proxy::Server::MemoryReactions memory = inside_->server.memory_reactions();
  inside_->taps_off.look(memory.taps_off, now, log_);
  inside_->refused.look(memory.refused, now, log_);
  inside_->reset.look(memory.reset, now, log_);
}

Activity Worker::activity() const {
  return {.busy = busy_, .connections = connections_, .requests = requests_, .looks = looks_};
}

void Worker::collect(metrics::Snapshot& snapshot) const {
  metrics::merge(snapshot, "sidespan_connections_shed",
                 "Agent connections closed unanswered because no descriptor was left.",
                 metrics::Kind::kCounter,
                 {.labels = {}, .value = static_cast<double>(shed_), .histogram = {}});
  time_.collect(snapshot);
  const std::scoped_lock lock(collect_mutex_);
  if (inside_) {
    inside_->server.collect(snapshot);
    return;
  }
  for (const metrics::Family& family : last_) {
    for (const metrics::Sample& sample : family.samples) {
      metrics::merge(snapshot, family.name, family.help, family.kind, sample);
    }
  }
}

}  // namespace sidespan::app
