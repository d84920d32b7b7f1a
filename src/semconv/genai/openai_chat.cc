// OpenAI Chat Completions and the legacy Completions, as OpenAI, Azure and everybody's compatible
// server speak them: one object, or chunks with a `delta` for each choice.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;
using Row = json::PickTable::Row;

enum Pick : int {
  kMessage = kOwn,
  kRole,
  kResultId,
  kResultText,
  kChoice,
  kIndex,
  kFinish,
  kTool,
  kToolIndex,
  kToolId,
  kToolName,
  kToolArguments,
  kPastTool,
  kPastToolId,
  kPastToolName,
  kPastToolArguments,
  kPastReasoning,
  kPrompt,
  kText,
  kReasoning,
};

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"max_tokens", kMaxTokens},
    Row{"max_completion_tokens", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"top_p", kTopP},
    Row{"top_k", kTopK},
    Row{"frequency_penalty", kFrequencyPenalty},
    Row{"presence_penalty", kPresencePenalty},
    Row{"seed", kSeed},
    Row{"random_seed", kSeed},  // Mistral
    Row{"n", kChoiceCount},
    Row{"stream", kStream},
    Row{"stop", kStopSequence},
    Row{"stop[]", kStopSequence},
    Row{"reasoning_effort", kReasoningLevel},
    Row{"reasoning.effort", kReasoningLevel},  // OpenRouter
    Row{"response_format.type", kOutputType},
    Row{"modalities[]", kOutputType},
    Row{"messages[]{}", kMessage},
    Row{"messages[].role", kRole},
    Row{"messages[].tool_call_id", kResultId},
    Row{"prompt", kPrompt},  // of completions
    Row{"prompt[]", kPrompt},
};
constexpr std::array kRequestContent = {
    Row{"messages[].content", kResultText},
    Row{"messages[].content[].text", kResultText},
};
constexpr std::array kRequestMessages = {
    Row{"messages[].tool_calls[]{}", kPastTool},
    Row{"messages[].tool_calls[].id", kPastToolId},
    Row{"messages[].tool_calls[].function.name", kPastToolName},
    Row{"messages[].tool_calls[].function.arguments", kPastToolArguments},
    Row{"messages[].content[].thinking[].text", kPastReasoning},  // Mistral
    Row{"messages[].reasoning_content", kPastReasoning},          // DeepSeek, vLLM
};
constexpr std::array kResponseRows = {
    Row{"id", kResponseId},
    Row{"model", kResponseModel},
    Row{"choices[]{}", kChoice},
    Row{"choices[].index", kIndex},
    Row{"choices[].finish_reason", kFinish},
    Row{"choices[].delta.tool_calls[].index", kToolIndex},
    Row{"error.type", kErrorType},
    Row{"error.code", kErrorCode},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},          // TGI, LM Studio
    Row{"error_type", kBareErrorType},  // TGI
    Row{"object", kObjectName},         // before what it names
    Row{"type", kBareErrorType},        // Mistral, vLLM
    Row{"code", kBareErrorCode},
};
constexpr std::array kUsageRows = {
    Row{"prompt_tokens", kInputTokens},
    Row{"completion_tokens", kOutputTokens},
    Row{"total_tokens", kTotalTokens},
    Row{"prompt_tokens_details.cached_tokens", kCacheReadTokens},
    Row{"prompt_tokens_details.cache_write_tokens", kCacheWriteTokens},  // OpenRouter
    Row{"prompt_cache_hit_tokens", kCacheReadTokens},                    // DeepSeek
    Row{"cached_tokens", kCacheReadTokens},                              // Moonshot
    Row{"completion_tokens_details.reasoning_tokens", kReasoningTokens},
};
// What Bedrock's InvokeModel has beside it. Not of others: elsewhere a choice's `stop_reason` is a
// text that it ended with.
constexpr std::array kInvokedRows = {
    Row{"choices[].stop_reason", kFinish},  // Mistral, DeepSeek
    Row{"outputs[]{}", kChoice},            // Mistral, of a prompt
    Row{"outputs[].stop_reason", kFinish},
    Row{"amazon-bedrock-invocationMetrics.inputTokenCount", kInputTokens},
    Row{"amazon-bedrock-invocationMetrics.outputTokenCount", kOutputTokens},
};
constexpr std::array kErrorContent = {
    Row{"error.message", kErrorText}, Row{"message", kBareErrorText},  // as `type` and `code`
};
constexpr std::array kToolRows = {
    Row{"tool_calls[]{}", kTool},
    Row{"tool_calls[].id", kToolId},
    Row{"tool_calls[].function.name", kToolName},
    Row{"tool_calls[].custom.name", kToolName},
    Row{"function_call{}", kTool},  // before there were several
    Row{"function_call.name", kToolName},
};
constexpr std::array kToolContent = {
    Row{"tool_calls[].function.arguments", kToolArguments},
    Row{"tool_calls[].custom.input", kToolArguments},
    Row{"function_call.arguments", kToolArguments},
};
constexpr std::array kSaid = {
    Row{"content", kText},
    Row{"refusal", kText},
    Row{"content[].text", kText},                  // Mistral, of models that think
    Row{"content[].thinking[].text", kReasoning},  // likewise
    Row{"reasoning_content", kReasoning},          // DeepSeek, vLLM
    Row{"reasoning", kReasoning},                  // OpenRouter, Groq
};
constexpr std::array kSaidInCompletion = {Row{"choices[].text", kText}};
constexpr std::array<std::string_view, 2> kInChoice = {"choices[].message.", "choices[].delta."};
// Some servers answer an array of errors.
constexpr std::array<std::string_view, 2> kAlone = {"", "[]."};
// Streams of Groq and Moonshot say it in their last chunk of a choice, asked for or not. Where it
// is asked for it comes once more behind that, and the last counts.
constexpr std::array<std::string_view, 4> kInUsage = {"usage.", "[].usage.", "x_groq.usage.",
                                                      "choices[].usage."};

