#include "app/run_root.h"

#include <array>
#include <cstring>
#include <string_view>

#include "app/child_status.h"
#include "app/environment.h"
#include "app/head_sampling.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::app {
namespace {

namespace attribute = semconv::attribute;

// What we were started in, baggage included. An environment speaks W3C only, whatever is
// configured.
trace::Context inherited(const std::vector<std::string>& own) {
  const trace::PropagatorRegistry registry;
  const std::array<std::string, 2> formats = {"tracecontext", "baggage"};
  trace::Context context;
  trace::CompositePropagator(registry, formats).extract(trace::EnvironmentCarrier(own), context);
  return context;
}

bool environment_counts(const Settings& settings) {
  return (settings.context_sources >> static_cast<unsigned>(lineage::Source::kEnvironment) & 1U) !=
         0;
}

std::string error_type(const net::ProcessExit& exit) {
  if (exit.signal == 0) return std::to_string(exit.status);
  const char* name = ::sigabbrev_np(exit.signal);
  return name == nullptr ? "signal " + std::to_string(exit.signal) : std::string("SIG") + name;
}

}  // namespace

RunRoot open_run(const Settings& settings, const std::string& command,
                 const std::vector<std::string>& own, Random& random) {
  RunRoot root;
  root.executable = command.substr(command.find_last_of('/') + 1);
  root.context = inherited(own);
  if (!settings.tracing) {
    root.id = trace::SpanId::make(random).to_string();
    return root;
  }
  root.parent = environment_counts(settings) ? inherited_context(own) : std::nullopt;
  const HeadSampling sampling(settings.sampling);
  trace::StartedContext started =
      trace::start_span_context(root.parent ? &*root.parent : nullptr, *sampling.sampler, random);
  root.sampled = started.sampled;
  root.context.span = std::move(started.context);
  root.id = root.context.span.span_id.to_string();
  root.lineage.environment = root.parent;
  root.lineage.run = lineage::Execution{
      .id = root.id, .fixed_by = lineage::Source::kListener, .context = root.context.span};
  return root;
}

trace::Span close_run(const RunRoot& root, const trace::AttributeLimits& limits,
                      const RunEnd& end) {
  trace::Span span(limits);
  span.context = root.context.span;
  if (root.parent) {
    span.parent_id = root.parent->span_id;
    span.parent_is_remote = true;
  }
  span.kind = trace::SpanKind::kInternal;
  span.name = root.executable;
  span.start = end.began.wall;
  span.duration = end.ended - end.began.mono;
  trace::Attributes& attributes = span.attributes;
  attributes.set(attribute::kProcessExecutableName, std::string_view(root.executable));
  attributes.set(attribute::kProcessPid, int64_t{end.pid});
  attributes.set(attribute::kProcessExitCode, int64_t{exit_status(end.exit)});
  const lineage::Source source =
      root.parent ? lineage::Source::kEnvironment : lineage::Source::kRoot;
  attributes.set(attribute::kParentSource, lineage::name_of(source));
  attributes.set(attribute::kExecutionId, std::string_view(root.id));
  attributes.set(attribute::kExecutionSource, lineage::name_of(lineage::Source::kListener));
  if (exit_status(end.exit) != 0) {
    span.status = trace::SpanStatus::kError;
    attributes.set(attribute::kErrorType, std::string_view(error_type(end.exit)));
  }
  return span;
}

}  // namespace sidespan::app
