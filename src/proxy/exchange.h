// One request and its answer: picks the origin, moves events between the two sides with
// back-pressure, retries by the one rule there is, answers by itself where no origin can, and ends
// in a span. Its Session owns it and tells it the agent's events; the pool tells it the origin's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent_side.h"
#include "call_lineage.h"
#include "call_trace.h"
#include "packed_body.h"
#include "sidespan/base/spares.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/event.h"
#include "sidespan/http/uri.h"
#include "sidespan/lineage/session.h"
#include "sidespan/semconv/observer.h"
#include "sidespan/wire/pool.h"
#include "tunnel.h"
#include "worker.h"

namespace sidespan::proxy {

class Exchange final : public Recycled<Exchange, 128>,
                       private wire::OriginStreamOwner,
                       private semconv::SharedCallSink {
 public:
  Exchange(Worker& worker, AgentSide& agent, http::StreamId stream, http::Head&& request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // First, and once. `asked_for`: when the tunnel was asked for that was opened for this request.
  void begin(const std::optional<Moment>& asked_for);
  // What follows the head.
  void on_agent_event(http::Event&& event);
  // The agent's connection is gone.
  void on_agent_gone();
  // A tunnel whose TLS was handed over to AgentSide::intercept(): its first request came, or none
  // will, for that reason.
  void on_inside_request();
  void on_inside_lost(semconv::Ending ending, const std::optional<Error>& error);
  // Somebody's time may be up.
  void on_timer();
  // Ends it now, whatever is under way.
  void abort(semconv::Ending ending, Error error);
  // Where memory is short nobody looks at the bodies, or any further: taps go before requests do.
  void silence_observer();
  // Ends it now for what it holds. The agent is told nothing: its connection is to be reset.
  void cut(const Error& error);

  // A tunnel of which nothing waits on the way, and that nobody looks into: its sockets could as
  // well pass their bytes to each other.
  bool may_splice() const;
  // Then: its end of that, with all that its span will tell. It is done by it.
  Tunnel::Parts splice();

  http::StreamId stream() const { return stream_; }
  // After 2xx to CONNECT, after 101.
  bool is_tunnel() const { return tunnel_; }
  // Over: the span is out, and nothing may be called but the destructor.
  bool done() const { return done_; }
  // Bytes that it keeps, or has queued for the origin, or that TLS with that one holds.
  size_t held() const {
    return charge_.bytes() + request_.headers.memory_bytes() + response_.headers.memory_bytes() +
           (trailers_ ? trailers_->memory_bytes() : 0) + held_.size() + replay_.size() +
           queued_to_origin() + held_by_origin_tls() +
           (packed_request_ ? packed_request_->held() : 0) +
           (packed_answer_ ? packed_answer_->held() : 0);
  }

 private:
  // What the exchange waits for now, since when, and how long at most.
  struct Wait {
    enum class For : uint8_t {
      kPeek,        // a tunnel's first bytes may be HTTP or TLS
      kBody,        // the rest of a request, which may tell whose call it is
      kHalfClosed,  // any byte of the answer, for an agent that has sent FIN
      kProgress,    // any byte
    };
    For what;
    MonoTime since;
    Milliseconds time_max;
  };

  // While a tunnel's first bytes decide what it is, and for its span.
  struct Opening {
    std::unique_ptr<Inside> inside;  // what it will be, if the origin lets it
    Opaque reason = Opaque::kNotTls;
    bool greeting = false;  // a TLS hello has begun
    MonoTime since = {};    // the first byte came
    size_t look_at = 0;     // bytes; with less there is nothing new to see
    bool passed = false;    // it is a tunnel, for that reason
    bool tls13 = false;     // the hello offers nothing older
    std::string server_name;
    std::vector<std::string> alpn;
    std::optional<Side> closed_by;  // whose end came first
    Chain settings;                 // what an HTTP/2 origin said before its agent did

    void close(Side side) {
      if (!closed_by) closed_by = side;
    }
    void begin(MonoTime now) {
      if (since == MonoTime{}) since = now;
    }
  };

  // exchange_target.cc: where it goes
  std::optional<Error> choose_target();
  bool asks_us_by_name() const;
  std::optional<Error> choose_inside(const Inside& inside);
  std::optional<Error> choose_named(const Inside& inside, const http::Authority& named);
  bool keeps_host() const;
  std::optional<Error> misdirection(const wire::OriginStream& origin) const;
  std::optional<Error> choose_absolute();
  static bool names_no_origin(std::string_view target);
  bool by_absolute_form() const;
  wire::PoolKey tunnel_key() const;
  size_t sidespans_passed() const;
  bool tells_way() const;
  bool answer_max_forwards();

  // exchange_request.cc: the agent's half
  void remove_context(http::Headers& trailers) const;
  void demand_credential();
  void refuse_without_span(int status, std::string body, std::string_view challenge = {});
  void connect(bool fresh);
  void on_dialled(Result<wire::OriginStreamPtr> result);
  void on_connected(wire::OriginStreamPtr stream);
  void send_request();
  void send_request_head();
  void send_request_end();
  void on_request_body(Chain&& data);
  void begin_observing();
  semconv::CallFacts call_facts();
  void show_request(std::string_view bytes);
  void take_request(Chain&& data);
  void show_answer(std::string_view bytes);
  void take_answer(Chain&& data);
  // Where somebody reads what the head says is packed.
  void begin_packed_request();
  // To its end, of which some is not read yet.
  bool is_request_here() const { return packed_request_ && packed_request_->has_end(); }
  void begin_packed_answer();
  std::unique_ptr<PackedBody> make_packed_request(size_t piece_bytes);
  std::unique_ptr<PackedBody> make_packed_answer(size_t piece_bytes);
  void forward_to_origin(Chain data);
  void on_request_end();
  void on_agent_reset(Error error);
  void keep_for_replay(const Chain& data);
  void give_up_replay();
  void on_origin_queue(size_t bytes);

  // exchange_ingress.cc: requests to the agent's server, and calls that are made for them
  std::optional<Error> choose_ingress();
  void set_ingress_host();
  CallTrace::Standing find_standing();
  void begin_serving();
  bool waits_for_events() const;
  void settle_work();
  void leave_ingress(semconv::Ending ending, lineage::CallEnd how);
  void describe_client(semconv::HttpFacts& facts, std::string& ip) const;
  // exchange_lineage.cc: whose call it is
  void begin_given();
  bool is_opaque() const;
  void make_lineage();
  static bool is_somebody_at_work(lineage::Registry& registry);
  void begin_lineage();
  bool waits_for_body() const;
  // As well as it can be by now; mostly it is.
  void place() {
    if (lineage_ || (trace_ && !trace_->decided())) place_now();
  }
  void place_now();
  void place_with(const CallTrace::Meta& meta);
  void pass_nobodys();
  void link_within();
  void link_anywhere(const lineage::Joined& joined);
  std::optional<lineage::Session> agents_session(const semconv::genai::Call& call) const;
  lineage::Call asking() const;
  const lineage::Joined* join();
  lineage::TokenSum tokens_of(const semconv::genai::Call& call) const;
  lineage::TokenSum tokens_told(const semconv::genai::Call& call) const;
  void hold_trace(const lineage::Joined& joined, uint8_t flags);
  void hold_own_trace();
  void release_own_trace();
  bool has_all_that_tells() const;
  bool waits_for_a_file() const;
  void on_body_awaited(bool in_time);
  lineage::CallEnd end_lineage(semconv::Ending ending);
  void lose_sight();
  void describe_session(trace::Span& span) const;

  // exchange_meta.cc: a body that is written into
  bool wants_meta() const;
  CallTrace::Meta meta_of_request() const;
  void write_meta();

  // exchange_tunnel.cc: CONNECT
  bool has_secured_origin();
  wire::PoolKey secured_key(const std::string& name, bool h2) const;
  std::optional<wire::PoolKey> special_key(const wire::PoolKey& usual) const;
  void open_tunnel();
  void rejoin_tunnel();
  void peek(Chain data);
  void peek_tls(std::string_view first);
  Interceptor::Asked asked_tunnel() const;
  void refuse_hello(std::string what);
  void on_hello(const tls::ClientHello& hello);
  void secure_origin(const std::string& name);
  void on_secured(Result<wire::Pool::Secured> result);
  void pass_after_all(Opaque reason);
  void dial_tunnel();
  bool is_settings(Chain& data);
  void stop_peeking() {
    if (peeking_) pass_tunnel();
  }
  // Its first bytes are to be passed, whatever they are.
  void pass_tunnel();
  void leave_tunnel();
  void take_back();

  // exchange_response.cc: the origin's half. What each kind of event takes stays out of the others'
  // way.
  void on_origin_event(http::Event&& event) override;
  void hide_alternatives(http::Headers& headers) const;
  [[gnu::noinline]] void on_interim(http::Interim&& interim);
  [[gnu::noinline]] void on_response_head(http::Head&& head);
  [[gnu::noinline]] void on_response_body(Chain&& data);
  [[gnu::noinline]] void on_response_trailers(http::Trailers&& trailers);
  void on_agent_queue(size_t bytes);
  size_t answer_room() const override {
    const size_t room = agent_.room(stream_, queued_to_agent(), options_.limits.queue_bytes_max);
    constexpr size_t kBodyBytes = Chunk::kReadBytes - Chunk::kReadHeadBytes;
    return room < kBodyBytes || answer_begun() ? room : Chunk::kReadBytes;
  }
  [[gnu::noinline]] void on_response_end();
  [[gnu::noinline]] void on_origin_reset(Error&& error);
  void retry(const Error& error);

  // exchange_calls.cc: calls of models
  class CallWatch;
  Moment moment_of(MonoTime at) const { return {at, start_.wall + (at - start_.mono)}; }
  // `how`: what http_error_type() asks for.
  void record_model(const semconv::genai::Call& call, const semconv::HttpFacts& how,
                    MonoTime start);
  std::unique_ptr<semconv::SharedCallWatcher> watch_call() override;
  void on_shared_call(const semconv::SharedCall& call) override;
  void on_calls_unread(semconv::Unread reason, size_t under_way) override;
  void on_unwatched_answer(MonoTime at) override;

  // exchange.cc: what concerns both
  // Where the error is all that came of the origin.
  static semconv::Ending ending_by(const Error& error);
  void answer_error(const Error& error, semconv::Ending ending);
  void send_answer(http::LocalAnswer answer);
  void finish_if_over();
  void finish(semconv::Ending ending, const std::optional<Error>& error);
  // Who has all of the answer, when it gives up no more than the rest of its own request.
  bool is_answered() const { return response_ended_ && !tunnel_; }
  bool deadline_has_passed() const;
  std::optional<uint32_t> grpc_status() const;
  void cut_off(bool request_read);
  int origin_status(const std::optional<Error>& error) const;
  // `last`: no attempt follows.
  void emit_span(semconv::Ending ending, const std::optional<Error>& error, bool last);
  semconv::HttpFacts facts_by_now(int status, std::string& client) const;
  void write_access_log(semconv::Ending ending, const std::optional<Error>& error);
  void end_observing(semconv::Ending ending, const std::optional<Error>& error);
  void touch() { last_activity_ = worker_.loop.now().mono; }
  Wait wait() const;
  void arm_timer();
  void give_up_half_closed(Error error);
  // What is queued for the agent's socket then.
  template <class What>
  size_t to_agent(What what) {
    return agent_.send({stream_, std::move(what)});
  }
  bool said_close(Side side) const { return tunnel_ && observer_ && observer_->said_close(side); }
  size_t queued_to_agent() const { return agent_.queued(stream_); }
  size_t queued_to_origin() const { return origin_ ? origin_->queued() : 0; }
  // By HTTP/1 the connection is its alone, and ends with it.
  size_t held_by_origin_tls() const {
    const bool alone = origin_ && origin_->protocol() != "2";
    const tls::Engine* const engine = alone ? origin_->tls() : nullptr;
    return engine != nullptr ? engine->memory_bytes() : 0;
  }
  bool answer_begun() const { return response_.status != 0; }
  // Of the URL, once begin() has found it: the path, and what stands behind it from the '?' on.
  std::string_view path() const { return std::string_view(url_.path).substr(0, path_bytes_); }
  std::string_view query() const { return std::string_view(url_.path).substr(path_bytes_); }
  Side silent_side() const;
  // Where the origin is; none behind a second proxy, whose own address says nothing of it.
  net::Address origin_address() const;

  Worker& worker_;
  const Options& options_;
  AgentSide& agent_;
  const http::StreamId stream_;
  const Inside* const inside_;  // where the request came by a tunnel; null: it did not
  const MemoryCharge charge_;   // its own size; heads and bodies count themselves

  http::Head request_;   // as the agent sent it, then as the origin gets it
  http::Head response_;  // as the agent gets it; status 0: none yet
  http::Url url_;
  size_t path_bytes_ = 0;  // of its path, without the query
  OriginBook::Use known_;  // the origin `url_` names, once it is known
  semconv::Mode mode_ = semconv::Mode::kForward;
  std::optional<CallTrace> trace_;
  std::unique_ptr<CallLineage> lineage_;  // null: nothing but its head says whose call it is
  std::unique_ptr<semconv::Observer> observer_;
  std::unique_ptr<PackedBody> packed_request_;  // null: nobody reads it, or it is plain
  std::unique_ptr<PackedBody> packed_answer_;
  lineage::IngressWatch::InFlight in_flight_;  // on the ingress, from the head's way on
  lineage::IngressWatch::Work work_;           // on egress, where there is an ingress

  std::unique_ptr<Opening> opening_;  // CONNECT alone
  std::unique_ptr<wire::Pool::Waiting> waiting_;
  wire::OriginStreamPtr origin_;
  Chain held_;                             // request body that waits for the origin
  Chain replay_;                           // request body so far, for a retry
  std::optional<http::Headers> trailers_;  // of the request
  std::optional<uint32_t> grpc_status_;

  // What came in and is not consumed yet, because the other side is full.
  size_t request_unconsumed_ = 0;
  size_t response_unconsumed_ = 0;

  uint64_t request_bytes_ = 0;
  uint64_t response_bytes_ = 0;
  Moment start_;
  MonoTime last_activity_{};
  MonoTime held_since_{};
  std::optional<MonoTime> send_started_;
  std::optional<MonoTime> sent_;
  std::optional<MonoTime> first_byte_;
  wire::DialPhases phases_;
  trace::TraceId held_trace_;  // until its span is out; none: it is not held
  net::Address peer_;

  bool grpc_ = false;          // it is a call of gRPC
  bool binds_ = false;         // authentication by it belongs to its connection
  bool repeatable_ = false;    // its method is idempotent
  bool replayable_ = false;    // replay_ is all of the request's body that was sent so far
  bool holding_ = false;       // the request waits to be whole
  bool writes_meta_ = false;   // to be written into
  bool meta_written_ = false;  // and was
  bool via_added_ = false;
  bool half_closed_ = false;  // the agent may be gone, or wait for its answer
  bool interim_seen_ = false;
  bool request_ended_ = false;
  bool response_ended_ = false;
  bool opens_at_end_ = false;  // a tunnel, once its CONNECT is read: nothing else is waited for
  bool tunnel_ = false;        // after 2xx to CONNECT, after 101
  bool peeking_ = false;       // the tunnel's first bytes have not been seen, or not enough of them
  bool handed_over_ = false;   // to the session, which has nothing under way by it
  bool tap_off_ = false;       // the observer was silenced
  bool unwatched_ = false;     // something was said that no call of a model reads
  bool probe_ = false;         // ingress.ignore names it
  bool done_ = false;
};

}  // namespace sidespan::proxy
