// Google's generateContent and streamGenerateContent, of the Gemini API and of Vertex AI, and what
// Code Assist puts into `request` and `response`: one object, an array of them, or one an event.
// Thoughts are counted apart from the candidates' tokens.
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;
using Row = json::PickTable::Row;

enum Pick : int {
  kMessage = kOwn,
  kRole,
  kResult,
  kResultId,
  kResultName,
  kResultText,
  kCandidate,
  kIndex,
  kFinish,
  kBlocked,
  kTool,
  kToolId,
  kToolName,
  kToolArguments,
  kSystem,
  kPart,
  kText,
  kThought,
  kPastToolId,
  kPastToolName,
  kPastToolArguments,
};

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"session_id", kConversationId},  // Cloud Code
    Row{"contents[]{}", kMessage},
    Row{"contents[].role", kRole},
};
// Protocol Buffers' JSON has a field by either name, and clients without a library send both.
constexpr std::array kConfigRows = {
    Row{"maxOutputTokens", kMaxTokens},
    Row{"max_output_tokens", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"topP", kTopP},
    Row{"top_p", kTopP},
    Row{"topK", kTopK},
    Row{"top_k", kTopK},
    Row{"frequencyPenalty", kFrequencyPenalty},
    Row{"frequency_penalty", kFrequencyPenalty},
    Row{"presencePenalty", kPresencePenalty},
    Row{"presence_penalty", kPresencePenalty},
    Row{"seed", kSeed},
    Row{"candidateCount", kChoiceCount},
    Row{"candidate_count", kChoiceCount},
    Row{"stopSequences[]", kStopSequence},
    Row{"stop_sequences[]", kStopSequence},
    Row{"responseMimeType", kOutputType},
    Row{"response_mime_type", kOutputType},
    Row{"responseModalities[]", kOutputType},
    Row{"response_modalities[]", kOutputType},
    Row{"thinkingConfig.thinkingLevel", kReasoningLevel},
    Row{"thinking_config.thinking_level", kReasoningLevel},
};
constexpr std::array kResultRows = {
    Row{"{}", kResult},
    Row{".id", kResultId},
    Row{".name", kResultName},
};
constexpr std::array kResultContent = {Row{".response*", kResultText}};
constexpr std::array kPastCallRows = {
    Row{".id", kPastToolId},
    Row{".name", kPastToolName},
    Row{".args*", kPastToolArguments},
};
constexpr std::array kRequestMessages = {
    Row{"systemInstruction.parts[].text", kSystem},
    Row{"system_instruction.parts[].text", kSystem},
    Row{"contents[].parts[]{}", kPart},
    Row{"contents[].parts[].text", kText},
    Row{"contents[].parts[].thought", kThought},
};
constexpr std::array kSaid = {
    Row{"candidates[].content.parts[]{}", kPart},
    Row{"candidates[].content.parts[].text", kText},
    Row{"candidates[].content.parts[].thought", kThought},
};
constexpr std::array kResponseRows = {
    Row{"responseId", kResponseId},
    Row{"modelVersion", kResponseModel},
    Row{"candidates[]{}", kCandidate},
    Row{"candidates[].index", kIndex},
    Row{"candidates[].finishReason", kFinish},
    Row{"candidates[].content.parts[].functionCall{}", kTool},
    Row{"candidates[].content.parts[].functionCall.id", kToolId},
    Row{"candidates[].content.parts[].functionCall.name", kToolName},
    Row{"promptFeedback.blockReason", kBlocked},
    Row{"usageMetadata.promptTokenCount", kInputTokens},
    Row{"usageMetadata.toolUsePromptTokenCount", kMoreInputTokens},
    Row{"usageMetadata.candidatesTokenCount", kOutputTokens},
    Row{"usageMetadata.cachedContentTokenCount", kCacheReadTokens},
    Row{"usageMetadata.thoughtsTokenCount", kReasoningTokens},
    Row{"error.status", kErrorType},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},
    Row{"error.code", kErrorCode},
};
constexpr std::array kToolContent = {
    Row{"candidates[].content.parts[].functionCall.args*", kToolArguments}};
constexpr std::array kErrorContent = {Row{"error.message", kErrorText}};
constexpr std::array<std::string_view, 2> kInRequest = {"", "request."};
constexpr std::array<std::string_view, 4> kInConfig = {"generationConfig.", "generation_config.",
                                                       "request.generationConfig.",
                                                       "request.generation_config."};
constexpr std::array<std::string_view, 4> kInResult = {
    "contents[].parts[].functionResponse", "contents[].parts[].function_response",
    "request.contents[].parts[].functionResponse", "request.contents[].parts[].function_response"};
constexpr std::array<std::string_view, 4> kInPastCall = {
    "contents[].parts[].functionCall", "contents[].parts[].function_call",
    "request.contents[].parts[].functionCall", "request.contents[].parts[].function_call"};
constexpr std::array<std::string_view, 4> kInResponse = {"", "[].", "response.", "[].response."};

const Tables& request_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kRequestRows, .prefixes = kInRequest},
      Paths{.rows = kConfigRows, .prefixes = kInConfig},
      Paths{.rows = kResultRows, .prefixes = kInResult},
      Paths{.rows = kResultContent, .prefixes = kInResult, .from = Capture::kTools},
      Paths{.rows = kRequestMessages, .prefixes = kInRequest, .from = Capture::kAll},
      Paths{.rows = kPastCallRows, .prefixes = kInPastCall, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& response_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kResponseRows, .prefixes = kInResponse},
      Paths{.rows = kToolContent, .prefixes = kInResponse, .from = Capture::kTools},
      Paths{.rows = kErrorContent, .prefixes = kInResponse, .from = Capture::kAll},
      Paths{.rows = kSaid, .prefixes = kInResponse, .from = Capture::kAll},
  });
  return kTables;
}

