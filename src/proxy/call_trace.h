// The trace side of one exchange: who the parent is, whether it is sampled, the identity of each
// attempt, what is written into the headers, and the span at the end. The Exchange tells it what
// happened; it never touches traffic.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "foreign_context.h"
#include "sidespan/base/random.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/options.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/trace/propagator.h"
#include "signed_request.h"

namespace sidespan::proxy {

class CallTrace {
 public:
  // Reads the request's context and decides parent and sampling. `options` outlives this.
  CallTrace(const Options& options, const http::Head& request, const http::Url& url,
            Random& random);

  // False for what `spans.ignore` names and when tracing is off: no span, no context of ours.
  bool active() const { return active_; }
  bool sampled() const { return active_ && sampled_; }
  lineage::Source source() const { return source_; }

  // The agent's own span is the parent, and so tells what the call cost.
  bool agent_counts_itself() const;

  // What an MCP request says of its parent in `_meta`, before anything was sent: it counts more
  // than the trace headers, which are linked where they say otherwise. Nothing changes where it
  // names none, or is not listened to.
  struct Meta {
    std::string_view traceparent;
    std::string_view tracestate;
    std::string_view baggage;
  };
  void adopt_meta(const Meta& meta, Random& random);
  // The same for who reads it when the head is gone: it is linked.
  void link_meta(const Meta& meta);

  // Another attempt: a new span id in the same trace, linked to the one before.
  void next_attempt(Random& random);
  int resend_count() const { return resend_count_; }

  // Writes this attempt's context into the request's fields, as far as the destination may see it,
  // and removes what it may not. Where the destination wants a trace of its own, this begins one.
  void inject(http::Headers& headers, const DestinationRule& rule, Random& random);

  // Fills in identity and evidence; views and pointers are into this.
  void describe(semconv::HttpFacts& facts) const;
  // Of the agent's baggage and ours, by `propagation.baggage.to_attributes`.
  const std::vector<std::pair<std::string, std::string>>& further_attributes() const {
    return further_attributes_;
  }

 private:
  void extract(const http::Headers& headers);
  std::optional<trace::SpanContext> heard_in(const Meta& meta) const;
  void choose_parent(Random& random);
  void hear_sender(const lineage::Parent& parent);
  void restart(Random& random);
  void inject_into(trace::CarrierWriter& writer, const DestinationRule& rule) const;
  trace::Context with_changed_baggage(const DestinationRule& rule) const;
  void copy_baggage();

  const Options& options_;
  const trace::Sampler& sampler_;
  // What the request carried; once it is active, with this attempt's span in the place of the
  // agent's.
  trace::Context context_;
  ForeignContext foreign_;
  std::unique_ptr<const SignedFields> signed_;  // null: nothing is
  // Rare, so that most calls, of which a tunnel is one for hours, hold no room for them.
  std::unique_ptr<const trace::SpanContext> earlier_;  // the attempt before
  std::unique_ptr<const trace::SpanContext> parent_;   // in full, where one may have to be linked
  std::unique_ptr<const trace::SpanContext> left_;     // where a restarted trace came from
  std::unique_ptr<const trace::SpanContext> other_;    // who else is called the parent
  std::vector<std::pair<std::string, std::string>> further_attributes_;
  trace::SpanId parent_id_;
  bool parent_is_remote_ = false;
  lineage::Source source_ = lineage::Source::kRoot;
  const lineage::Execution* execution_ = nullptr;
  int resend_count_ = 0;
  bool active_ = false;
  bool sampled_ = false;
  bool blocked_ = false;  // a signature covers the context
};

}  // namespace sidespan::proxy
