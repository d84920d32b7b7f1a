// Settings as the Options of the rooms below, so that none of them knows the configuration. Pure;
// the commands call it once at start. Limits that a room takes as they are (pool, dialer, serve)
// need no function: they stand ready in Settings::limits.
#pragma once

#include <memory>
#include <optional>

#include "app/cgroup_memory.h"
#include "app/settings.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/proxy/options.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/tls/authority.h"
#include "sidespan/trace/context.h"

namespace sidespan::app {

// What a proxy knows about parents beside the requests themselves.
struct Lineage {
  std::optional<lineage::Execution> run;          // the run whose private listener this is
  std::optional<trace::SpanContext> environment;  // inherited_context() of environment.h
};

// `authority` may be null.
std::shared_ptr<const proxy::Options> proxy_options(const Settings& settings,
                                                    std::shared_ptr<const tls::Authority> authority,
                                                    Lineage lineage);

// What all workers know of the executions under way. Null: nothing but heads is to be evidence, or
// nothing could be the evidence of.
std::unique_ptr<lineage::Registry> make_registry(const Settings& settings,
                                                 const MemoryShares& shares);

// `host` is empty where none is set.
wire::SecondProxy second_proxy(const EgressSettings& egress);

// Resource, batch and exporter; no exporter where none is configured.
report::PipelineOptions pipeline_options(const Settings& settings, const MemoryShares& shares);

}  // namespace sidespan::app
