// Telemetry and workers as one thing: what `proxy` and `run` both start, watch and stop. Belongs to
// the command's main thread; its threads are its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "app/cgroup_memory.h"
#include "app/drain.h"
#include "app/log.h"
#include "app/options.h"
#include "app/settings.h"
#include "app/telemetry.h"
#include "app/tls_setup.h"
#include "app/worker.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/lineage/ingress_watch.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/semconv/mcp_calls.h"

namespace sidespan::app {

class Sidecar {
 public:
  // Nothing listens yet. `tap` may be empty. References outlive this.
  Sidecar(const Settings& settings, const TlsSetup& tls, OperatorLog& log, report::SpanTap tap);
  ~Sidecar();  // stop_workers(), then the telemetry thread

  // Opens every listener, says so by the events of contract section 2, and is ready then. After an
  // error it may only be destroyed. Error side: kSelf.
  Result<void> open(const Lineage& lineage);
  // The first address of egress; only after open(), and not where egress is off.
  const net::Address& egress() const { return egress_.front(); }

  // No longer ready; workers serve on and measure their activity often.
  // `agents_gone`: whoever could wait for an answer has ended.
  void drain(bool agents_gone);
  Activity activity() const;
  // Ends what is under way. Its spans have reached telemetry() by then; what was counted stays in
  // its metrics.
  void stop_workers();

  Telemetry& telemetry() { return telemetry_; }

 private:
  Result<void> open_workers(const Lineage& lineage, const std::vector<net::Address>& own);
  // In the next worker. `wanted` is what others are to join then, `bound` what was bound.
  Result<void> listen(Worker& worker, proxy::Door door, ListenAddress& wanted,
                      std::vector<net::Address>& bound);
  void count(Counted::Collect collect);
  void announce(std::string_view listener, const std::vector<net::Address>& addresses);

  const Settings& settings_;
  const TlsSetup& tls_;
  OperatorLog& log_;
  const MemoryShares shares_ = memory_shares();
  Telemetry telemetry_;
  std::atomic<size_t> connections_ = 0;  // of agents, in all workers
  MemoryLedger memory_;
  semconv::McpCalls mcp_calls_;
  lineage::IngressWatch ingress_watch_;
  const std::unique_ptr<lineage::Registry> lineage_;  // null: nothing but heads is evidence
  std::shared_ptr<const proxy::Options> options_;
  std::unique_ptr<proxy::Interceptor> interceptor_;
  std::deque<Counted> counted_;  // they stay where they are
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<net::Address> egress_;
  std::vector<net::Address> ingress_;
};

}  // namespace sidespan::app
