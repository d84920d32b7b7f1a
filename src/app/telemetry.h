// The telemetry thread: takes finished spans from workers, exports them, and answers on the admin
// and health listeners. It has its own connections, so that nothing it waits for can delay an
// agent. Made first and stopped last; `proxy` and `run` each have one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cgroup_memory.h"
#include "app/loop_thread.h"
#include "app/settings.h"
#include "app/tls_setup.h"
#include "sidespan/base/log.h"
#include "sidespan/base/metrics.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/serve/endpoint.h"

namespace sidespan::app {

// For whoever starts it and expects spans somewhere: a warning. Empty: there is a collector.
std::string_view why_nothing_is_exported(const Settings& settings);

// A heart that has not beaten for so long has stopped.
inline constexpr Milliseconds kHeartbeatAgeMax{10'000};

// What health asks of a worker; called on the telemetry thread.
class Watched {
 public:
  virtual MonoTime heartbeat() const = 0;
  virtual pid_t thread() const = 0;  // whose heart that is
  virtual void collect(metrics::Snapshot& snapshot) const = 0;

 protected:
  ~Watched() = default;
};

// Numbers for /metrics that are no worker's.
class Counted final : public Watched {
 public:
  using Collect = std::function<void(metrics::Snapshot&)>;
  explicit Counted(Collect collect) : collect_(std::move(collect)) {}
  MonoTime heartbeat() const override { return MonoTime::max(); }
  pid_t thread() const override { return 0; }
  void collect(metrics::Snapshot& snapshot) const override { collect_(snapshot); }

 private:
  Collect collect_;
};

class Telemetry {
 public:
  // `tls`: whom a collector may be signed by. `tap` may be empty. References outlive this.
  Telemetry(const Settings& settings, const MemoryShares& shares, const TlsSetup& tls, Log& log,
            report::SpanTap tap);
  ~Telemetry();  // stop()
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  // Open what is configured; empty where it is off. Error side: kSelf.
  Result<std::vector<net::Address>> listen_admin();
  Result<std::vector<net::Address>> listen_health();

  // `worker` must stay until forget().
  void watch(const Watched& worker);
  void forget(const Watched& worker);
  void set_ready(bool ready) { ready_ = ready; }

  // For WorkerSpans, and for spans of the command's own.
  net::Mailbox& mailbox() { return thread_.mailbox(); }
  report::Pipeline& pipeline();
  void emit(trace::Span span);
  // What `sampling.tail` is not to decide on before release() or its time: a run that is open.
  void hold(const trace::TraceId& id);
  void release(const trace::TraceId& id);

  // Exports what is queued within `limits`; `done` is called on the telemetry thread.
  void drain(report::DrainLimits limits, std::function<void()> done);
  // Runs after everything that was posted before; waits for it.
  report::Totals totals();
  void stop();

 private:
  struct Inside;
  // A worker whose heart had stopped when it was last looked at.
  struct Standing {
    const Watched* who;
    bool told = false;
  };

  Result<std::vector<net::Address>> listen(const ListenAddress& addresses, bool check_host,
                                           std::unique_ptr<serve::Endpoint>& endpoint);
  serve::Response answer(const serve::Request& request) const;
  bool alive() const;
  // Says in the log who stands still, and where.
  void look_for_standing();
  serve::Response metrics(const serve::Request& request) const;

  const Settings& settings_;
  Log& log_;
  LoopThread thread_;
  std::unique_ptr<Inside> inside_;  // lives on the thread
  std::atomic<bool> ready_ = false;
  mutable std::mutex watched_mutex_;
  std::vector<const Watched*> watched_;
  std::vector<Standing> standing_;
};

}  // namespace sidespan::app
