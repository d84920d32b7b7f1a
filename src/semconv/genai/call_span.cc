#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "semconv/genai/messages_json.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/genai_call.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv::genai {
namespace {

using trace::AttributeName;

void add(trace::Span& span, const AttributeName& name, const std::string& text) {
  if (!text.empty()) span.attributes.add(name, std::string_view(text));
}

template <class Number>
void add(trace::Span& span, const AttributeName& name, const std::optional<Number>& number) {
  if (number) span.attributes.add(name, *number);
}

// `text_of(element)` of each. Nothing where all are empty: nobody said any.
template <class List, class TextOf>
void add_list(trace::Span& span, const AttributeName& name, const List& list, TextOf text_of) {
  std::vector<std::string_view> texts;
  texts.reserve(list.size());
  for (const auto& element : list) texts.emplace_back(text_of(element));
  if (std::ranges::all_of(texts, &std::string_view::empty)) return;
  span.attributes.set(name, std::span<const std::string_view>(texts));
}

void add_list(trace::Span& span, const AttributeName& name, const std::vector<std::string>& list) {
  add_list(span, name, list, [](const std::string& text) { return std::string_view(text); });
}

void describe_request(trace::Span& span, const Call& call) {
  const Parameters& parameters = call.parameters;
  add(span, attribute::kGenAiRequestModel, call.request_model);
  add(span, attribute::kGenAiRequestMaxTokens, parameters.max_tokens);
  add(span, attribute::kGenAiRequestTemperature, parameters.temperature);
  add(span, attribute::kGenAiRequestTopP, parameters.top_p);
  add(span, attribute::kGenAiRequestTopK, parameters.top_k);
  add(span, attribute::kGenAiRequestFrequencyPenalty, parameters.frequency_penalty);
  add(span, attribute::kGenAiRequestPresencePenalty, parameters.presence_penalty);
  add(span, attribute::kGenAiRequestSeed, parameters.seed);
  // One is what there is without being asked for.
  if (parameters.choice_count != 1) {
    add(span, attribute::kGenAiRequestChoiceCount, parameters.choice_count);
  }
  if (call.streamed) span.attributes.add(attribute::kGenAiRequestStream, true);
  add(span, attribute::kGenAiRequestReasoningLevel, parameters.reasoning_level);
  add(span, attribute::kGenAiOutputType, parameters.output_type);
  add_list(span, attribute::kGenAiRequestStopSequences, parameters.stop_sequences);
  add_list(span, attribute::kGenAiRequestEncodingFormats, parameters.encoding_formats);
  add(span, attribute::kGenAiEmbeddingsDimensionCount, parameters.dimensions);
  add(span, attribute::kGenAiRequestPreviousResponseId, call.previous_response_id);
  add(span, attribute::kGenAiConversationId, call.conversation_id);
}

void describe_response(trace::Span& span, const Call& call) {
  add(span, attribute::kGenAiResponseId, call.response_id);
  add(span, attribute::kGenAiResponseModel, call.response_model);
  add_list(span, attribute::kGenAiResponseFinishReasons, call.finish_reasons);
  if (call.streamed && call.time_to_first_chunk) {
    const std::chrono::duration<double> seconds = *call.time_to_first_chunk;
    span.attributes.add(attribute::kGenAiResponseTimeToFirstChunk, seconds.count());
  }
}

void describe_usage(trace::Span& span, const Usage& usage) {
  add(span, attribute::kGenAiUsageInputTokens, usage.input);
  add(span, attribute::kGenAiUsageOutputTokens, usage.output);
  add(span, attribute::kGenAiUsageCacheReadInputTokens, usage.cache_read);
  add(span, attribute::kGenAiUsageCacheWriteInputTokens, usage.cache_write);
  add(span, attribute::kGenAiUsageReasoningOutputTokens, usage.reasoning);
}

void describe_messages(trace::Span& span, const Call& call, std::span<const std::string> redact) {
  if (call.messages.empty() && call.instructions.empty() && call.outputs.empty()) return;
  // Cut, it would be JSON no more.
  const size_t bytes_max = span.attributes.limits().value_bytes_max;
  const auto add_whole = [&](const AttributeName& name, std::string json) {
    json = text::to_valid_utf8(std::move(json));
    if (json.size() <= bytes_max) add(span, name, json);
  };
  add_whole(attribute::kGenAiSystemInstructions, instructions_json(call, redact));
  add_whole(attribute::kGenAiInputMessages, input_json(call, redact, bytes_max));
  add_whole(attribute::kGenAiOutputMessages, output_json(call, redact));
}

// Captured ones are shown without secrets.
template <class List, class TextOf>
void add_captured(trace::Span& span, const AttributeName& name, const List& list, TextOf text_of,
                  std::span<const std::string> redact) {
  std::vector<std::string> texts;
  for (const auto& element : list) {
    append_redacted_members(texts.emplace_back(), text_of(element), redact);
  }
  add_list(span, name, texts);
}

void describe_tools(trace::Span& span, const Call& call, std::span<const std::string> redact) {
  add_list(span, attribute::kToolCallIds, call.tool_calls,
           [](const ToolCall& tool) { return std::string_view(tool.id); });
  add_list(span, attribute::kToolCallNames, call.tool_calls,
           [](const ToolCall& tool) { return std::string_view(tool.name); });
  add_captured(
      span, attribute::kToolCallArguments, call.tool_calls,
      [](const ToolCall& tool) { return std::string_view(tool.arguments); }, redact);
  add_list(span, attribute::kToolResultIds, call.tool_results,
           [](const ToolResult& result) { return std::string_view(result.id); });
  add_captured(
      span, attribute::kToolResultTexts, call.tool_results,
      [](const ToolResult& result) { return std::string_view(result.text); }, redact);
  if (call.tools_left_out > 0) {
    span.attributes.add(attribute::kToolsLeftOut, int64_t{call.tools_left_out});
  }
}

void describe_error(trace::Span& span, const Call& call, std::span<const std::string> redact) {
  const ProviderError& error = call.error;
  if (error.known()) {
    span.status = trace::SpanStatus::kError;
    const std::string otherwise(span.attributes.text(attribute::kErrorType));
    span.attributes.set(attribute::kErrorType, error_type_of(error, otherwise));
  }
  add(span, attribute::kProviderErrorType, error.type);
  add(span, attribute::kProviderErrorCode, error.code);
  std::string text;  // which may quote the request
  append_redacted_members(text, error.text, redact);
  add(span, attribute::kProviderErrorText, text);
  for (const LimitField& field : call.limit_fields) {
    const std::string_view value = field.value;
    span.attributes.set(std::string(attribute::kHttpResponseHeaderPrefix).append(field.name),
                        std::span(&value, 1));
  }
}

}  // namespace

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::kChat:
      return "chat";
    case Operation::kGenerateContent:
      return "generate_content";
    case Operation::kTextCompletion:
      return "text_completion";
    case Operation::kEmbeddings:
      return "embeddings";
  }
  return "";
}

std::string_view error_type_of(const ProviderError& error, std::string_view otherwise) {
  if (!error.known()) return otherwise;
  if (std::ranges::any_of(error.code, text::is_alpha)) return error.code;
  if (!error.type.empty()) return error.type;
  if (!error.code.empty()) return error.code;
  return otherwise.empty() ? std::string_view("_OTHER") : otherwise;
}

void describe_call(trace::Span& span, const Call& call, const DescribeOptions& options) {
  span.name = name_of(call.operation);
  if (!call.request_model.empty()) span.name.append(" ").append(call.request_model);
  span.attributes.add(attribute::kGenAiOperationName, name_of(call.operation));
  add(span, attribute::kGenAiProviderName, call.provider);
  describe_request(span, call);
  describe_response(span, call);
  if (options.usage) describe_usage(span, call.usage);
  describe_tools(span, call, options.redact);
  describe_messages(span, call, options.redact);
  describe_error(span, call, options.redact);
}

}  // namespace sidespan::semconv::genai
