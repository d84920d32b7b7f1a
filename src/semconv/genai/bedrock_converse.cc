// Amazon Bedrock's Converse and ConverseStream, and InvokeModel of Amazon's own Nova models, which
// speak the same: a message, or events of which each says a part of it. What Converse has as an
// event's name, a Nova stream has as the one member of a document. Cached tokens are counted apart
// from the input's.
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/bedrock.h"
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
  kResultText,
  kAnswer,
  kTool,
  kToolId,
  kToolName,
  kToolType,
  kToolInput,
  kToolInputPart,
  kIndex,
  kStopReason,
  kSystem,
  kBlock,
  kText,
  kReasoning,
  kPastTool,
  kPastToolId,
  kPastToolName,
  kPastToolType,
  kPastToolInput,
};

constexpr std::array kRequestRows = {
    Row{"inferenceConfig.maxTokens", kMaxTokens},
    Row{"inferenceConfig.max_new_tokens", kMaxTokens},
    Row{"inferenceConfig.temperature", kTemperature},
    Row{"inferenceConfig.topP", kTopP},
    Row{"inferenceConfig.topK", kTopK},
    Row{"inferenceConfig.stopSequences[]", kStopSequence},
    Row{"additionalModelRequestFields.top_k", kTopK},
    Row{"additionalModelRequestFields.inferenceConfig.topK", kTopK},  // Nova
    Row{"outputConfig.effort", kReasoningLevel},
    Row{"outputConfig.textFormat.type", kOutputType},
    Row{"messages[]{}", kMessage},
    Row{"messages[].role", kRole},
    Row{"messages[].content[].toolResult{}", kResult},
    Row{"messages[].content[].toolResult.toolUseId", kResultId},
};
constexpr std::array kRequestContent = {
    Row{"messages[].content[].toolResult.content[].text", kResultText},
    Row{"messages[].content[].toolResult.content[].json*", kResultText},
};
constexpr std::array kRequestMessages = {
    Row{"system[].text", kSystem},
    Row{"messages[].content[]{}", kBlock},
    Row{"messages[].content[].text", kText},
    Row{"messages[].content[].citationsContent.content[].text", kText},
    Row{"messages[].content[].reasoningContent.reasoningText.text", kReasoning},
    Row{"messages[].content[].toolUse{}", kPastTool},
    Row{"messages[].content[].toolUse.toolUseId", kPastToolId},
    Row{"messages[].content[].toolUse.name", kPastToolName},
    Row{"messages[].content[].toolUse.type", kPastToolType},
    Row{"messages[].content[].toolUse.input*", kPastToolInput},
};
constexpr std::array kSaid = {
    Row{"output.message.content[].text", kText},
    Row{"output.message.content[].citationsContent.content[].text", kText},
    Row{"output.message.content[].reasoningContent.reasoningText.text", kReasoning},
};
constexpr std::array kSaidInEvent = {
    Row{"delta.text", kText},
    Row{"delta.reasoningContent.text", kReasoning},
};
constexpr std::array kAnswerRows = {
    Row{"output.message.role", kAnswer},
    Row{"output.message.content[].toolUse{}", kTool},
    Row{"output.message.content[].toolUse.toolUseId", kToolId},
    Row{"output.message.content[].toolUse.name", kToolName},
    Row{"output.message.content[].toolUse.type", kToolType},
};
constexpr std::array kAnswerContent = {
    Row{"output.message.content[].toolUse.input*", kToolInput},
};
constexpr std::array kEventRows = {
    Row{"role", kAnswer},
    Row{"contentBlockIndex", kIndex},
    Row{"start.toolUse{}", kTool},
    Row{"start.toolUse.toolUseId", kToolId},
    Row{"start.toolUse.name", kToolName},
    Row{"start.toolUse.type", kToolType},
    Row{"stopReason", kStopReason},
    Row{"usage.inputTokens", kInputTokens},
    Row{"usage.outputTokens", kOutputTokens},
    Row{"usage.cacheReadInputTokens", kCacheReadTokens},
    Row{"usage.cacheWriteInputTokens", kCacheWriteTokens},
    Row{"usage.cacheReadInputTokenCount", kCacheReadTokens},    // Nova's own
    Row{"usage.cacheWriteInputTokenCount", kCacheWriteTokens},  // Nova's own
};
constexpr std::array kEventContent = {Row{"delta.toolUse.input", kToolInputPart}};
constexpr std::array kErrorContent = {Row{"message", kErrorText}};
constexpr std::array<std::string_view, 6> kInEvent = {
    "", "messageStart.", "contentBlockStart.", "contentBlockDelta.", "messageStop.", "metadata."};

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
      Paths{.rows = kAnswerRows},
      Paths{.rows = kAnswerContent, .from = Capture::kTools},
      Paths{.rows = kEventRows, .prefixes = kInEvent},
      Paths{.rows = kEventContent, .prefixes = kInEvent, .from = Capture::kTools},
      Paths{.rows = kErrorContent, .from = Capture::kAll},
      Paths{.rows = kSaid, .from = Capture::kAll},
      Paths{.rows = kSaidInEvent, .prefixes = kInEvent, .from = Capture::kAll},
  });
  return kTables;
}

class ConverseReader final : public ApiReader {
 public:
  explicit ConverseReader(CallDraft& draft) : draft_(draft) {
    draft_.set_usage_rule({.cache_apart = true});
  }

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void on_response_head(const http::Head& head) override { take_bedrock_error(draft_, head); }
  void begin_response(std::string_view event) override;
  void on_response(const Picked& picked) override;
  void end_response(bool whole) override;

 private:
  // Where the call of a block of a streamed message is in the draft.
  struct Slot {
    int64_t index;
    size_t at;
  };

