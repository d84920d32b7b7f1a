// The calls that pass between an agent and a stdio MCP server, as spans: one for each JSON-RPC
// request, of either side, from its line to that of its answer. Gets the bytes of both directions,
// each on the thread that pumps it, and returns what is to be written for them: the same, but for
// the context in a request's `_meta` where mcp.inject_meta asks for it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/random.h"
#include "sidespan/net/pump.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/trace/sampler.h"
#include "sidespan/trace/span.h"

namespace sidespan::app {

class StdioCalls {
 public:
  using OnSpan = std::function<void(trace::Span)>;
  // `environment`: what sidespan itself was started in. `settings` outlives this. `on_span` is
  // called on either thread, and may be on both at once.
  StdioCalls(const Settings& settings, std::optional<trace::SpanContext> environment,
             Random& random, OnSpan on_span);

  // What is to be written now; a view that is good until the next call for that direction.
  std::string_view from_agent(std::string_view read);
  std::string_view from_server(std::string_view read);
  // That direction has ended: what of it is still to be written.
  std::string_view agent_ended(net::Pump::End why);
  std::string_view server_ended(net::Pump::End why);
  // Who ended the session; only the first that is told counts.
  void ended_by(semconv::Ending ending);
  // Both directions have, and somebody did it: requests without an answer get none.
  void end();

 private:
  struct Call {
    semconv::McpMessage request;
    trace::SpanContext context;
    trace::SpanId parent_id;
    std::string_view parent_source;
    bool sampled = false;
    bool by_server = false;
    Moment start;
    uint64_t progress = 0;
  };
  // What is written into a request that has just been read.
  struct Begun {
    trace::SpanContext context;
    // As the agent gave it.
    std::string baggage;
    bool tracestate_cut = false;
    bool baggage_cut = false;
  };
  // What one of the two says.
  struct Direction {
    explicit Direction(semconv::McpReader::OnMessage on_message) : lines(std::move(on_message)) {}
    semconv::McpLines lines;
    std::map<std::string, Call, std::less<>> open;  // requests of this side, by their ids
  };

  void on_message(const semconv::McpMessage& message, bool by_server);
  void begin(const semconv::McpMessage& request, bool by_server);
  void answer(Direction& asker, const semconv::McpMessage& answer);
  void cancel(Direction& asker, const std::string& id);
  static void progress(Direction& asker, const std::string& token);
  void choose_parent(Call& call);
  void finish(const Call& call, const semconv::McpMessage* answer, semconv::Ending ending);
  void set_first_end(semconv::Ending ending);
  std::string_view with_context(std::string_view read);
  void append_line(std::string_view line);

  const Settings& settings_;
  const std::optional<trace::SpanContext> environment_;
  std::shared_ptr<const trace::Sampler> sampler_;
  OnSpan on_span_;
  SystemClock clock_;

  std::mutex mutex_;  // over what follows: an answer ends what the other direction began
  Random random_;
  Direction agent_;
  Direction server_;
  std::string protocol_version_;              // of the session, once the server has chosen
  std::optional<semconv::Ending> first_end_;  // who of the two ended first

  // Of the agent's direction, where it is written into.
  std::string line_;      // the beginning of one, held until it is whole
  bool passing_ = false;  // the rest of a line that is too long to be held
  std::string written_;
  std::optional<Begun> begun_;
};

}  // namespace sidespan::app
