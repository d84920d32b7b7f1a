#include "semconv/genai/call_draft.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;

// Of a reason that is no word, and so may be content.
constexpr std::string_view kOther = "_OTHER";

// Beyond it a sum might overflow, and nobody has counted so many tokens.
constexpr int64_t kCountMax = int64_t{1} << 50U;

// Some write a whole number with a fraction: 12.0.
std::optional<int64_t> whole_number(const Picked& picked) {
  if (picked.kind == Picked::Kind::kInteger) return picked.integer;
  if (picked.kind != Picked::Kind::kNumber) return std::nullopt;
  if (std::abs(picked.number) > static_cast<double>(kCountMax)) return std::nullopt;
  const double whole = std::trunc(picked.number);
  return whole == picked.number ? std::optional(static_cast<int64_t>(whole)) : std::nullopt;
}

void take_integer(std::optional<int64_t>& to, const Picked& picked) {
  if (const std::optional<int64_t> number = whole_number(picked)) to = number;
}

void take_number(std::optional<double>& to, const Picked& picked) {
  const bool number = picked.kind == Picked::Kind::kInteger || picked.kind == Picked::Kind::kNumber;
  if (number) to = picked.number;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= CallDraft::kWordBytesMax &&
         std::ranges::all_of(text, [](char c) {
           return text::is_alpha(c) || text::is_digit(c) || c == '_' || c == '-' || c == '.' ||
                  c == ':' || c == '/';
         });
}

// The words of the convention.
std::string_view output_type(std::string_view said) {
  const std::string lower = text::lower(said);
  if (lower.find("json") != std::string::npos) return "json";
  if (lower.starts_with("text")) return "text";
  if (lower.starts_with("image")) return "image";
  if (lower.starts_with("audio") || lower.starts_with("speech")) return "speech";
  return "";
}

void add_to_list(std::vector<std::string>& list, const Picked& picked) {
  if (picked.kind != Picked::Kind::kText || list.size() >= CallDraft::kListMax) return;
  CallDraft::keep(list.emplace_back(), picked);
}

}  // namespace

CallDraft::CallDraft(Capture capture, size_t content_bytes_max)
    : capture_(capture),
      content_bytes_max_(content_bytes_max),
      content_room_(content_room(content_bytes_max)) {}

std::optional<int64_t> CallDraft::count(const Picked& picked) {
  const std::optional<int64_t> number = whole_number(picked);
  return number && *number >= 0 && *number <= kCountMax ? number : std::nullopt;
}

void CallDraft::keep(std::string& to, const Picked& picked, size_t bytes_max) {
  const bool says = picked.kind == Picked::Kind::kText && !picked.text.empty();
  if (says) to = picked.text.substr(0, bytes_max);
}

void CallDraft::keep_word(std::string& to, const Picked& picked) {
  if (picked.kind == Picked::Kind::kInteger) {
    to = std::to_string(picked.integer);
  } else if (picked.kind == Picked::Kind::kText && is_word(picked.text)) {
    to = picked.text;
  }
}

void CallDraft::append_content(std::string& to, const Picked& picked) const {
  const bool text = picked.kind == Picked::Kind::kText || picked.kind == Picked::Kind::kJson;
  if (text)
    to.append(picked.text.substr(0, content_bytes_max_ - std::min(to.size(), content_bytes_max_)));
}

bool CallDraft::take(const Picked& picked) {
  return take_name(picked) || take_parameter(picked) || take_count(picked) || take_error(picked);
}

bool CallDraft::take_name(const Picked& picked) {
  switch (picked.id) {
    case kRequestModel:
      keep(call.request_model, picked);
      return true;
    case kPreviousResponseId:
      keep(call.previous_response_id, picked);
      return true;
    case kConversationId:
      keep(call.conversation_id, picked);
      return true;
    case kResponseModel:
      keep(call.response_model, picked);
      return true;
    case kResponseId:
      keep(call.response_id, picked);
      return true;
    default:
      return false;
  }
}