  void end_message();
  void end_result();
  void take_block(const Picked& picked);
  void end_block();
  void end_tool();

  CallDraft& draft_;
  std::string role_;
  ToolResult result_;
  Message message_;
  Part block_;  // of the request
  std::string block_type_;
  // Of the document that is read.
  ToolCall tool_;
  std::string tool_type_;
  std::string part_;
  int64_t index_ = -1;
  bool began_ = false;  // it holds a call that began
  size_t began_at_ = 0;
  std::vector<Slot> slots_;
};

void ConverseReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kEnd) return end_message();
      role_.clear();
      message_ = {};
      return;
    case kRole:
      return CallDraft::keep(role_, picked, CallDraft::kWordBytesMax);
    case kResult:
      if (picked.kind == Picked::Kind::kEnd) return end_result();
      result_ = {};
      return;
    case kResultId:
      return CallDraft::keep(result_.id, picked);
    case kResultText:
      return draft_.append_content(result_.text, picked);
    case kSystem:
      return draft_.add_instruction(picked);
    case kBlock:
      if (picked.kind == Picked::Kind::kEnd) return end_block();
      block_ = {};
      block_type_.clear();
      return;
    case kText:
    case kReasoning:
    case kPastTool:
    case kPastToolId:
    case kPastToolName:
    case kPastToolType:
    case kPastToolInput:
      return take_block(picked);
    default:
      draft_.take(picked);
  }
}

void ConverseReader::end_message() {
  message_.role = role_;
  draft_.add_message(std::exchange(message_, {}));
  if (role_ == "assistant") draft_.forget_tool_results();
}

void ConverseReader::end_result() {
  if (draft_.captures(Capture::kAll)) {
    block_ = {.kind = Part::Kind::kToolResponse, .id = result_.id, .text = result_.text};
  }
  if (!result_.id.empty()) draft_.add_tool_result(std::move(result_));
  result_ = {};
}

void ConverseReader::take_block(const Picked& picked) {
  switch (picked.id) {
    case kPastTool:
      block_.kind = Part::Kind::kToolCall;
      return;
    case kPastToolId:
      return CallDraft::keep(block_.id, picked);
    case kPastToolName:
      return CallDraft::keep(block_.name, picked);
    case kPastToolType:
      return CallDraft::keep(block_type_, picked, CallDraft::kWordBytesMax);
    case kReasoning:
      block_.kind = Part::Kind::kReasoning;
      break;
    default:
      break;
  }
  draft_.append_content(block_.text, picked);
}

// Of a tool's calls those alone that the agent ran.
void ConverseReader::end_block() {
  const bool says = !block_.id.empty() || !block_.text.empty();
  Part* const part = says && block_type_.empty() ? draft_.add_part(message_, block_.kind) : nullptr;
  if (part != nullptr) *part = std::exchange(block_, {});
}

void ConverseReader::begin_response(std::string_view event) {
  take_bedrock_exception(draft_, event);
  part_.clear();
  index_ = -1;
  began_ = false;
}

void ConverseReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kAnswer:
      return draft_.expect_choice(0);
    case kTool:
      if (picked.kind == Picked::Kind::kEnd) return end_tool();
      tool_ = {};
      tool_type_.clear();
      return;
    case kToolId:
      return CallDraft::keep(tool_.id, picked);
    case kToolName:
      return CallDraft::keep(tool_.name, picked);
    case kToolType:
      return CallDraft::keep(tool_type_, picked, CallDraft::kWordBytesMax);
    case kToolInput:
      return draft_.append_content(tool_.arguments, picked);
    case kToolInputPart:
      return draft_.append_content(part_, picked);
    case kText:
      if (picked.kind == Picked::Kind::kText) draft_.add_output(0, picked.text);
      return;
    case kReasoning:
      if (picked.kind == Picked::Kind::kText) draft_.add_reasoning(0, picked.text);
      return;
    case kIndex:
      if (picked.kind == Picked::Kind::kInteger) index_ = picked.integer;
      return;
    case kStopReason:
      if (picked.kind == Picked::Kind::kText) draft_.set_finish_reason(0, picked.text);
      return;
    default:
      draft_.take(picked);
  }
}

// What the provider runs by itself has a type, server_tool_use; what the agent is to run has none.
void ConverseReader::end_tool() {
  if (!tool_type_.empty() || tool_.name.empty()) return;
  ToolCall* tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->id = std::move(tool_.id);
  tool->name = std::move(tool_.name);
  draft_.add_arguments(*tool, tool_.arguments);
  began_ = true;
  began_at_ = draft_.call.tool_calls.size() - 1;
}

// An index may stand before or behind what it belongs to.
void ConverseReader::end_response(bool /*whole*/) {
  if (index_ < 0) return;
  if (began_) slots_.push_back({index_, began_at_});
  if (part_.empty()) return;
  for (const Slot& slot : slots_) {
    if (slot.index == index_) draft_.add_arguments(draft_.call.tool_calls[slot.at], part_);
  }
}

}  // namespace

void take_bedrock_error(CallDraft& draft, const http::Head& head) {
  const std::string_view said = head.headers.find("x-amzn-errortype").value_or("");
  const std::string_view type = said.substr(0, said.find(':'));
  if (type.empty() || type.size() > CallDraft::kWordBytesMax) return;
  draft.call.error.type = type;
}

bool take_bedrock_exception(CallDraft& draft, std::string_view event) {
  if (!event.ends_with("Exception")) return false;
  draft.call.error.type = event.substr(0, CallDraft::kWordBytesMax);
  return true;
}

std::unique_ptr<ApiReader> make_bedrock_converse_reader(CallDraft& draft) {
  return std::make_unique<ConverseReader>(draft);
}

}  // namespace sidespan::semconv::genai
