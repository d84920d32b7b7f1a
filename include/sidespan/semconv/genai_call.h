// What is known of one call of a model, in the same words for every provider: whoever reads a
// provider's documents fills it in (genai_reader.h), and describe_call() says it on a span by the
// names of OpenTelemetry's GenAI conventions. Bounded: each text and each list has a limit. What
// people and models wrote is in it only as far as `capture.content` lets it be.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv::genai {

// `gen_ai.operation.name`
enum class Operation : uint8_t { kChat, kGenerateContent, kTextCompletion, kEmbeddings };
std::string_view name_of(Operation operation);

// `capture.content`: nothing of content; what tools were asked and said; messages and errors'
// texts, too.
enum class Capture : uint8_t { kOff, kTools, kAll };

struct Parameters {
  std::optional<int64_t> max_tokens = {};
  std::optional<double> temperature = {};
  std::optional<double> top_p = {};
  std::optional<int64_t> top_k = {};
  std::optional<double> frequency_penalty = {};
  std::optional<double> presence_penalty = {};
  std::optional<int64_t> seed = {};
  std::optional<int64_t> choice_count = {};
  std::optional<int64_t> dimensions = {};  // of embeddings
  std::string reasoning_level = {};        // as it was sent
  std::string output_type = {};            // "text", "json", "image", "speech"
  std::vector<std::string> stop_sequences = {};
  std::vector<std::string> encoding_formats = {};
};

// Tokens. Input includes what came from a cache and went into it, output what was reasoned,
// whatever the provider counts where.
struct Usage {
  std::optional<int64_t> input = {};
  std::optional<int64_t> output = {};
  std::optional<int64_t> cache_read = {};
  std::optional<int64_t> cache_write = {};
  std::optional<int64_t> reasoning = {};
};

// One that the model asked for.
struct ToolCall {
  std::string id = {};  // empty: the provider gives none
  std::string name = {};
  std::string arguments = {};  // captured: JSON, cut at the limit
  uint32_t choice = 0;
};

// One that the agent gives back, since the model spoke last.
struct ToolResult {
  std::string id = {};    // of the call; a tool's name where calls have no ids
  std::string text = {};  // captured, cut at the limit
};

// What a message of the request has, captured as the text of it is.
struct Part {
  enum class Kind : uint8_t { kText, kReasoning, kToolCall, kToolResponse };
  Kind kind = Kind::kText;
  std::string id = {};    // of a call of a tool
  std::string name = {};  // of the tool that was asked for
  std::string text = {};  // cut at the limit: of a call its arguments
};

struct Message {
  std::string role = {};
  std::vector<Part> parts = {};
};

// What the model said, by its choices; calls of tools are elsewhere. Captured, cut at the limit.
struct Output {
  uint32_t choice = 0;
  std::string reasoning = {};
  std::string text = {};
  bool whole = false;  // all that was said before is in it
};

struct ProviderError {
  std::string type = {};
  std::string code = {};
  // Captured; until the end it may be the message of an answer that is well.
  std::string text = {};
  bool told = false;  // in words alone
  bool known() const { return told || !type.empty() || !code.empty(); }
};

// What a provider says of its limits, or of when to come again.
struct LimitField {
  std::string name = {};  // lower case
  std::string value = {};
};

struct Call {
  Operation operation = Operation::kChat;
  std::string provider = {};  // `gen_ai.provider.name`
  std::string request_model = {};
  std::string response_model = {};
  std::string response_id = {};
  std::string previous_response_id = {};
  std::string conversation_id = {};  // what the wire says, nothing else
  std::string user_id = {};          // Anthropic's: agents write their session into it; on no span
  Parameters parameters = {};
  bool streamed = false;
  std::optional<Nanoseconds> time_to_first_chunk = {};

  std::vector<std::string> finish_reasons = {};  // one a choice, as the provider says it
  Usage usage = {};
  bool usage_partial = false;  // the answer ended before its provider had counted to the end
  std::vector<ToolCall> tool_calls = {};
  std::deque<ToolResult> tool_results = {};
  // Of Capture::kAll: what was said apart from the messages, and of those the newest.
  std::vector<std::string> instructions = {};
  std::deque<Message> messages = {};
  std::vector<Output> outputs = {};
  uint32_t tools_left_out = 0;  // calls and results beyond the limit
  ProviderError error = {};
  std::vector<LimitField> limit_fields = {};  // of an answer that is an error
};

// A call's `error.type`, on its span and in metrics; empty: it is no error. A code of the
// provider's that says it in words, before a type, which covers more; a number says least.
// `otherwise`: what it is without the provider's word (http_error_type()), which says more than
// that it was some error.
std::string_view error_type_of(const ProviderError& error, std::string_view otherwise);

struct DescribeOptions {
  // Off: the agent counts its own tokens, and these would be counted twice.
  bool usage = true;
  // Members of JSON whose values captured texts hide, beside those of redact.h.
  std::span<const std::string> redact = {};
};

// The name, "chat gpt-5", and what is known. To a span that has none of these attributes yet but
// for its `error.type`, which becomes the call's.
void describe_call(trace::Span& span, const Call& call, const DescribeOptions& options = {});

}  // namespace sidespan::semconv::genai
