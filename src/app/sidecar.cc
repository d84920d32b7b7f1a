#include "app/sidecar.h"

#include <utility>

#include "app/cgroup_memory.h"

namespace sidespan::app {

namespace {

size_t memory_bytes(const Settings& settings) {
  const std::optional<size_t>& set = settings.limits.memory_bytes;
  return set ? *set : default_memory_bytes(cgroup_memory_bytes());
}

}  // namespace

void MemoryWatch::collect(metrics::Snapshot& snapshot) const {
  const auto gauge = [&](std::string_view name, std::string_view help, size_t value) {
    metrics::merge(snapshot, name, help, metrics::Kind::kGauge,
                   {.labels = {}, .value = static_cast<double>(value), .histogram = {}});
  };
  gauge("sidespan_memory_bytes", "Traffic that is held: heads, bodies, queues of both sides.",
        ledger_.held());
  gauge("sidespan_memory_limit_bytes", "The most of it, by limits.memory.", ledger_.limit());
}

Sidecar::Sidecar(const Settings& settings, const TlsSetup& tls, OperatorLog& log,
                 report::SpanTap tap)
    : settings_(settings),
      tls_(tls),
      log_(log),
      telemetry_(settings, tls, log, std::move(tap)),
      memory_(memory_bytes(settings)),
      mcp_calls_(settings.limits.mcp_calls, settings.limits.mcp_call_time) {
  telemetry_.watch(memory_watch_);
}

Sidecar::~Sidecar() {
  stop_workers();
  for (const auto& worker : workers_) telemetry_.forget(*worker);
  telemetry_.forget(memory_watch_);
  telemetry_.forget(root_limit_watch_);
}

Result<void> Sidecar::open(const Lineage& lineage) {
  const Result<std::vector<net::Address>> admin = telemetry_.listen_admin();
  if (!admin) return std::unexpected(admin.error());
  const Result<std::vector<net::Address>> health = telemetry_.listen_health();
  if (!health) return std::unexpected(health.error());
  std::vector<net::Address> own = *admin;
  own.insert(own.end(), health->begin(), health->end());
  if (Result<void> opened = open_workers(lineage, own); !opened) return opened;

  announce("egress", egress_);
  announce("admin", *admin);
  announce("health", *health);
  telemetry_.set_ready(true);
  log_.event("ready", {});
  return {};
}

Result<void> Sidecar::open_workers(const Lineage& lineage, const std::vector<net::Address>& own) {
  const auto options = proxy_options(settings_, tls_.authority, lineage);
  root_limit_watch_.set(options->root_limit);
  telemetry_.watch(root_limit_watch_);
  ListenAddress egress = settings_.listen.egress;
  for (size_t i = 0; i < settings_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(settings_, options, tls_, telemetry_, log_,
                                                connections_, memory_, mcp_calls_));
    Worker& worker = *workers_.back();
    telemetry_.watch(worker);
    worker.guard(own);
    if (!egress) continue;
    const PortUse use = settings_.workers == 1 ? PortUse::kAlone
                        : i == 0               ? PortUse::kFirstOfMany
                                               : PortUse::kJoining;
    Result<std::vector<net::Address>> bound = worker.listen(egress, use);
    if (!bound) return std::unexpected(std::move(bound.error()));
    // Where any port was asked for, the others join the one that was found.
    egress.addresses = *bound;
    egress_ = std::move(*bound);
  }
  return {};
}

void Sidecar::announce(std::string_view listener, const std::vector<net::Address>& addresses) {
  for (const net::Address& address : addresses) {
    log_.event("listening", {{"listener", listener}, {"address", address.to_string()}});
  }
}

void Sidecar::drain(bool agents_gone) {
  telemetry_.set_ready(false);
  for (const auto& worker : workers_) worker->drain(agents_gone);
}

Activity Sidecar::activity() const {
  Activity sum;
  for (const auto& worker : workers_) {
    const Activity one = worker->activity();
    sum.busy += one.busy;
    sum.connections += one.connections;
    sum.requests += one.requests;
    // Of several the slowest counts: all must have been measured.
    sum.looks = worker == workers_.front() ? one.looks : std::min(sum.looks, one.looks);
  }
  return sum;
}

void Sidecar::stop_workers() {
  for (const auto& worker : workers_) worker->stop();
}

}  // namespace sidespan::app