bool CallDraft::take_parameter(const Picked& picked) {
  Parameters& parameters = call.parameters;
  switch (picked.id) {
    case kMaxTokens:
      take_integer(parameters.max_tokens, picked);
      return true;
    case kTemperature:
      take_number(parameters.temperature, picked);
      return true;
    case kTopP:
      take_number(parameters.top_p, picked);
      return true;
    case kTopK:
      take_integer(parameters.top_k, picked);
      return true;
    case kFrequencyPenalty:
      take_number(parameters.frequency_penalty, picked);
      return true;
    case kPresencePenalty:
      take_number(parameters.presence_penalty, picked);
      return true;
    case kSeed:
      take_integer(parameters.seed, picked);
      return true;
    case kChoiceCount:
      take_integer(parameters.choice_count, picked);
      return true;
    case kDimensions:
      take_integer(parameters.dimensions, picked);
      return true;
    case kStream:
      if (picked.kind == Picked::Kind::kBool) call.streamed = call.streamed || picked.truth;
      return true;
    case kReasoningLevel:
      keep_word(parameters.reasoning_level, picked);
      return true;
    case kOutputType: {
      // Text beside another: the other is what was asked for.
      const std::string_view type =
          picked.kind == Picked::Kind::kText ? output_type(picked.text) : "";
      const bool better = parameters.output_type.empty() || parameters.output_type == "text";
      if (!type.empty() && better) parameters.output_type = type;
      return true;
    }
    case kStopSequence:
      add_to_list(parameters.stop_sequences, picked);
      return true;
    case kEncodingFormat:
      add_to_list(parameters.encoding_formats, picked);
      return true;
    default:
      return false;
  }
}

bool CallDraft::take_error(const Picked& picked) {
  switch (picked.id) {
    case kErrorType:
      keep_word(call.error.type, picked);
      return true;
    case kErrorCode:
      keep_word(call.error.code, picked);
      return true;
    case kErrorText:
      call.error.text.clear();
      append_content(call.error.text, picked);
      return true;
    case kErrorBegin:
      if (picked.kind == Picked::Kind::kObject) call.error.told = true;
      return true;
    case kErrorWords:
      take_error_words(picked);
      return true;
    default:
      return take_bare_error(picked);
  }
}

// What stands beside them is of the error, too.
void CallDraft::take_error_words(const Picked& picked) {
  if (picked.kind != Picked::Kind::kText || picked.text.empty()) return;
  refused_ = call.error.told = true;
  if (captures(Capture::kAll) && call.error.text.empty()) append_content(call.error.text, picked);
}

void CallDraft::set_stream_error(std::string_view code, std::string_view text) {
  call.error.told = true;
  const Picked said{.kind = Picked::Kind::kText, .text = code};
  keep_word(call.error.type, said);
  if (!captures(Capture::kAll)) return;
  call.error.text.clear();
  append_content(call.error.text, {.kind = Picked::Kind::kText, .text = text});
}

// Some answers that are well have a `type`, a `code` and a `message`, too.
bool CallDraft::take_bare_error(const Picked& picked) {
  switch (picked.id) {
    case kBareErrorType:
      if (refused_) keep_word(call.error.type, picked);
      return true;
    case kBareErrorCode:
      if (refused_) keep_word(call.error.code, picked);
      return true;
    case kBareErrorText:
      if (!refused_) return true;
      call.error.text.clear();
      append_content(call.error.text, picked);
      return true;
    case kObjectName:
      if (picked.kind == Picked::Kind::kText && picked.text == "error") {
        refused_ = call.error.told = true;
      }
      return true;
    default:
      return false;
  }
}

bool CallDraft::take_count(const Picked& picked) {
  const std::optional<int64_t> number = count(picked);
  switch (picked.id) {
    case kInputTokens:
      if (number) counted_.input = number;
      break;
    case kMoreInputTokens:
      if (number) more_input_ = *number;
      break;
    case kOutputTokens:
      if (number) counted_.output = number;
      break;
    case kCacheReadTokens:
      if (number) counted_.cache_read = number;
      break;
    case kCacheWriteTokens:
      if (number) counted_.cache_write = number;
      break;
    case kReasoningTokens:
      if (number) counted_.reasoning = number;
      break;
    case kTotalTokens:
      if (number) total_ = *number;
      break;
    default:
      return false;
  }
  sum();
  return true;
}

void CallDraft::sum() {
  call.usage = counted_;
  const int64_t reasoning = counted_.reasoning.value_or(0);
  if (call.usage.input) {
    *call.usage.input += more_input_;
    if (rule_.cache_apart) {
      *call.usage.input += counted_.cache_read.value_or(0) + counted_.cache_write.value_or(0);
    }
  }
  if (rule_.reasoning_apart && counted_.reasoning) {
    // Of who only reasoned, nothing else may be told.
    call.usage.output = counted_.output.value_or(0) + reasoning;
  } else if (call.usage.output) {
    const bool told = rule_.total_tells && reasoning > 0 &&
                      total_ == counted_.input.value_or(0) + *counted_.output + reasoning;
    if (told) *call.usage.output += reasoning;
  }
}

