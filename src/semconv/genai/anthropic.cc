// Anthropic Messages: one message, or events of which each says a part of it. Cached tokens are
// counted apart from the input's.
#include <array>
#include <cstdint>
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
  kUserId,
  kBlock,
  kBlockType,
  kResultId,
  kResultText,
  kToolId,
  kToolName,
  kToolInput,
  kToolInputPart,
  kIndex,
  kStopReason,
  kAnswer,
  kSystem,
  kText,
  kPlainText,
  kThinking,
  kPastToolId,
  kPastToolName,
  kPastToolInput,
};

constexpr size_t kUserIdBytesMax = 256;

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"max_tokens", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"top_p", kTopP},
    Row{"top_k", kTopK},
    Row{"stream", kStream},
    Row{"stop_sequences[]", kStopSequence},
    Row{"output_config.effort", kReasoningLevel},
    Row{"output_config.format.type", kOutputType},
    Row{"output_format.type", kOutputType},
    Row{"metadata.user_id", kUserId},
    Row{"messages[]{}", kMessage},
    Row{"messages[].role", kRole},
    Row{"messages[].content[]{}", kBlock},
    Row{"messages[].content[].type", kBlockType},
    Row{"messages[].content[].tool_use_id", kResultId},
};
constexpr std::array kRequestContent = {
    Row{"messages[].content[].content", kResultText},
    Row{"messages[].content[].content[].text", kResultText},
};
constexpr std::array kRequestMessages = {
    Row{"system", kSystem},
    Row{"system[].text", kSystem},
    Row{"messages[].content", kPlainText},
    Row{"messages[].content[].text", kText},
    Row{"messages[].content[].thinking", kThinking},
    Row{"messages[].content[].id", kPastToolId},
    Row{"messages[].content[].name", kPastToolName},
    Row{"messages[].content[].input*", kPastToolInput},
};
// Of a message, which an event may carry.
constexpr std::array kMessageRows = {
    Row{"id", kResponseId},
    Row{"model", kResponseModel},
    Row{"role", kAnswer},
    Row{"stop_reason", kStopReason},
    Row{"content[]{}", kBlock},
    Row{"content[].type", kBlockType},
    Row{"content[].id", kToolId},
    Row{"content[].name", kToolName},
    Row{"usage.input_tokens", kInputTokens},
    Row{"usage.output_tokens", kOutputTokens},
    Row{"usage.cache_read_input_tokens", kCacheReadTokens},
    Row{"usage.cache_creation_input_tokens", kCacheWriteTokens},
    Row{"usage.output_tokens_details.thinking_tokens", kReasoningTokens},
};
constexpr std::array kMessageContent = {Row{"content[].input*", kToolInput}};
constexpr std::array kSaid = {
    Row{"content[].text", kText},
    Row{"content[].thinking", kThinking},
};
constexpr std::array kSaidInEvent = {
    Row{"content_block.text", kText},
    Row{"content_block.thinking", kThinking},
    Row{"delta.text", kText},
    Row{"delta.thinking", kThinking},
};
constexpr std::array kEventRows = {
    Row{"index", kIndex},
    Row{"content_block{}", kBlock},
    Row{"content_block.type", kBlockType},
    Row{"content_block.id", kToolId},
    Row{"content_block.name", kToolName},
    Row{"delta.stop_reason", kStopReason},
    Row{"error.type", kErrorType},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},
};
constexpr std::array kEventContent = {Row{"delta.partial_json", kToolInputPart}};
constexpr std::array kErrorContent = {Row{"error.message", kErrorText}};
constexpr std::array<std::string_view, 2> kInMessage = {"", "message."};

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
      Paths{.rows = kMessageRows, .prefixes = kInMessage},
      Paths{.rows = kMessageContent, .prefixes = kInMessage, .from = Capture::kTools},
      Paths{.rows = kEventRows},
      Paths{.rows = kEventContent, .from = Capture::kTools},
      Paths{.rows = kErrorContent, .from = Capture::kAll},
      Paths{.rows = kSaid, .prefixes = kInMessage, .from = Capture::kAll},
      Paths{.rows = kSaidInEvent, .from = Capture::kAll},
  });
  return kTables;
}

class AnthropicReader final : public ApiReader {
 public:
  explicit AnthropicReader(CallDraft& draft) : draft_(draft) {
    draft_.set_usage_rule({.cache_apart = true});
  }

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void begin_response(std::string_view event) override;
  void on_response(const Picked& picked) override;
  void end_response(bool whole) override;

 private:
  // Where the call of a block of a streamed message is in the draft.
  struct Slot {
    int64_t index;
    size_t at;
  };

  bool take_block(const Picked& picked);
  void end_result();
  void end_past_block();
  void end_block();

  CallDraft& draft_;
  std::string role_;
  std::string request_type_;
  ToolResult result_;
  Message message_;
  Part block_;            // of the request
  bool stopped_ = false;  // it was said why; the last counts are in the same document
  // Of the document that is read.
  std::string block_type_;
  ToolCall tool_;
  std::string part_;
  int64_t index_ = -1;
  bool began_ = false;  // it holds a block that began
  size_t began_at_ = 0;
  std::vector<Slot> slots_;
};

void AnthropicReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kObject) {
        role_.clear();
        message_ = {};
        return;
      }
      message_.role = role_;
      draft_.add_message(std::exchange(message_, {}));
      if (role_ == "assistant") draft_.forget_tool_results();
      return;
    case kRole:
      return CallDraft::keep(role_, picked, CallDraft::kWordBytesMax);
    case kUserId:
      if (!picked.cut) CallDraft::keep(draft_.call.user_id, picked, kUserIdBytesMax);
      return;
    case kBlock:
      if (picked.kind == Picked::Kind::kEnd) {
        end_past_block();
        return end_result();
      }
      request_type_.clear();
      result_ = {};
      block_ = {};
      return;
    case kBlockType:
      return CallDraft::keep(request_type_, picked, CallDraft::kWordBytesMax);
    case kResultId:
      return CallDraft::keep(result_.id, picked);
    case kResultText:
      return draft_.append_content(result_.text, picked);
    case kSystem:
      return draft_.add_instruction(picked);
    case kPlainText:
      return draft_.add_text(message_, picked);
    default:
      if (!take_block(picked)) draft_.take(picked);
  }
}

// Returns whether it is of one that is only a part of a message.
bool AnthropicReader::take_block(const Picked& picked) {
  switch (picked.id) {
    case kText:
    case kThinking:
    case kPastToolInput:
      draft_.append_content(block_.text, picked);
      return true;
    case kPastToolId:
      CallDraft::keep(block_.id, picked);
      return true;
    case kPastToolName:
      CallDraft::keep(block_.name, picked);
      return true;
    default:
      return false;
  }
}

void AnthropicReader::end_past_block() {
  using Kind = Part::Kind;
  const bool result = request_type_ == "tool_result";
  const bool known = result || request_type_ == "text" || request_type_ == "thinking" ||
                     request_type_ == "tool_use";
  block_.kind = result                        ? Kind::kToolResponse
                : request_type_ == "tool_use" ? Kind::kToolCall
                : request_type_ == "thinking" ? Kind::kReasoning
                                              : Kind::kText;
  if (result) {
    block_.id = result_.id;
    block_.text = result_.text;
  }
  Part* const part = known ? draft_.add_part(message_, block_.kind) : nullptr;
  if (part != nullptr) *part = std::exchange(block_, {});
}

void AnthropicReader::end_result() {
  if (request_type_ != "tool_result" || result_.id.empty()) return;
  draft_.add_tool_result(std::exchange(result_, {}));
}

void AnthropicReader::begin_response(std::string_view /*event*/) {
  part_.clear();
  index_ = -1;
  began_ = false;
}

void AnthropicReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kAnswer:
      return draft_.expect_choice(0);
    case kBlock:
      if (picked.kind == Picked::Kind::kEnd) return end_block();
      block_type_.clear();
      tool_ = {};
      return;
    case kBlockType:
      return CallDraft::keep(block_type_, picked, CallDraft::kWordBytesMax);
    case kToolId:
      return CallDraft::keep(tool_.id, picked);
    case kToolName:
      return CallDraft::keep(tool_.name, picked);
    case kToolInput:
      return draft_.append_content(tool_.arguments, picked);
    case kToolInputPart:
      return draft_.append_content(part_, picked);
    case kText:
      if (picked.kind == Picked::Kind::kText) draft_.add_output(0, picked.text);
      return;
    case kThinking:
      if (picked.kind == Picked::Kind::kText) draft_.add_reasoning(0, picked.text);
      return;
    case kIndex:
      if (picked.kind == Picked::Kind::kInteger) index_ = picked.integer;
      return;
    case kStopReason:
      if (picked.kind != Picked::Kind::kText) return;
      stopped_ = true;
      return draft_.set_finish_reason(0, picked.text);
    default:
      draft_.take(picked);
  }
}

// What the provider runs by itself has other types: server_tool_use, mcp_tool_use.
void AnthropicReader::end_block() {
  if (block_type_ != "tool_use") return;
  ToolCall* tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->id = std::move(tool_.id);
  tool->name = std::move(tool_.name);
  draft_.add_arguments(*tool, tool_.arguments);
  began_ = true;
  began_at_ = draft_.call.tool_calls.size() - 1;
}

// An index may stand before or behind what it belongs to.
void AnthropicReader::end_response(bool whole) {
  if (whole && stopped_) draft_.set_counted();
  if (index_ < 0) return;
  if (began_) slots_.push_back({index_, began_at_});
  if (part_.empty()) return;
  for (const Slot& slot : slots_) {
    if (slot.index == index_) draft_.add_arguments(draft_.call.tool_calls[slot.at], part_);
  }
}

}  // namespace

std::unique_ptr<ApiReader> make_anthropic_reader(CallDraft& draft) {
  return std::make_unique<AnthropicReader>(draft);
}

}  // namespace sidespan::semconv::genai
