// For tests of MCP's observers: exchanges of one sidecar, said as texts, and what becomes of them.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/http/message.h"
#include "sidespan/http/uri.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/semconv/observer.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct McpEnded final : McpCallSink {
  struct One {
    trace::Span span;
    Ending ending;
  };
  void on_call(trace::Span&& span, Ending ending) override {
    spans.push_back({std::move(span), ending});
  }
  void on_call_left_out() override { ++left_out; }

  // "tools/call add 7 complete 30ms error=tool_error", in the order of their ends.
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const One& one : spans) {
      const trace::Attributes& attributes = one.span.attributes;
      CHECK(attributes.text("sidespan.end") == name_of(one.ending));
      std::string line = one.span.name;
      line.append(" ").append(attributes.text("jsonrpc.request.id"));
      line.append(" ").append(name_of(one.ending)).append(" ");
      line.append(
          std::to_string(std::chrono::duration_cast<Milliseconds>(one.span.duration).count()));
      line.append("ms");
      const std::string_view error = attributes.text("error.type");
      CHECK(error.empty() == (one.span.status != trace::SpanStatus::kError));
      if (!error.empty()) line.append(" error=").append(error);
      out.push_back(std::move(line));
    }
    return out;
  }

  std::vector<One> spans;
  int left_out = 0;
};

// One request and its answer. Times are milliseconds since the rig's start.
class McpExchange {
 public:
  struct Rig {
    explicit Rig(size_t calls_max = 100) : calls(calls_max, Milliseconds(1000)) {}
    static MonoTime at(int ms) { return MonoTime{} + Milliseconds(1'000'000 + ms); }

    McpEnded ended;
    McpCalls calls;
    Random random{7};
    bool sampled = true;
    std::vector<std::string> redact;  // capture.redact
    size_t piece = 0;                 // bytes; 0: whole
  };

  McpExchange(Rig& rig, const std::string& method, const std::string& url, const Fields& fields,
              int ms = 0)
      : rig_(rig), url_(*http::parse_url(url)), start_{Rig::at(ms), WallTime(Milliseconds(ms))} {
    request_.set_method(method);
    for (const auto& [name, value] : fields) REQUIRE(request_.headers.add(name, value));
    options_.redact = rig.redact;
    observer_ = make_request_observer(facts(), options_);
  }

  void say(std::string_view body, int ms) {
    if (!observer_) return;
    in_pieces(body, [&](std::string_view part) { observer_->on_request_bytes(part, Rig::at(ms)); });
    observer_->on_request_end();
  }
  void answer(int status, const Fields& fields, int ms) {
    response_.status = status;
    for (const auto& [name, value] : fields) REQUIRE(response_.headers.add(name, value));
    if (observer_) {
      observer_->on_response_head(response_, Rig::at(ms));
    } else {
      observer_ = make_response_observer(facts(), response_);
    }
  }
  void hear(std::string_view body, int ms) {
    if (!observer_) return;
    in_pieces(body,
              [&](std::string_view part) { observer_->on_response_bytes(part, Rig::at(ms)); });
  }
  // The exchange's span, whose children are in the rig by then, or wait there.
  trace::Span end(int ms, Ending ending = Ending::kComplete,
                  const std::optional<Error>& error = {}) {
    HttpFacts facts;
    const trace::SpanContext context{trace::TraceId::make(rig_.random),
                                     trace::SpanId::make(rig_.random),
                                     trace::kSampledFlag,
                                     {}};
    facts.context = &context;
    facts.parent_source = "wire";
    facts.request = &request_;
    facts.url = &url_;
    facts.response = response_.status != 0 ? &response_ : nullptr;
    facts.start = start_;
    facts.end = Rig::at(ms);
    facts.ending = ending;
    facts.error = error ? &*error : nullptr;
    trace::Span span = make_http_span(facts, {});
    if (!observer_) return span;
    using End = Observer::End;
    observer_->on_end(facts.error                         ? End::kBroken
                      : ending == Ending::kComplete       ? End::kWhole
                      : ending == Ending::kAgentCancelled ? End::kCancelled
                                                          : End::kBroken,
                      facts.end);
    observer_->describe(span);
    HttpSpanOptions options;
    options.redact_query = rig_.redact;
    if (rig_.sampled) observer_->emit_calls(facts, options, rig_.random);
    observer_.reset();
    return span;
  }
  // Nobody looks any longer.
  void silence() {
    observer_->on_silenced();
    observer_.reset();
  }
  bool is_mcp() const { return observer_ && observer_->is_mcp(); }

 private:
  CallFacts facts() const {
    return {.request = request_,
            .url = url_,
            .start = start_,
            .sampled = rig_.sampled,
            .mcp_calls = &rig_.calls,
            .mcp_sink = &rig_.ended};
  }
  template <typename Take>
  void in_pieces(std::string_view text, Take take) {
    const size_t step = rig_.piece == 0 ? text.size() : rig_.piece;
    for (size_t at = 0; at < text.size(); at += step) take(text.substr(at, step));
  }

  Rig& rig_;
  const http::Url url_;
  const Moment start_;
  http::Head request_;
  http::Head response_;
  ObserverOptions options_;  // outlives the observer
  std::unique_ptr<Observer> observer_;
};

}  // namespace sidespan::semconv
