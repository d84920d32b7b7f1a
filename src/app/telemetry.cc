#include "app/telemetry.h"

#include <algorithm>
#include <utility>

#include "app/bind.h"
#include "app/options.h"
#include "app/process_metrics.h"
#include "app/thread_stack.h"
#include "app/tls_setup.h"
#include "app/version.h"
#include "sidespan/net/timer.h"
#include "sidespan/report/metrics_text.h"
#include "sidespan/wire/dialer.h"
#include "sidespan/wire/pool.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kWatchEvery{5000};
constexpr Milliseconds kStackPatience{200};

bool stands(const Watched& worker, MonoTime now) {
  return worker.heartbeat() < now - kHeartbeatAgeMax;
}

}  // namespace

struct Telemetry::Inside {
  Inside(net::Loop& loop, const Settings& settings, const MemoryShares& shares, const TlsSetup& tls,
         Log& log, report::SpanTap tap, std::function<void()> look)
      : client_tls(client_context(settings, tls)),
        dialer(
            loop, settings.limits.dialer,
            [](std::string_view, const net::Address&) { return std::nullopt; }, client_tls.get()),
        pool(loop, dialer, settings.limits.pool),
        pipeline(loop, pool, Random::from_system(), log, pipeline_options(settings, shares),
                 std::move(tap)),
        watch(loop, std::move(look)) {
    watch.start(kWatchEvery, true);
  }

  std::unique_ptr<tls::ClientContext> client_tls;
  wire::Dialer dialer;
  wire::Pool pool;
  report::Pipeline pipeline;
  std::unique_ptr<serve::Endpoint> admin;
  std::unique_ptr<serve::Endpoint> health;
  net::Timer watch;
};

namespace {

serve::Response text(int status, std::string body) {
  serve::Response response;
  response.status = status;
  response.body = std::move(body) + "\n";
  return response;
}

// A page of another site can make a browser ask our loopback address, but not under these names.
std::vector<std::string> loopback_names(const std::vector<net::Address>& addresses) {
  std::vector<std::string> names = {"localhost"};
  for (const net::Address& address : addresses) names.push_back(address.ip());
  return names;
}

}  // namespace

std::string_view why_nothing_is_exported(const Settings& settings) {
  if (!settings.tracing) return "tracing is off: OTEL_SDK_DISABLED is set";
  if (settings.exporting.endpoint) return "";
  return settings.exporting.decided
             ? "nothing is exported: spans are counted and dropped"
             : "no exporter is configured: spans are counted and dropped until "
               "export.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT names a collector";
}

Telemetry::Telemetry(const Settings& settings, const MemoryShares& shares, const TlsSetup& tls,
                     Log& log, report::SpanTap tap)
    : settings_(settings), log_(log), thread_("telemetry", LoopThread::Rank::kBehind) {
  thread_.call([&] {
    inside_ = std::make_unique<Inside>(thread_.loop(), settings, shares, tls, log, std::move(tap),
                                       [this] { look_for_standing(); });
  });
}

Telemetry::~Telemetry() {
  stop();
}

void Telemetry::stop() {
  if (!inside_) return;
  thread_.call([this] { inside_.reset(); });
  thread_.stop();
}

Result<std::vector<net::Address>> Telemetry::listen_admin() {
  const auto& addresses = settings_.listen.admin.addresses;
  const bool check_host = std::ranges::all_of(addresses, &net::Address::is_loopback);
  return listen(settings_.listen.admin, check_host, inside_->admin);
}

Result<std::vector<net::Address>> Telemetry::listen_health() {
  return listen(settings_.listen.health, false, inside_->health);
}

Result<std::vector<net::Address>> Telemetry::listen(const ListenAddress& addresses, bool check_host,
                                                    std::unique_ptr<serve::Endpoint>& endpoint) {
  Result<std::vector<net::Address>> bound;
  if (!addresses) return bound;
  serve::Endpoint::Options options = settings_.limits.serve;
  if (check_host) options.hosts = loopback_names(addresses.addresses);
  thread_.call([&] {
    const auto bind = [&](const net::Address& address) {
      if (!endpoint) {
        endpoint = std::make_unique<serve::Endpoint>(
            thread_.loop(), log_, options,
            [this](const serve::Request& request) { return answer(request); });
      }
      return endpoint->listen(address);
    };
    bound = bind_all(addresses, {.bind = bind, .undo = [&] { endpoint.reset(); }});
  });
  return bound;
}

