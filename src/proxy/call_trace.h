// The trace side of one exchange: who the parent is, whether it is sampled, the identity of each
// attempt, what is written into the headers, and the span at the end. The Exchange tells it what
// happened; it never touches traffic. First it reads what the request's head says; once what its
// body says is known, or cannot be waited for, decide() makes it a call in a trace.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "foreign_context.h"
#include "sidespan/base/random.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/options.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/trace/propagator.h"
#include "signed_request.h"

namespace sidespan::proxy {

class CallTrace {
 public:
  // What is known of a request beside what it says of its trace.
  struct Standing {
    bool served = false;                  // it goes to the agent's own server, and is an execution
    bool ignored = false;                 // it gets no span and no context
    std::string_view authorization = {};  // its field of that name
    bool has_query = true;                // its URL may have one
    std::shared_ptr<const lineage::Execution> credential = nullptr;  // null: none
    // The request to the agent's server that it is made for; null: not known.
    std::shared_ptr<const lineage::Execution> ingress = nullptr;
  };
  // Reads the request's context. `options` outlives this.
  CallTrace(const Options& options, const http::Head& request, const http::Url& url,
            Standing&& standing, Random& random);

  // False for what is ignored and when tracing is off: no span, no context of ours.
  bool active() const { return active_; }
  // Until it is decided: it may be.
  bool sampled() const { return active_ && (sampled_ || !decided_); }
  lineage::Source source() const { return source_; }
  // What the request's fields begin with that http::FieldName does not know.
  const semconv::FieldBeginnings& beginnings() const { return foreign_.beginnings(); }
  // Nothing that is said on the wire names the parent, so that others may tell.
  bool is_open() const { return active_ && source_ != lineage::Source::kWire; }
  const std::shared_ptr<const lineage::Execution>& credential() const { return credential_; }
  // What calls belong to that are made for a request to the agent's server, once it is decided;
  // null: it has no span. Another one when inject() began a new trace.
  const std::shared_ptr<const lineage::Execution>& execution() const { return ingress_; }
  bool hears_meta() const {
    return (options_.context_sources & bit_of(lineage::Source::kMcpMeta)) != 0;
  }

  // The agent's own span is the parent, and so tells what the call cost.
  bool agent_counts_itself() const;

  // What an MCP request says of its parent in `_meta`. It counts more than the trace headers, which
  // are linked where they say otherwise; nothing where it names none, or is not listened to.
  struct Meta {
    std::string_view traceparent;
    std::string_view tracestate;
    std::string_view baggage;
  };
  // Fills in what it takes to find the execution that the call belongs to.
  void ask(lineage::Call& call, const lineage::HashKey& key, Random& random);
  // The trace that the request names, as a scope; zero: none, or the call may leave it.
  uint64_t named_scope(const lineage::HashKey& key) const;
  // Fills in what it takes to find the calls of that trace that this has to do with; decided(). Of
  // a call that names none: those of any.
  void ask_within(lineage::Call& call, const lineage::HashKey& key) const;
  // The same of calls that do not name it, and so are found by what else is known of the agent.
  void ask_around(lineage::Call& call, const lineage::HashKey& key) const;
  // Parent and sampling, before the context is sent; once. Null: nobody was asked.
  void decide(const lineage::Joined* joined, const Meta& meta, Random& random);
  bool decided() const { return decided_ || !active_; }
  // What came to light when the head was gone: it is the parent where that is in the same trace,
  // else it is linked.
  void join_late(const lineage::Joined& joined);
  void link_meta(const Meta& meta);
  void link(const lineage::SpanRef& ref);
  const trace::SpanContext& span() const { return context_.span; }
  bool is_child_of(trace::SpanId span) const { return parent_id_ == span; }
  uint8_t flags() const { return context_.span.flags; }
  // As it is sent on.
  std::string tracestate() const { return context_.span.tracestate.to_header(); }

  // Another attempt: a new span id in the same trace, linked to the one before.
  void next_attempt(Random& random);
  // The same within one span, as a server's is.
  void repeat() { ++resend_count_; }
  int resend_count() const { return resend_count_; }