class GeminiReader final : public ApiReader {
 public:
  explicit GeminiReader(CallDraft& draft) : draft_(draft) {
    draft_.set_usage_rule({.reasoning_apart = true});
  }

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void on_response(const Picked& picked) override;

 private:
  bool take_part(const Picked& picked);
  void end_past_part();
  void end_result();
  void end_part();
  void end_candidate();
  void end_tool();

  CallDraft& draft_;
  std::string role_;
  ToolResult result_;
  std::string result_name_;
  Message message_;
  Part past_;
  // Of the part of the answer, and of the candidate, that are read.
  Part part_;
  std::string text_;
  std::string reasoning_;
  uint32_t index_ = 0;
  std::string finish_;
  ToolCall tool_;
};

void GeminiReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kObject) {
        role_.clear();
        message_ = {};
        return;
      }
      message_.role = role_ == "model" ? "assistant" : "user";
      draft_.add_message(std::exchange(message_, {}));
      if (role_ == "model") draft_.forget_tool_results();
      return;
    case kRole:
      return CallDraft::keep(role_, picked, CallDraft::kWordBytesMax);
    case kResult:
      if (picked.kind == Picked::Kind::kEnd) return end_result();
      result_ = {};
      result_name_.clear();
      return;
    case kResultId:
      return CallDraft::keep(result_.id, picked);
    case kResultName:
      return CallDraft::keep(result_name_, picked);
    case kResultText:
      return draft_.append_content(result_.text, picked);
    case kSystem:
      return draft_.add_instruction(picked);
    case kPart:
      if (picked.kind == Picked::Kind::kEnd) return end_past_part();
      past_ = {};
      return;
    default:
      if (!take_part(picked)) draft_.take(picked);
  }
}

// Returns whether it is of a part of a message.
bool GeminiReader::take_part(const Picked& picked) {
  switch (picked.id) {
    case kText:
      draft_.append_content(past_.text, picked);
      return true;
    case kThought:
      if (picked.kind == Picked::Kind::kBool && picked.truth) past_.kind = Part::Kind::kReasoning;
      return true;
    case kPastToolId:
      CallDraft::keep(past_.id, picked);
      return true;
    case kPastToolName:
      past_.kind = Part::Kind::kToolCall;
      CallDraft::keep(past_.name, picked);
      return true;
    case kPastToolArguments:
      draft_.append_content(past_.text, picked);
      return true;
    default:
      return false;
  }
}

void GeminiReader::end_past_part() {
  const bool says = past_.kind == Part::Kind::kToolCall ||
                    past_.kind == Part::Kind::kToolResponse || !past_.text.empty();
  Part* const part = says ? draft_.add_part(message_, past_.kind) : nullptr;
  if (part != nullptr) *part = std::exchange(past_, {});
}

void GeminiReader::end_result() {
  if (result_.id.empty()) result_.id = result_name_;
  past_ = {.kind = Part::Kind::kToolResponse, .id = result_.id, .text = result_.text};
  if (!result_.id.empty()) draft_.add_tool_result(std::exchange(result_, {}));
}

void GeminiReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kCandidate:
      if (picked.kind == Picked::Kind::kEnd) return end_candidate();
      index_ = picked.places.back();
      finish_.clear();
      text_.clear();
      reasoning_.clear();
      return;
    case kPart:
      if (picked.kind == Picked::Kind::kEnd) return end_part();
      part_ = {};
      return;
    case kText:
      return draft_.append_content(part_.text, picked);
    case kThought:
      if (picked.kind == Picked::Kind::kBool && picked.truth) part_.kind = Part::Kind::kReasoning;
      return;
    case kIndex:
      if (picked.kind == Picked::Kind::kInteger) index_ = static_cast<uint32_t>(picked.integer);
      return;
    case kFinish:
      return CallDraft::keep(finish_, picked, CallDraft::kWordBytesMax);
    case kBlocked:
      // Then there are no candidates.
      if (picked.kind == Picked::Kind::kText) draft_.set_finish_reason(0, picked.text);
      return;
    case kTool:
      if (picked.kind == Picked::Kind::kEnd) return end_tool();
      tool_ = {};
      return;
    case kToolId:
      return CallDraft::keep(tool_.id, picked);
    case kToolName:
      return CallDraft::keep(tool_.name, picked);
    case kToolArguments:
      return draft_.append_content(tool_.arguments, picked);
    default:
      draft_.take(picked);
  }
}

// What is thought out says so beside its text, before or behind it.
void GeminiReader::end_part() {
  std::string& to = part_.kind == Part::Kind::kReasoning ? reasoning_ : text_;
  draft_.append_content(to, {.kind = Picked::Kind::kText, .text = part_.text});
}

void GeminiReader::end_candidate() {
  draft_.expect_choice(index_);
  draft_.set_finish_reason(index_, finish_);
  draft_.add_reasoning(index_, reasoning_);
  draft_.add_output(index_, text_);
}

void GeminiReader::end_tool() {
  if (tool_.name.empty()) return;
  ToolCall* tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->id = std::move(tool_.id);
  tool->name = std::move(tool_.name);
  tool->choice = index_;
  draft_.add_arguments(*tool, tool_.arguments);
}

}  // namespace

std::unique_ptr<ApiReader> make_gemini_reader(CallDraft& draft) {
  return std::make_unique<GeminiReader>(draft);
}

}  // namespace sidespan::semconv::genai