const Tables& request_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kRequestRows},
      Paths{.rows = kRequestContent, .from = Capture::kTools},
      Paths{.rows = kRequestMessages, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& response_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kResponseRows, .prefixes = kAlone},
      Paths{.rows = kUsageRows, .prefixes = kInUsage},
      Paths{.rows = kErrorContent, .prefixes = kAlone, .from = Capture::kAll},
      Paths{.rows = kToolRows, .prefixes = kInChoice},
      Paths{.rows = kToolContent, .prefixes = kInChoice, .from = Capture::kTools},
      Paths{.rows = kSaid, .prefixes = kInChoice, .from = Capture::kAll},
      Paths{.rows = kSaidInCompletion, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& invoked_response_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kResponseRows},
      Paths{.rows = kUsageRows, .prefixes = kInUsage},
      Paths{.rows = kInvokedRows},
      Paths{.rows = kErrorContent, .from = Capture::kAll},
      Paths{.rows = kToolRows, .prefixes = kInChoice},
      Paths{.rows = kToolContent, .prefixes = kInChoice, .from = Capture::kTools},
      Paths{.rows = kSaid, .prefixes = kInChoice, .from = Capture::kAll},
      Paths{.rows = kSaidInCompletion, .from = Capture::kAll},
  });
  return kTables;
}

class OpenAiChatReader final : public ApiReader {
 public:
  OpenAiChatReader(CallDraft& draft, const Tables& response)
      : draft_(draft), response_(response), operation_(draft.call.operation) {
    draft_.set_usage_rule({.total_tells = true});
  }

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_.of(draft_); }
  void on_request(const Picked& picked) override;
  void begin_response(std::string_view) override {
    fragments_.clear();
    in_fragment_ = false;
  }
  void on_response(const Picked& picked) override;

 private:
  // What one chunk says of a tool call.
  struct Fragment {
    uint32_t index = 0;
    ToolCall tool;
  };
  // Where the call of that choice and index is in the draft.
  struct Slot {
    static constexpr size_t kLeftOut = SIZE_MAX;
    uint32_t choice;
    uint32_t index;
    size_t at;
  };

  void take_message(const Picked& picked);
  void take_prompt(const Picked& picked);
  void begin_choice(const Picked& picked);
  void end_choice();
  void begin_fragment(uint32_t index);
  void take_tool(const Picked& picked);
  ToolCall* tool_call(const Fragment& fragment);

  CallDraft& draft_;
  const Tables& response_;
  const Operation operation_;  // by its address
  bool has_messages_ = false;
  std::string role_;
  ToolResult result_;
  Message message_;
  bool past_tool_ = false;  // its last part is the call that is read
  std::string text_;        // of the choice that is read
  std::string reasoning_;
  uint32_t choice_ = 0;
  std::string finish_;
  std::vector<Fragment> fragments_;  // of the choice that is read
  bool in_fragment_ = false;         // its last one is read
  std::vector<Slot> slots_;
};

void OpenAiChatReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kEnd) return draft_.end_message(message_, role_, result_);
      has_messages_ = true;
      draft_.call.operation = operation_;
      role_.clear();
      result_ = {};
      message_ = {};
      return;
    case kRole:
      return CallDraft::keep(role_, picked, CallDraft::kWordBytesMax);
    case kResultId:
      return CallDraft::keep(result_.id, picked);
    case kResultText:
      draft_.append_content(result_.text, picked);
      return draft_.add_text(message_, picked);
    case kPastReasoning:
      return draft_.add_text(message_, picked, Part::Kind::kReasoning);
    case kPrompt:
      return take_prompt(picked);
    case kPastTool:
    case kPastToolId:
    case kPastToolName:
    case kPastToolArguments:
      return take_message(picked);
    default:
      draft_.take(picked);
  }
}

// Codestral is asked to fill in at the address where it is asked to talk (Vertex AI's rawPredict).
void OpenAiChatReader::take_prompt(const Picked& picked) {
  if (picked.kind != Picked::Kind::kText) return;
  if (!has_messages_) draft_.call.operation = Operation::kTextCompletion;
  if (!draft_.captures(Capture::kAll)) return;
  Message prompt{.role = "user"};
  draft_.add_text(prompt, picked);
  draft_.add_message(std::move(prompt));
}