  // Writes this attempt's context into the request's fields, as far as the destination may see it,
  // and removes what it may not. Where the destination wants a trace of its own, this begins one.
  void inject(http::Headers& headers, const DestinationRule& rule, Random& random);

  trace::SpanId parent_id() const { return parent_id_; }
  bool parent_is_remote() const { return parent_is_remote_; }
  // A signature covers it, and it went on as it came.
  bool context_blocked() const { return blocked_; }
  // Adds what only some calls have: execution, turn, links. Views and pointers are into this.
  void describe(semconv::HttpFacts& facts) const {
    if (execution_ != nullptr) {
      facts.execution_id = execution_->id;
      facts.execution_source = lineage::name_of(execution_->fixed_by);
    }
    if (rare_) describe_rare(facts);
  }
  // Of the agent's baggage and ours, by `propagation.baggage.to_attributes`.
  std::span<const std::pair<std::string, std::string>> further_attributes() const {
    if (!rare_) return {};
    return rare_->further_attributes;
  }
  // Those of baggage alone.
  lineage::Told told_baggage() const;

 private:
  void describe_rare(semconv::HttpFacts& facts) const;
  void extract(const http::Headers& headers);
  lineage::Evidence known_beside_wire() const;
  // Of calls with that parent and execution, either of which may be null.
  static lineage::Scope scope_of(const lineage::Parent& parent, const lineage::HashKey& key);
  std::optional<trace::SpanContext> heard_in(const Meta& meta) const;
  void hear_head();
  void become_execution();
  void hear_sender(bool has_parent);
  void forget_hints();
  const trace::SpanContext* named_parent() const;
  void adopt(const lineage::Joined& joined);
  void start(const trace::SpanContext* parent, Random& random);
  void restart(Random& random);
  bool sends_traceparent_alone(const http::Headers& headers, const DestinationRule& rule) const;
  void inject_into(trace::CarrierWriter& writer, const DestinationRule& rule) const;
  void write(const trace::Context& sent, trace::Parts parts, bool some_baggage,
             trace::CarrierWriter& writer) const;
  trace::Context with_changed_baggage(const DestinationRule& rule) const;
  void copy_baggage();
  void leave_ingress();

  const Options& options_;
  const trace::Sampler& sampler_;
  // What the request carried; once it is active, with this attempt's span in the place of the
  // agent's.
  trace::Context context_;
  ForeignContext foreign_;
  std::unique_ptr<const SignedFields> signed_;  // null: nothing is
  trace::TraceId own_trace_;                    // where it is a root
  trace::SpanId own_id_;                        // of the first attempt
  trace::SpanId parent_id_;
  struct Turn {
    std::string id;
    uint32_t step = 0;
    lineage::Source fixed_by{};
    bool is_turn = true;  // else a request on the ingress
  };
  // So that most calls, of which a tunnel is one for hours, hold no room for it.
  struct Rare {
    std::optional<trace::SpanContext> earlier;  // the attempt before
    std::optional<trace::SpanContext> parent;   // in full, where one may have to be linked
    std::optional<trace::SpanContext> left;     // where a restarted trace came from
    std::vector<trace::SpanContext> links;  // who else is called the parent, or has to do with it
    std::vector<std::pair<std::string, std::string>> further_attributes;
    std::optional<Turn> turn;
  };
  Rare& rare() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  std::unique_ptr<Rare> rare_;
  bool parent_is_remote_ = false;
  lineage::Source source_ = lineage::Source::kRoot;
  std::shared_ptr<const lineage::Execution> credential_;
  std::shared_ptr<const lineage::Execution> ingress_;  // what it is made for, or what it is
  const lineage::Execution* execution_ = nullptr;
  int resend_count_ = 0;
  const bool served_;
  bool active_ = false;
  bool decided_ = false;
  bool sampled_ = false;
  bool hands_on_ = false;  // the baggage of what it is made for
  bool blocked_ = false;   // a signature covers the context
};

}  // namespace sidespan::proxy