ToolCall* CallDraft::add_tool_call() {
  size_t names = 0;
  for (const ToolCall& tool : call.tool_calls) names += names_bytes(tool);
  if (call.tool_calls.size() >= kToolsMax || names >= kToolNamesMax) {
    ++call.tools_left_out;
    return nullptr;
  }
  // No more room than is used in the end.
  const size_t room = call.tool_calls.capacity();
  if (call.tool_calls.size() == room) {
    call.tool_calls.reserve(std::min(room + std::max(room / 2, size_t{1}), kToolsMax));
  }
  return &call.tool_calls.emplace_back();
}

void CallDraft::add_arguments(ToolCall& tool, std::string_view part) {
  const size_t one = content_bytes_max_ - std::min(content_bytes_max_, tool.arguments.size());
  const size_t before = tool.arguments.size();
  make_room(std::min(one, part.size()));
  tool.arguments.append(part.substr(0, std::min(one, content_room_)));
  content_room_ -= tool.arguments.size() - before;
}

void CallDraft::add_tool_result(ToolResult result) {
  while (call.tool_results.size() >= kToolsMax || result_ids_ >= kToolNamesMax) {
    content_room_ += call.tool_results.front().text.size();
    result_ids_ -= call.tool_results.front().id.size();
    call.tool_results.pop_front();
    ++call.tools_left_out;
  }
  result_ids_ += result.id.size();
  make_room(result.text.size());
  if (result.text.size() > content_room_) result.text.resize(content_room_);
  result.text.shrink_to_fit();
  content_room_ -= result.text.size();
  call.tool_results.push_back(std::move(result));
}

void CallDraft::forget_tool_results() {
  for (const ToolResult& result : call.tool_results) content_room_ += result.text.size();
  call.tool_results.clear();
  result_ids_ = 0;
}

void CallDraft::expect_choice(size_t choice) {
  if (choice < kListMax && choice >= call.finish_reasons.size()) {
    call.finish_reasons.resize(choice + 1);
  }
}

void CallDraft::set_finish_reason(size_t choice, std::string_view reason) {
  expect_choice(choice);
  if (choice < call.finish_reasons.size() && !reason.empty()) {
    call.finish_reasons[choice] = is_word(reason) ? reason : kOther;
  }
}

void CallDraft::take_answer(const Call& said) {
  const auto take_text = [](std::string& to, const std::string& text) {
    if (!text.empty()) to = text;
  };
  const auto take_tokens = [](std::optional<int64_t>& to, const std::optional<int64_t>& tokens) {
    if (tokens) to = tokens;
  };
  take_text(call.response_id, said.response_id);
  take_text(call.response_model, said.response_model);
  take_text(call.conversation_id, said.conversation_id);
  take_tokens(call.usage.input, said.usage.input);
  take_tokens(call.usage.output, said.usage.output);
  take_tokens(call.usage.cache_read, said.usage.cache_read);
  take_tokens(call.usage.cache_write, said.usage.cache_write);
  take_tokens(call.usage.reasoning, said.usage.reasoning);
  for (const Output& output : said.outputs) {
    if (output.whole) {
      set_output(output.choice, output.reasoning, output.text);
    } else {
      add_reasoning(output.choice, output.reasoning);
      add_output(output.choice, output.text);
    }
  }
  if (!said.finish_reasons.empty()) call.finish_reasons = said.finish_reasons;
  if (said.error.known()) call.error = said.error;
  for (const ToolCall& tool : said.tool_calls) {
    const auto known = tool.id.empty() ? call.tool_calls.end()
                                       : std::ranges::find(call.tool_calls, tool.id, &ToolCall::id);
    ToolCall* const to = known != call.tool_calls.end() ? &*known : add_tool_call();
    if (to == nullptr) continue;
    to->id = tool.id;
    to->name = tool.name;
    to->choice = tool.choice;
    if (to->arguments.empty()) add_arguments(*to, tool.arguments);
  }
}

}  // namespace sidespan::semconv::genai
