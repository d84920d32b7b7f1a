// What all sessions and exchanges of one worker share. Owned by Server::Impl; never crosses
// threads, but for the metrics, which any thread may read.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "ignored_paths.h"
#include "origin_book.h"
#include "proxy_metrics.h"
#include "sidespan/base/log.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/random.h"
#include "sidespan/lineage/target_memo.h"
#include "sidespan/net/loop.h"
#include "sidespan/proxy/options.h"
#include "sidespan/proxy/server.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/trace/span.h"
#include "sidespan/wire/pool.h"

namespace sidespan::proxy {

// One connection among those of the process, while it lives.
class Place {
 public:
  explicit Place(std::atomic<size_t>& taken)
      : taken_(&taken), others_(taken.fetch_add(1, std::memory_order_relaxed)) {}
  Place(Place&& other) noexcept
      : taken_(std::exchange(other.taken_, nullptr)), others_(other.others_) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
  }

  // How many there were before it.
  size_t others() const { return others_; }

 private:
  std::atomic<size_t>* taken_;
  size_t others_;
};

struct Worker {
  net::Loop& loop;
  wire::Pool& pool;
  Random random;
  trace::SpanSink& sink;
  Log& log;
  std::shared_ptr<const Options> options;
  ProxyMetrics metrics;
  OriginBook origins;
  const IgnoredPaths ignored;  // of `options`
  const Shared shared;         // with all workers
  semconv::McpCallSink& mcp_sink;
  lineage::TargetMemo targets;
  size_t exchanges = 0;  // under way
  bool draining = false;
  bool agents_gone = false;  // who has sent FIN waits for nothing
};

}  // namespace sidespan::proxy