void Telemetry::watch(const Watched& worker) {
  const std::scoped_lock lock(watched_mutex_);
  watched_.push_back(&worker);
}

void Telemetry::forget(const Watched& worker) {
  const std::scoped_lock lock(watched_mutex_);
  std::erase(watched_, &worker);
  std::erase_if(standing_, [&](const Standing& one) { return one.who == &worker; });
}

report::Pipeline& Telemetry::pipeline() {
  return inside_->pipeline;
}

void Telemetry::emit(trace::Span span) {
  thread_.mailbox().post([this, span = std::move(span)] { inside_->pipeline.accept({&span, 1}); });
}

void Telemetry::hold(const trace::TraceId& id) {
  thread_.mailbox().post([this, id] { inside_->pipeline.hold(id); });
}

void Telemetry::release(const trace::TraceId& id) {
  thread_.mailbox().post([this, id] { inside_->pipeline.release(id); });
}

void Telemetry::drain(report::DrainLimits limits, std::function<void()> done) {
  thread_.mailbox().post([this, limits, done = std::move(done)]() mutable {
    inside_->pipeline.drain(limits, std::move(done));
  });
}

report::Totals Telemetry::totals() {
  report::Totals totals;
  thread_.call([&] { totals = inside_->pipeline.totals(); });
  return totals;
}

serve::Response Telemetry::answer(const serve::Request& request) const {
  const bool known =
      request.path == "/healthz" || request.path == "/readyz" || request.path == "/metrics";
  if (!known) return text(404, "there is /healthz, /readyz and /metrics");
  if (!request.head.asks("GET") && !request.head.asks("HEAD")) {
    serve::Response refused = text(405, "this can only be read");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  if (request.path == "/metrics") return metrics(request);
  if (request.path == "/readyz") return ready_ ? text(200, "ready") : text(503, "not ready");
  return alive() ? text(200, "alive") : text(503, "a worker does not respond");
}

bool Telemetry::alive() const {
  const MonoTime now = SystemClock().now().mono;
  const std::scoped_lock lock(watched_mutex_);
  return std::ranges::none_of(watched_,
                              [&](const Watched* worker) { return stands(*worker, now); });
}

// Who stands still at two looks one after the other: after the machine has slept, or this process
// was held up as a whole, everybody seems to at the first.
void Telemetry::look_for_standing() {
  inside_->watch.start(kWatchEvery, true);
  const MonoTime now = SystemClock().now().mono;
  const std::scoped_lock lock(watched_mutex_);
  for (const Watched* worker : watched_) {
    const auto known = std::ranges::find(standing_, worker, &Standing::who);
    if (!stands(*worker, now)) {
      if (known != standing_.end()) standing_.erase(known);
    } else if (known == standing_.end()) {
      standing_.push_back({.who = worker});
    } else if (!std::exchange(known->told, true)) {
      const auto silent = std::chrono::floor<std::chrono::seconds>(now - worker->heartbeat());
      const std::string stack = stack_of(worker->thread(), kStackPatience);
      log_.write(LogLevel::kError, "a worker does not come back",
                 {{"side", name_of(Side::kSelf)},
                  {"seconds", std::to_string(silent.count())},
                  {"stack", stack.empty() ? "it does not say where it is" : stack}});
    }
  }
}

serve::Response Telemetry::metrics(const serve::Request& request) const {
  metrics::Snapshot snapshot;
  inside_->pipeline.collect(snapshot);
  {
    const std::scoped_lock lock(watched_mutex_);
    for (const Watched* worker : watched_) worker->collect(snapshot);
  }
  metrics::merge(snapshot, "sidespan_build_info", "The running version.", metrics::Kind::kGauge,
                 {.labels = {{"version", std::string(version())}}, .value = 1, .histogram = {}});
  collect_process(snapshot);
  report::MetricsText rendered =
      report::metrics_text(snapshot, request.head.headers.find("accept").value_or(""));
  serve::Response response;
  response.content_type = std::move(rendered.content_type);
  response.body = std::move(rendered.body);
  return response;
}

}  // namespace sidespan::app
