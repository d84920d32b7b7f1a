// A call of a model. The first byte says of which API and how long captured texts may be, the
// second in what pieces its documents come, how it ends, and whether other readers tell it what was
// answered, as over a WebSocket; then a line each:
//   @MODEL         the model that the path names, before all else
//   {...}          a document, of which the first is the request
//   <200           the answer's status
//   <name:value    a field of the answer
//   #NAME          of the event that the next document is
//   !CODE          the framing says that the answer failed
// In any pieces the same is known; no list is longer than it may be, nor is what is kept of
// content, which stands as JSON; and how much of that is captured changes nothing else.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "semconv/genai/call_draft.h"
#include "sidespan/base/text.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_reader.h"

using namespace sidespan;
using namespace sidespan::semconv::genai;

namespace {

enum class Ending : uint8_t { kWhole, kCancelled, kBroken };

struct Input {
  Endpoint endpoint;
  Ending ending;
  bool lanes;
  size_t content_bytes_max;
  std::string_view lines;
};

Input read(const uint8_t* data, size_t size) {
  constexpr size_t kShort = 24;
  constexpr size_t kLong = 1024;
  std::string_view lines(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string_view model;
  if (lines.starts_with('@')) {
    model = lines.substr(1, lines.find('\n') - 1);
    lines.remove_prefix(1 + model.size());
  }
  const Api api = static_cast<Api>(data[0] % kApiCount);
  const bool embeds = api == Api::kOpenAiEmbeddings || api == Api::kGeminiEmbed ||
                      api == Api::kOllamaEmbed || api == Api::kCohereEmbed ||
                      model.find("embed") != model.npos;
  return {.endpoint = {.api = api,
                       .operation = embeds ? Operation::kEmbeddings : Operation::kChat,
                       .provider = "p",
                       .model = std::string(model),
                       .known_host = true},
          .ending = static_cast<Ending>(data[1] / 9U % 3U),
          .lanes = data[1] / 27U % 3U == 0,
          .content_bytes_max = data[0] / kApiCount % 2U == 0 ? kShort : kLong,
          .lines = lines};
}

bool feed(json::Handler& handler, std::string_view text, size_t step) {
  json::Reader reader(handler);
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    reader.feed(piece);
  }
  return reader.finish() == json::Reader::State::kComplete;
}

void add_to_head(http::Head& head, std::string_view line) {
  const size_t colon = line.find(':');
  if (colon != line.npos) {
    (void)head.headers.add(line.substr(0, colon), line.substr(colon + 1));
  } else {
    head.status = static_cast<int>(text::parse_unsigned(line, 999).value_or(200));
  }
}

struct Played {
  Call call;
  // A text that others are packed in is broken: how much of it is told depends on its pieces.
  bool torn = false;
};

Played played(const Input& input, Capture capture, size_t step) {
  const ReaderOptions options{.capture = capture, .content_bytes_max = input.content_bytes_max};
  CallReader call(input.endpoint, options);
  std::optional<CallReader> lane;
  const bool packs = input.endpoint.api == Api::kBedrockInvoke;
  bool torn = false;
  http::Head head;
  head.status = 200;
  std::string_view event;
  size_t documents = 0;
  std::optional<std::string_view> rest = input.lines;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    if (line.starts_with('<')) {
      add_to_head(head, line.substr(1));
    } else if (line.starts_with('#')) {
      event = line.substr(1);
    } else if (line.starts_with('!')) {
      call.on_stream_error(line.substr(1), line);
    } else if (!line.empty() && documents++ == 0) {
      call.end_request_document(feed(call.begin_request_document(), line, step));
    } else if (!line.empty()) {
      if (documents == 2) call.on_response_head(head);
      if (input.lanes) lane.emplace(input.endpoint, options);
      CallReader& reader = lane ? *lane : call;
      const bool whole = feed(reader.begin_response_document(event), line, step);
      reader.end_response_document(whole);
      if (lane) call.take_answer(*lane);
      if (documents == 2) call.on_first_chunk(Nanoseconds(1));
      torn |= packs && event == "chunk" && !whole;
      event = {};
    }
  }
  input.ending == Ending::kCancelled ? call.cancel() : call.finish(input.ending == Ending::kBroken);
  return {call.call(), torn};
}

std::string said(const Call& call) {
  trace::Span span;
  describe_call(span, call);
  for (const char* const name :
       {"gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages"}) {
    json::Handler nobody;
    const std::string_view text = span.attributes.text(name);
    if (!text.empty() && !feed(nobody, text, text.size())) std::abort();
  }
  return span.name + std::string(span.attributes.encoded());
}

// As if no more than that had been captured.
Call without_content(Call call, Capture beyond) {
  call.instructions.clear();
  call.messages.clear();
  call.outputs.clear();
  call.error.text.clear();
  if (beyond == Capture::kTools) return call;
  for (ToolCall& tool : call.tool_calls) tool.arguments.clear();
  for (ToolResult& result : call.tool_results) result.text.clear();
  return call;
}

// Of what people, models and tools wrote.
size_t content_bytes(const Call& call, size_t text_max) {
  size_t bytes = 0;
  const auto add = [&](const std::string& text) {
    if (text.size() > text_max) std::abort();
    bytes += text.size();
  };
  for (const ToolCall& tool : call.tool_calls) add(tool.arguments);
  for (const ToolResult& result : call.tool_results) add(result.text);
  for (const std::string& text : call.instructions) add(text);
  for (const Message& message : call.messages) {
    for (const Part& part : message.parts) add(part.text);
  }
  for (const Output& output : call.outputs) {
    add(output.reasoning);
    add(output.text);
  }
  if (call.error.text.size() > text_max) std::abort();
  return bytes;
}

void check_limits(const Call& call, const Input& input) {
  const size_t bytes = content_bytes(call, input.content_bytes_max);
  const size_t room =
      content_room({.capture = Capture::kAll, .content_bytes_max = input.content_bytes_max});
  if (bytes > room) std::abort();
  const size_t tools_max = CallDraft::kToolsMax;
  if (call.tool_calls.size() > tools_max || call.tool_results.size() > tools_max) std::abort();
  for (const auto* list : {&call.finish_reasons, &call.parameters.stop_sequences,
                           &call.parameters.encoding_formats, &call.instructions}) {
    if (list->size() > CallDraft::kListMax) std::abort();
  }
  if (call.usage.input.value_or(0) < 0 || call.usage.output.value_or(0) < 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Input input = read(data, size);
  const size_t step = data[1] % 9U + 1;
  const auto [all, torn] = played(input, Capture::kAll, size);
  check_limits(all, input);
  if (torn) return 0;
  if (said(played(input, Capture::kAll, step).call) != said(all)) std::abort();
  const Call bare = without_content(all, Capture::kOff);
  for (const Capture capture : {Capture::kOff, Capture::kTools}) {
    const Call less = played(input, capture, step).call;
    check_limits(less, input);
    if (said(less) != said(without_content(less, capture))) std::abort();
    if (said(without_content(less, Capture::kOff)) != said(bare)) std::abort();
  }
  return 0;
}
