// What all sessions and exchanges of one worker share. Owned by Server::Impl; never crosses
// threads, but for the metrics, which any thread may read.
#pragma once

#include <memory>

#include "proxy_metrics.h"
#include "sidespan/base/log.h"
#include "sidespan/base/random.h"
#include "sidespan/net/loop.h"
#include "sidespan/proxy/options.h"
#include "sidespan/trace/span.h"
#include "sidespan/wire/pool.h"

namespace sidespan::proxy {

struct Worker {
  net::Loop& loop;
  wire::Pool& pool;
  Random random;
  trace::SpanSink& sink;
  Log& log;
  std::shared_ptr<const Options> options;
  ProxyMetrics metrics;
  size_t exchanges = 0;  // under way
  bool draining = false;
};

}  // namespace sidespan::proxy
