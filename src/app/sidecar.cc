#include "app/sidecar.h"

#include <utility>

#include "app/cgroup_memory.h"
#include "app/setting_table.h"

namespace sidespan::app {

namespace {

constexpr std::string_view kEgress = "egress";
constexpr std::string_view kIngress = "ingress";
constexpr std::string_view kAdmin = "admin";
constexpr std::string_view kHealth = "health";

// What to change, where one port was asked for.
std::unexpected<Error> not_bound(std::string_view listener, const ListenAddress& wanted,
                                 Error error) {
  const Setting* setting = find_setting("listen." + std::string(listener));
  if (wanted.addresses.front().port() != 0) {
    error.what +=
        "; " + std::string(setting->key) + " (" + setting->variable() + ") can name another port";
  }
  return std::unexpected(std::move(error));
}

void add(metrics::Snapshot& snapshot, std::string_view name, std::string_view help,
         metrics::Kind kind, uint64_t value) {
  metrics::merge(snapshot, name, help, kind,
                 {.labels = {}, .value = static_cast<double>(value), .histogram = {}});
}

void collect_memory(metrics::Snapshot& to, const MemoryLedger& ledger) {
  using enum metrics::Kind;
  add(to, "sidespan_memory_bytes",
      "What traffic holds: heads, bodies, queues and TLS of both sides.", kGauge, ledger.held());
  add(to, "sidespan_memory_limit_bytes", "The most of it, by limits.memory.", kGauge,
      ledger.limit());
}

void collect_lineage(metrics::Snapshot& to, const lineage::Registry& registry) {
  using enum metrics::Kind;
  const lineage::Registry::Counts counts = registry.counts();
  add(to, "sidespan_lineage_executions", "Turns that are open.", kGauge, counts.executions);
  add(to, "sidespan_lineage_bytes", "Memory of what calls carried, as hashes.", kGauge,
      counts.bytes);
  add(to, "sidespan_lineage_values_forgotten", "Values that there was no room for.", kCounter,
      counts.forgotten);
  add(to, "sidespan_lineage_executions_refused", "Turns that there was no room for.", kCounter,
      counts.refused);
  add(to, "sidespan_lineage_blind",
      "Bodies of which nobody saw all; for a while no text is evidence then.", kCounter,
      counts.blinded);
}

void collect_root_limit(metrics::Snapshot& to, const trace::RateLimit& limit) {
  add(to, "sidespan_traces_limited", "New traces that sampling.head.per_second left without spans.",
      metrics::Kind::kCounter, limit.refused());
}

}  // namespace

Sidecar::Sidecar(const Settings& settings, const TlsSetup& tls, OperatorLog& log,
                 report::SpanTap tap)
    : settings_(settings),
      tls_(tls),
      log_(log),
      telemetry_(settings, shares_, tls, log, std::move(tap)),
      memory_(settings.limits.memory_bytes.value_or(shares_.traffic)),
      mcp_calls_(settings.limits.mcp_calls, settings.limits.mcp_call_time),
      ingress_watch_(settings.lineage.turns.idle),
      lineage_(make_registry(settings, shares_)) {
  count([this](metrics::Snapshot& to) { collect_memory(to, memory_); });
  count([this](metrics::Snapshot& to) {
    add(to, "sidespan_log_lines_lost", "Lines of the log that nobody read in time.",
        metrics::Kind::kCounter, log_.lost());
  });
  if (lineage_) count([this](metrics::Snapshot& to) { collect_lineage(to, *lineage_); });
}

Sidecar::~Sidecar() {
  stop_workers();
  for (const auto& worker : workers_) telemetry_.forget(*worker);
  for (const Counted& counted : counted_) telemetry_.forget(counted);
}

Result<void> Sidecar::open(const Lineage& lineage) {
  const Result<std::vector<net::Address>> admin = telemetry_.listen_admin();
  if (!admin) return not_bound(kAdmin, settings_.listen.admin, admin.error());
  const Result<std::vector<net::Address>> health = telemetry_.listen_health();
  if (!health) return not_bound(kHealth, settings_.listen.health, health.error());
  std::vector<net::Address> own = *admin;
  own.insert(own.end(), health->begin(), health->end());
  if (Result<void> opened = open_workers(lineage, own); !opened) return opened;

  announce(kEgress, egress_);
  announce(kIngress, ingress_);
  announce(kAdmin, *admin);
  announce(kHealth, *health);
  telemetry_.set_ready(true);
  log_.event("ready", {});
  return {};
}

Result<void> Sidecar::open_workers(const Lineage& lineage, const std::vector<net::Address>& own) {
  options_ = proxy_options(settings_, tls_.authority, lineage);
  if (options_->root_limit) {
    count(
        [limit = options_->root_limit](metrics::Snapshot& to) { collect_root_limit(to, *limit); });
  }
  interceptor_ = std::make_unique<proxy::Interceptor>(options_->interception);
  count([this](metrics::Snapshot& to) { interceptor_->collect(to); });
  ListenAddress egress = settings_.listen.egress;
  ListenAddress ingress = settings_.listen.ingress;
  for (size_t i = 0; i < settings_.workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(settings_, options_, tls_, telemetry_, log_, memory_,
                                 proxy::Shared{connections_, memory_, mcp_calls_, lineage_.get(),
                                               ingress_watch_, *interceptor_}));
    Worker& worker = *workers_.back();
    telemetry_.watch(worker);
    worker.guard(own);
    auto opened = listen(worker, proxy::Door::kEgress, egress, egress_);
    if (opened) opened = listen(worker, proxy::Door::kIngress, ingress, ingress_);
    if (!opened) return opened;
  }
  return {};
}

Result<void> Sidecar::listen(Worker& worker, proxy::Door door, ListenAddress& wanted,
                             std::vector<net::Address>& bound) {
  if (!wanted) return {};
  const PortUse use = settings_.workers == 1 ? PortUse::kAlone
                      : bound.empty()        ? PortUse::kFirstOfMany
                                             : PortUse::kJoining;
  Result<std::vector<net::Address>> found = worker.listen(wanted, use, door);
  if (!found)
    return not_bound(door == proxy::Door::kEgress ? kEgress : kIngress, wanted, found.error());
  // Where any port was asked for, the others join the one that was found.
  wanted.addresses = *found;
  bound = std::move(*found);
  return {};
}

void Sidecar::count(Counted::Collect collect) {
  telemetry_.watch(counted_.emplace_back(std::move(collect)));
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
