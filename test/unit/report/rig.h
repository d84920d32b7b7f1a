// A pipeline with real sockets on one loop, and a collector that answers as scripted.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/http/inflate.h"
#include "sidespan/report/pipeline.h"
#include "sidespan/wire/dialer.h"
#include "sidespan/wire/pool.h"
#include "support/scripted_origin.h"

namespace sidespan::report {

class RecordingLog final : public Log {
 public:
  void write(LogLevel, std::string_view message, std::initializer_list<LogField> fields) override {
    std::string line(message);
    for (const LogField& field : fields)
      line.append(" ").append(field.key).append("=").append(field.value);
    lines.push_back(std::move(line));
  }
  bool enabled(LogLevel) const override { return true; }

  size_t count(std::string_view part) const {
    return static_cast<size_t>(std::ranges::count_if(
        lines, [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }

  std::vector<std::string> lines;
};

inline trace::Span make_span(uint64_t id, size_t name_bytes = 4) {
  trace::Span span;
  span.context.trace_id = {1, 2};
  span.context.span_id = {id};
  span.name.assign(name_bytes, 'n');
  return span;
}

struct Rig {
  using Origin = support::ScriptedOrigin;

  net::Loop loop;
  RecordingLog log;
  Origin origin{loop};
  wire::Dialer dialer{loop, {}, [](std::string_view, const net::Address&) { return std::nullopt; }};
  wire::Pool pool{loop, dialer, {}};
  PipelineOptions options = fast_options();
  std::unique_ptr<Pipeline> pipeline;
  uint64_t given = 0;

  // Batches and retries wait briefly; attempts do not end before their time on a busy machine.
  PipelineOptions fast_options() {
    PipelineOptions fast;
    fast.batch.delay = Milliseconds(5);
    fast.otlp.emplace();
    fast.otlp->host = "127.0.0.1";
    fast.otlp->port = origin.port();
    fast.otlp->user_agent = "sidespan-test";
    fast.otlp->timeout = Milliseconds(10'000);
    fast.otlp->retry.backoff_start = Milliseconds(5);
    fast.otlp->retry.backoff_max = Milliseconds(20);
    return fast;
  }

  void start(SpanTap tap = {}) {
    pipeline = std::make_unique<Pipeline>(loop, pool, Random(1), log, options, std::move(tap));
  }

  void give(size_t count, size_t name_bytes = 4) {
    if (!pipeline) start();
    std::vector<trace::Span> spans;
    for (size_t i = 0; i < count; ++i) spans.push_back(make_span(++given, name_bytes));
    pipeline->accept(spans);
    check_law();
  }

  // True once nothing is queued; the law is looked at all the while.
  bool settled(Milliseconds limit = Milliseconds(10'000)) {
    return until([&] { return pipeline->totals().queued == 0; }, limit);
  }
  template <class Reached>
  bool until(Reached reached, Milliseconds limit = Milliseconds(10'000)) {
    return support::run_until(
        loop,
        [&] {
          check_law();
          return reached();
        },
        limit);
  }
  void run_for(Milliseconds time) {
    until([] { return false; }, time);
  }

  uint64_t dropped(DropReason reason) const {
    return pipeline->totals().dropped[static_cast<size_t>(reason)];
  }
  uint64_t exported() const { return pipeline->totals().exported; }

  void check_law() const {
    const Totals totals = pipeline->totals();
    const uint64_t lost =
        std::accumulate(totals.dropped.begin(), totals.dropped.end(), uint64_t{0});
    REQUIRE(totals.emitted == totals.exported + lost + totals.queued);
  }
};

// The span ids a request carries, in order.
inline std::vector<uint64_t> ids_in(const support::ScriptedOrigin::Request& request) {
  std::string body = request.body;
  if (request.field("Content-Encoding") == "gzip") {
    body = http::gunzip(body, size_t{64} * 1024 * 1024).value();
  }
  const auto inside = [](const std::string& bytes, uint32_t tag) {
    std::vector<std::string> out;
    protozero::pbf_reader reader(bytes);
    while (reader.next(tag)) out.push_back(reader.get_bytes());
    return out;
  };
  std::vector<uint64_t> ids;
  const std::string scope = inside(inside(body, 1).at(0), 2).at(0);
  for (const std::string& span : inside(scope, 2)) {
    uint64_t id = 0;
    const std::string bytes = inside(span, 2).at(0);
    for (const char c : bytes) id = id << 8U | static_cast<unsigned char>(c);
    ids.push_back(id);
  }
  return ids;
}

}  // namespace sidespan::report