// A call that the model asked for before.
void OpenAiChatReader::take_message(const Picked& picked) {
  if (picked.id == kPastTool) {
    past_tool_ = picked.kind == Picked::Kind::kObject &&
                 draft_.add_part(message_, Part::Kind::kToolCall) != nullptr;
    return;
  }
  if (!past_tool_ || message_.parts.empty()) return;
  Part* const part = &message_.parts.back();
  if (picked.id == kPastToolId) return CallDraft::keep(part->id, picked);
  if (picked.id == kPastToolName) return CallDraft::keep(part->name, picked);
  draft_.append_content(part->text, picked);
}

void OpenAiChatReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kChoice:
      return picked.kind == Picked::Kind::kEnd ? end_choice() : begin_choice(picked);
    case kIndex:
      if (picked.kind == Picked::Kind::kInteger) choice_ = static_cast<uint32_t>(picked.integer);
      return;
    case kFinish:
      return CallDraft::keep(finish_, picked, CallDraft::kWordBytesMax);
    case kText:
      return draft_.append_content(text_, picked);
    case kReasoning:
      return draft_.append_content(reasoning_, picked);
    case kTool:
      in_fragment_ = false;
      if (picked.kind == Picked::Kind::kObject) begin_fragment(picked.places.back());
      return;
    case kToolIndex:
    case kToolId:
    case kToolName:
    case kToolArguments:
      return take_tool(picked);
    default:
      draft_.take(picked);
  }
}

void OpenAiChatReader::begin_choice(const Picked& picked) {
  choice_ = picked.places.back();
  finish_.clear();
  text_.clear();
  reasoning_.clear();
  fragments_.clear();
  in_fragment_ = false;
}

void OpenAiChatReader::begin_fragment(uint32_t index) {
  size_t names = 0;
  for (const Fragment& fragment : fragments_) names += CallDraft::names_bytes(fragment.tool);
  in_fragment_ = fragments_.size() < CallDraft::kToolsMax && names < CallDraft::kToolNamesMax;
  if (!in_fragment_) {
    ++draft_.call.tools_left_out;
    return;
  }
  fragments_.push_back({.index = index, .tool = {}});
}

void OpenAiChatReader::take_tool(const Picked& picked) {
  if (!in_fragment_) return;
  Fragment& fragment = fragments_.back();
  switch (picked.id) {
    case kToolIndex:
      if (picked.kind == Picked::Kind::kInteger) {
        fragment.index = static_cast<uint32_t>(picked.integer);
      }
      return;
    case kToolId:
      return CallDraft::keep(fragment.tool.id, picked);
    case kToolName:
      return CallDraft::keep(fragment.tool.name, picked);
    default:
      // Of more there would be no room when the choice ends.
      if (fragments_.size() <= CallDraft::kContentTextsMax) {
        draft_.append_content(fragment.tool.arguments, picked);
      }
  }
}

void OpenAiChatReader::end_choice() {
  draft_.expect_choice(choice_);
  draft_.set_finish_reason(choice_, finish_);
  draft_.add_reasoning(choice_, reasoning_);
  draft_.add_output(choice_, text_);
  for (Fragment& fragment : fragments_) {
    ToolCall* tool = tool_call(fragment);
    if (tool == nullptr) continue;
    if (!fragment.tool.id.empty()) tool->id = std::move(fragment.tool.id);
    if (!fragment.tool.name.empty()) tool->name = std::move(fragment.tool.name);
    draft_.add_arguments(*tool, fragment.tool.arguments);
  }
  // A chunk has one or two; what a whole answer's took is not held until the end.
  std::vector<Fragment>().swap(fragments_);
}

// Servers that give every call the index 0 tell them apart by their ids.
ToolCall* OpenAiChatReader::tool_call(const Fragment& fragment) {
  const auto last = std::ranges::find_if(slots_.rbegin(), slots_.rend(), [&](const Slot& slot) {
    return slot.choice == choice_ && slot.index == fragment.index;
  });
  if (last != slots_.rend() && last->at != Slot::kLeftOut) {
    ToolCall& tool = draft_.call.tool_calls[last->at];
    const bool another =
        !fragment.tool.id.empty() && !tool.id.empty() && tool.id != fragment.tool.id;
    if (!another) return &tool;
  }
  // What goes on with one that was left out says neither id nor name.
  if (fragment.tool.id.empty() && fragment.tool.name.empty()) return nullptr;
  ToolCall* tool = draft_.add_tool_call();
  if (tool != nullptr) {
    tool->choice = choice_;
    slots_.push_back({choice_, fragment.index, draft_.call.tool_calls.size() - 1});
  } else if (last != slots_.rend()) {
    last->at = Slot::kLeftOut;
  }
  return tool;
}

}  // namespace

std::unique_ptr<ApiReader> make_openai_chat_reader(CallDraft& draft) {
  return std::make_unique<OpenAiChatReader>(draft, response_tables());
}

std::unique_ptr<ApiReader> make_invoked_chat_reader(CallDraft& draft) {
  return std::make_unique<OpenAiChatReader>(draft, invoked_response_tables());
}

}  // namespace sidespan::semconv::genai
