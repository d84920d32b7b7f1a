#include <algorithm>
#include <array>
#include <utility>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/call_draft.h"
#include "sidespan/base/text.h"
#include "sidespan/http/message.h"
#include "sidespan/semconv/genai_reader.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;

constexpr std::string_view kError = "error";
constexpr size_t kLimitFieldsMax = 16;
// Ids and names are shorter; a longer value is content.
constexpr size_t kValueBytesMin = 256;

json::PickerLimits picker_limits(const ReaderOptions& options) {
  const size_t content = options.capture == Capture::kOff ? 0 : options.content_bytes_max;
  return {.value_bytes_max = std::max(kValueBytesMin, content)};
}

bool tells_limits(std::string_view name) {
  return name.starts_with("retry-after") || name.starts_with("ratelimit") ||
         name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-");
}

bool is_stream(std::string_view content_type) {
  constexpr std::array<std::string_view, 3> kStreams = {"text/event-stream", "application/x-ndjson",
                                                        "application/vnd.amazon.eventstream"};
  const std::string type = text::lower(http::media_type(content_type));
  return std::ranges::find(kStreams, type) != kStreams.end();
}

// Of a document that nobody reads.
json::Handler& nobody() {
  static json::Handler handler;
  return handler;
}

}  // namespace

size_t content_room(const ReaderOptions& options) {
  if (options.capture == Capture::kOff) return 0;
  return CallDraft::content_room(options.content_bytes_max);
}

struct CallReader::Impl {
  struct RequestSink final : json::PickSink {
    explicit RequestSink(ApiReader& reader) : api(reader) {}
    void on_pick(const Picked& picked) override { api.on_request(picked); }
    ApiReader& api;
  };
  struct ResponseSink final : json::PickSink {
    explicit ResponseSink(ApiReader& reader) : api(reader) {}
    void on_pick(const Picked& picked) override { api.on_response(picked); }
    ApiReader& api;
  };
  // What goes over the documents of both sides.
  struct Documents {
    Documents(ApiReader& api, const json::PickerLimits& limits)
        : request_sink(api),
          response_sink(api),
          request(api.request_table(), request_sink, limits),
          response(api.response_table(), response_sink, limits) {}
    RequestSink request_sink;
    ResponseSink response_sink;
    json::Picker request;
    json::Picker response;
  };

  Impl(const Endpoint& endpoint, const ReaderOptions& options)
      : draft(options.capture, options.content_bytes_max), known_host(endpoint.known_host) {
    draft.call.operation = endpoint.operation;
    draft.call.provider = endpoint.provider;
    draft.call.request_model = endpoint.model.substr(0, CallDraft::kNameBytesMax);
    draft.call.streamed = endpoint.streams;
    api = make_api_reader(endpoint.api, draft);
    if (api) documents.emplace(*api, picker_limits(options));
  }

  CallDraft draft;
  std::unique_ptr<ApiReader> api;
  std::optional<Documents> documents;
  bool known_host;
  bool refused = false;  // the answer's status is an error
  bool cut = false;      // the last document of the answer is not whole
};

CallReader::CallReader(const Endpoint& endpoint, const ReaderOptions& options)
    : impl_(std::make_unique<Impl>(endpoint, options)) {}

CallReader::~CallReader() = default;
CallReader::CallReader(CallReader&&) noexcept = default;
CallReader& CallReader::operator=(CallReader&&) noexcept = default;

json::Handler& CallReader::begin_request_document() {
  if (!impl_->documents) return nobody();
  impl_->documents->request.reset();
  impl_->api->begin_request();
  return impl_->documents->request;
}

void CallReader::end_request_document(bool /*whole*/) {}

json::Handler& CallReader::begin_response_document(std::string_view event) {
  if (!impl_->documents) return nobody();
  impl_->cut = true;
  impl_->documents->response.reset();
  impl_->api->begin_response(event);
  return impl_->api->response_handler(impl_->documents->response);
}

void CallReader::end_response_document(bool whole) {
  impl_->cut = !whole;
  if (impl_->api) impl_->api->end_response(whole);
}

void CallReader::on_response_head(const http::Head& head) {
  constexpr int kFirstError = 400;
  if (is_stream(head.headers.find(http::FieldName::kContentType).value_or(""))) on_stream();
  impl_->refused = head.status >= kFirstError;
  if (impl_->refused) impl_->draft.set_refused();
  if (impl_->api) impl_->api->on_response_head(head);
  if (!impl_->refused) return;
  std::vector<LimitField>& fields = impl_->draft.call.limit_fields;
  for (size_t i = 0; i < head.headers.size() && fields.size() < kLimitFieldsMax; ++i) {
    const http::Field field = head.headers.at(i);
    const std::string name = text::lower(field.name.substr(0, CallDraft::kWordBytesMax));
    if (!tells_limits(name)) continue;
    fields.push_back({name, std::string(field.value.substr(0, CallDraft::kWordBytesMax))});
  }
}

void CallReader::on_stream_error(std::string_view code, std::string_view text) {
  impl_->draft.set_stream_error(code, text);
}

void CallReader::on_stream() {
  impl_->draft.call.streamed = true;
}

void CallReader::on_first_chunk(Nanoseconds after) {
  impl_->draft.call.time_to_first_chunk = after;
}

void CallReader::take_answer(const CallReader& answer) {
  impl_->draft.take_answer(answer.impl_->draft.call);
}

void CallReader::finish(bool broken) {
  end(broken, false);
}

void CallReader::cancel() {
  end(false, true);
}

void CallReader::end(bool broken, bool cancelled) {
  Call& call = impl_->draft.call;
  if (impl_->refused) {
    call.response_id.clear();  // it is the error's
  } else if (!call.error.known()) {
    call.error.text.clear();
  }
  if (call.operation == Operation::kEmbeddings || impl_->refused) return;
  const bool failed = broken || call.error.known();
  if (failed) impl_->draft.expect_choice(0);
  const auto missing = [](const std::string& reason) { return reason.empty(); };
  const bool ended = impl_->draft.ended();
  // Counts come with the reason, or behind it.
  const bool untold =
      !ended && (call.finish_reasons.empty() || std::ranges::any_of(call.finish_reasons, missing));
  const bool cut = impl_->cut && !impl_->draft.all_counted();
  call.usage_partial = ((broken || cancelled) && cut) || ((failed || call.streamed) && untold);
  if ((cancelled || ended) && !failed) {
    std::erase_if(call.finish_reasons, missing);
  } else if (failed || call.streamed || !std::ranges::all_of(call.finish_reasons, missing)) {
    std::ranges::replace_if(call.finish_reasons, missing, std::string(kError));
  } else {
    call.finish_reasons.clear();  // a server that gives none
  }
}

bool CallReader::known() const {
  const Call& call = impl_->draft.call;
  return impl_->known_host || !call.request_model.empty() || !call.response_model.empty();
}

const Call& CallReader::call() const {
  return impl_->draft.call;
}

void CallReader::describe(trace::Span& span, const DescribeOptions& options) const {
  if (known()) describe_call(span, impl_->draft.call, options);
}

}  // namespace sidespan::semconv::genai
