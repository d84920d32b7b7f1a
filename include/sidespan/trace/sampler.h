// Head sampling: whether a call is recorded, decided before it is made, and the context it goes on
// with. Samplers by their OTEL_TRACES_SAMPLER names; the ratio follows OpenTelemetry's consistent
// probability sampling (probability.h). Pure: randomness and the clock are given. Used by proxy and
// app; the tail sampler is report's.
#pragma once

#include <memory>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/random.h"
#include "sidespan/trace/context.h"
#include "sidespan/trace/rate_limit.h"

namespace sidespan::trace {

struct SamplingDecision {
  bool sampled = false;
  TraceState tracestate;  // what the call goes on with: the parent's, `ot` brought up to date
};

// Decides by trace id and parent alone, so every hop of a trace comes to the same answer. May be
// called from several threads.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // `parent` is nullptr for a root, else valid. `trace_id` is the one the call will have.
  virtual SamplingDecision decide(TraceId trace_id, const SpanContext* parent) const = 0;
};

// always_on, always_off, traceidratio, and parentbased_ before each of them; case is ignored.
// `ratio` is for traceidratio: 0 never, 1 always, the threshold rounded to 4 significant hex
// digits. `tells_always`: always_on writes `th:0`, so that who samples once more can tell a share
// of all from a share of nobody knows what. Error kInvalid when the name is unknown, the ratio is
// outside [0, 1], or the sampler needs a remote service (jaeger_remote, xray).
Result<std::unique_ptr<Sampler>> make_sampler(std::string_view name, double ratio = 1.0,
                                              bool tells_always = false);

// The same but for roots: of those that `sampler` would keep, so many a second as `limit` has. They
// go without `th`, since nobody knows how probable they were. `clock` outlives the sampler.
std::unique_ptr<Sampler> limit_roots(std::unique_ptr<Sampler> sampler,
                                     std::shared_ptr<RateLimit> limit, const Clock& clock);

// The context of a new call. `sampled` equals context.sampled(): a span exists exactly then.
struct StartedContext {
  SpanContext context;
  bool sampled = false;
};

// The span id is always new. A child keeps trace id, random flag and tracestate; a root gets a
// random trace id and the random flag. All flags but these and sampled are 0. `parent` may be
// nullptr or invalid; with trust_incoming false it is treated as if it were, and the trace
// restarts.
StartedContext start_span_context(const SpanContext* parent, const Sampler& sampler, Random& random,
                                  bool trust_incoming = true);

// The same for what formats other than W3C's can ask beside their parent, or without one. kDrop and
// kDebug decide whatever the sampler says; an undecided parent is decided on as a root is. A root
// goes into `trace`, where there is one, without the random flag.
StartedContext start_span_context(const SpanContext* parent, Asked asked, TraceId trace,
                                  const Sampler& sampler, Random& random);
// The same for a call whose span id was made before.
StartedContext start_span_context(SpanId span, const SpanContext* parent, Asked asked,
                                  TraceId trace, const Sampler& sampler, Random& random);

}  // namespace sidespan::trace
