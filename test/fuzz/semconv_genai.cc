// Any bytes as the bodies of a call of a model: the first byte says of which API, the second in
// what pieces they come, and a line ends a document, of which the first is the request. In any
// pieces the same is known, and no list is longer than it may be.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "semconv/genai/call_draft.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_reader.h"

using namespace sidespan;
using namespace sidespan::semconv::genai;

namespace {

bool feed(json::Handler& handler, std::string_view text, size_t step) {
  json::Reader reader(handler);
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    reader.feed(piece);
  }
  return reader.finish() == json::Reader::State::kComplete;
}

// What is known, as a span says it.
std::string known(Api api, std::string_view text, size_t step) {
  CallReader call({.api = api, .provider = "p", .known_host = true}, {.capture = Capture::kAll});
  bool request = true;
  while (!text.empty()) {
    const std::string_view document = text.substr(0, text.find('\n'));
    text.remove_prefix(document.size() < text.size() ? document.size() + 1 : text.size());
    if (request) {
      call.end_request_document(feed(call.begin_request_document(), document, step));
    } else {
      call.end_response_document(feed(call.begin_response_document(), document, step));
    }
    request = false;
  }
  call.finish(true);
  const Call& all = call.call();
  const size_t tools_max = CallDraft::kToolsMax;
  if (all.tool_calls.size() > tools_max || all.tool_results.size() > tools_max) std::abort();
  if (all.finish_reasons.size() > CallDraft::kListMax) std::abort();
  if (all.usage.input.value_or(0) < 0 || all.usage.output.value_or(0) < 0) std::abort();
  trace::Span span;
  call.describe(span);
  return span.name + std::string(span.attributes.encoded());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Api api = static_cast<Api>(data[0] % kApiCount);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (known(api, text, size) != known(api, text, data[1] % 9U + 1)) std::abort();
  return 0;
}
