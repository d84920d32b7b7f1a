#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/json/tee.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/genai_reader.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::semconv {
namespace {

// Two readers of JSON with what they are in the middle of, and the call without captured content.
constexpr size_t kOwnBytes = size_t{16} * 1024;

constexpr int kFirstErrorStatus = 400;

// One side's documents, handed on to the reader of the call, and to who watches.
class RequestDocuments final : public BodySink {
 public:
  RequestDocuments(genai::CallReader& call, DocumentWatcher* watcher)
      : call_(call), watcher_(watcher) {}
  json::Handler* begin_document(std::string_view) override {
    json::Handler& reader = call_.begin_request_document();
    if (watcher_ == nullptr) return &reader;
    tee_.set(reader, watcher_->begin_request_document());
    return &tee_;
  }
  void end_document(bool whole) override {
    call_.end_request_document(whole);
    if (watcher_ != nullptr) watcher_->end_request_document();
  }

 private:
  genai::CallReader& call_;
  DocumentWatcher* const watcher_;
  json::Tee tee_;
};

class ResponseDocuments final : public BodySink {
 public:
  ResponseDocuments(genai::CallReader& call, DocumentWatcher* watcher)
      : call_(call), watcher_(watcher) {}
  json::Handler* begin_document(std::string_view event) override {
    ++begun_;
    json::Handler& reader = call_.begin_response_document(event);
    if (watcher_ == nullptr) return &reader;
    tee_.set(reader, watcher_->begin_response_document());
    return &tee_;
  }
  void end_document(bool whole) override {
    call_.end_response_document(whole);
    if (watcher_ != nullptr) watcher_->end_response_document();
  }
  void on_stream_error(std::string_view code, std::string_view text) override {
    call_.on_stream_error(code, text);
  }
  uint64_t begun() const { return begun_; }

 private:
  genai::CallReader& call_;
  DocumentWatcher* const watcher_;
  json::Tee tee_;
  uint64_t begun_ = 0;
};

class ModelObserver final : public Observer {
 public:
  ModelObserver(const CallFacts& facts, const genai::Endpoint& endpoint,
                const ObserverOptions& options)
      : charge_(kOwnBytes + genai::content_room(options.reader)),
        call_(endpoint, options.reader),
        options_(options),
        request_documents_(call_, facts.watcher),
        response_documents_(call_, facts.watcher),
        // It is JSON, whatever its fields say, or it is no call.
        request_(
            make_body_reader(facts.request.headers, {}, request_documents_, BodyFraming::kJson)),
        watcher_(facts.watcher),
        start_(facts.start.mono),
        converses_(endpoint.operation != genai::Operation::kEmbeddings),
        elements_(endpoint.api == genai::Api::kGeminiGenerate && endpoint.streams),
        counts_itself_(facts.counts_itself) {}

  void on_request_bytes(std::string_view bytes, MonoTime) override {
    if (request_) request_->feed(bytes);
  }
  void on_request_end() override {
    if (request_) request_->finish(true);
    request_.reset();
  }
  void on_response_head(const http::Head& head, MonoTime) override {
    call_.on_response_head(head);
    const std::optional<BodyFraming> framing =
        framing_of(head.headers.find(http::FieldName::kContentType).value_or(""));
    // Where it does not stream by events, Gemini's answer is an array of what else are events.
    const bool array = framing == BodyFraming::kJson && elements_;
    const bool many = array || (framing && *framing != BodyFraming::kJson);
    streams_ = many && head.status < kFirstErrorStatus;
    if (streams_) call_.on_stream();
    if (watcher_ != nullptr) watcher_->begin_answer(many);
    response_ = make_body_reader(head.headers, {}, response_documents_,
                                 array ? BodyFraming::kElements : framing);
    events_ = response_ && framing == BodyFraming::kEvents;
  }
  void on_response_bytes(std::string_view bytes, MonoTime at) override {
    if (!response_) return;
    response_->feed(bytes);
    if (!streams_ || response_documents_.begun() == 0) return;
    call_.on_first_chunk(at - start_);
    streams_ = false;
  }
  void on_end(End end, MonoTime) override {
    if (request_) request_->finish(false);
    if (response_) {
      response_->finish(end == End::kWhole);
      events_ = events_ && response_->state() == BodyReader::State::kReading;
    }
    request_.reset();
    response_.reset();
    end == End::kCancelled ? call_.cancel() : call_.finish(end == End::kBroken);
  }
  void describe(trace::Span& span) const override {
    describe_model_call(span, call_, options_, counts_itself_);
    if (events_) {
      span.attributes.set(attribute::kStreamEvents,
                          static_cast<int64_t>(response_documents_.begun()));
    }
  }
  const genai::Call* model_call() const override { return call_.known() ? &call_.call() : nullptr; }
  bool is_conversation() const override { return converses_; }
  bool reads_documents() const override { return true; }

 private:
  const MemoryCharge charge_;
  genai::CallReader call_;
  const ObserverOptions& options_;
  RequestDocuments request_documents_;
  ResponseDocuments response_documents_;
  std::unique_ptr<BodyReader> request_;
  std::unique_ptr<BodyReader> response_;
  DocumentWatcher* const watcher_;
  MonoTime start_;
  const bool converses_;
  const bool elements_;
  bool streams_ = false;  // and its first document has not come
  bool events_ = false;   // the answer is a stream of them, and all are counted
  bool counts_itself_;
};

}  // namespace

void describe_model_call(trace::Span& span, const genai::CallReader& call,
                         const ObserverOptions& options, bool counts_itself) {
  call.describe(span, {.usage = !counts_itself, .redact = options.redact});
  if (counts_itself || !call.known()) return;
  const std::optional<double> cost = genai::cost_of(call.call(), options.prices);
  if (cost) span.attributes.set(attribute::kCostUsd, *cost);
}

std::unique_ptr<Observer> make_model_observer(const CallFacts& facts,
                                              const ObserverOptions& options) {
  if (!facts.request.asks("POST")) return nullptr;
  const std::optional<genai::Endpoint> endpoint = genai::recognize(
      {.method = facts.request.method(),
       .host = facts.url.authority.host,
       .path = facts.url.path,
       .content_type = facts.request.headers.find(http::FieldName::kContentType).value_or("")},
      options.recognize);
  if (!endpoint) return nullptr;
  return std::make_unique<ModelObserver>(facts, *endpoint, options);
}

}  // namespace sidespan::semconv
