// One worker thread: the proxy with its loop, its connections to origins and its listeners.
// Several workers share one port. Made, drained and stopped by a command's main thread; health
// looks at it through Watched.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "app/drain.h"
#include "app/loop_thread.h"
#include "app/telemetry.h"
#include "app/time_watch.h"
#include "app/tls_setup.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/proxy/options.h"
#include "sidespan/proxy/server.h"

namespace sidespan::app {

// How a worker takes a port.
enum class PortUse : uint8_t {
  kAlone,        // the only worker
  kFirstOfMany,  // others will join; a port that somebody has already is an error nevertheless
  kJoining,
};

class Worker final : public Watched {
 public:
  // `memory` is that of `shared`. References outlive this.
  Worker(const Settings& settings, std::shared_ptr<const proxy::Options> options,
         const TlsSetup& tls, Telemetry& telemetry, Log& log, MemoryLedger& memory,
         const proxy::Shared& shared);
  ~Worker();  // stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Never dialled for an agent. Before listen().
  void guard(const std::vector<net::Address>& own);
  // Error side: kSelf.
  Result<std::vector<net::Address>> listen(const ListenAddress& where, PortUse use,
                                           proxy::Door door);

  // Serves on, but takes no connection to the agent's server, keeps no idle one to origins, and
  // measures its activity often.
  void drain(bool agents_gone);
  // Ends every exchange now, and the thread. The last spans are in telemetry's mailbox by then.
  void stop();

  // Any thread.
  Activity activity() const;
  MonoTime heartbeat() const override { return MonoTime(MonoTime::duration(heartbeat_)); }
  pid_t thread() const override { return thread_.id(); }
  void collect(metrics::Snapshot& snapshot) const override;

 private:
  struct Inside;

  void pulse();
  // What listeners closed for lack of descriptors and the server did for lack of memory.
  void look_for_losses();
  // Lets go of traffic until the ledger is content.
  void let_go();

  Log& log_;
  std::shared_ptr<const proxy::Options> options_;
  LoopThread thread_;
  std::atomic<MonoTime::rep> heartbeat_;
  std::atomic<size_t> busy_ = 0;
  std::atomic<size_t> connections_ = 0;
  std::atomic<uint64_t> requests_ = 0;
  std::atomic<uint64_t> looks_ = 0;
  std::atomic<uint64_t> shed_ = 0;
  TimeWatch time_;
  mutable std::mutex collect_mutex_;  // over the two below: health may ask while the worker ends
  std::unique_ptr<Inside> inside_;    // lives on the thread
  metrics::Snapshot last_;            // what was counted until stop()
};

}  // namespace sidespan::app
