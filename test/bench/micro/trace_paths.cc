#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "hot_path.h"
#include "proxy/header_carrier.h"
#include "sidespan/http/message.h"
#include "sidespan/otlp/encode.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/trace/propagator.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::bench {
namespace {

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr uint64_t kSeed = 7;

http::Headers request_headers() {
  http::Headers headers;
  headers.add("Host", "api.example.com:8080");
  headers.add("Accept", "application/json");
  headers.add("Accept-Encoding", "gzip, deflate");
  headers.add("Content-Type", "application/json");
  headers.add("User-Agent", "ExampleAI/Python 1.54.0");
  headers.add("X-Stainless-Lang", "python");
  headers.add("Authorization", "Bearer sk-0123456789abcdef0123456789abcdef0123456789abcdef");
  return headers;
}

// Reads the context, decides, writes the new one. Each time into a copy of the fields, since what
// is written once is there: `headers_copy` is that part.
class Propagate : public HotPath {
 public:
  explicit Propagate(bool with_parent) {
    if (with_parent) received_.add("traceparent", kParent);
  }

  void once() override {
    http::Headers headers = received_;
    trace::Context context;
    propagator_.extract(proxy::HeaderReader(headers), context);
    const trace::SpanContext* parent = context.span.valid() ? &context.span : nullptr;
    trace::StartedContext started = trace::start_span_context(parent, *sampler_, random_);
    if (!started.sampled) std::abort();
    context.span = std::move(started.context);
    proxy::HeaderWriter writer(headers);
    propagator_.inject(context, {}, writer);
    keep(headers);
  }

 private:
  http::Headers received_ = request_headers();
  trace::PropagatorRegistry registry_;
  trace::CompositePropagator propagator_{registry_,
                                         std::array<std::string, 2>{"tracecontext", "baggage"}};
  std::unique_ptr<trace::Sampler> sampler_ = trace::make_sampler("parentbased_always_on").value();
  Random random_{kSeed};
};

class PropagateChild final : public Propagate {
 public:
  PropagateChild() : Propagate(true) {}
};

class PropagateRoot final : public Propagate {
 public:
  PropagateRoot() : Propagate(false) {}
};

class CopyHeaders final : public HotPath {
 public:
  void once() override {
    const http::Headers headers = received_;
    keep(headers);
  }

 private:
  http::Headers received_ = request_headers();
};

// A POST that went well, on a kept connection.
class SpanMaker {
 public:
  SpanMaker() {
    request_.set_method("POST");
    request_.headers = request_headers();
    response_.status = 200;
    response_.body = http::BodyLength::known(2048);
  }

  trace::Span make() {
    using std::chrono_literals::operator""ms;
    const MonoTime start{};
    semconv::HttpFacts facts;
    facts.context = &context_;
    facts.parent_id = {0xb7ad6b7169203331};
    facts.parent_is_remote = true;
    facts.parent_source = "wire";
    facts.request = &request_;
    facts.url = &url_;
    facts.response = &response_;
    facts.protocol_version = "1.1";
    facts.target = &target_;
    facts.peer = &peer_;
    facts.alike = &alike_;
    facts.request_body_bytes = 812;
    facts.response_body_bytes = 2048;
    facts.start = {start, WallTime(std::chrono::seconds(1'700'000'000))};
    facts.send_started = start + 1ms;
    facts.sent = start + 3ms;
    facts.first_byte = start + 53ms;
    facts.end = start + 250ms;
    return semconv::make_http_span(facts, options_);
  }

 private:
  http::Head request_;
  http::Head response_;
  http::Url url_ =
      http::parse_url("http://api.example.com:8080/v1/chat/completions?stream=true").value();
  const trace::SpanContext context_{
      {0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}, {0x00f067aa0ba902b7}, trace::kSampledFlag, {}};
  semconv::HttpSpanOptions options_;
  semconv::KnownTarget target_{url_, options_};
  trace::Attributes::Packed peer_ = semconv::known_peer("192.0.2.7", 8080, options_);
  semconv::KnownCalls alike_;
};

class MakeSpan final : public HotPath {
 public:
  void once() override { keep(maker_.make()); }

 private:
  SpanMaker maker_;
};

class EncodeSpan final : public HotPath {
 public:
  void once() override {
    encoded_.clear();
    otlp::append_span(encoded_, span_);
    keep(encoded_);
  }

 private:
  trace::Span span_ = SpanMaker().make();
  std::string encoded_;
};

}  // namespace

void add_trace_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<CopyHeaders>("headers_copy"));
  rows.push_back(row<PropagateChild>("propagate_child"));
  rows.push_back(row<PropagateRoot>("propagate_root"));
  rows.push_back(row<MakeSpan>("span"));
  rows.push_back(row<EncodeSpan>("span_encoded"));
}

}  // namespace sidespan::bench
