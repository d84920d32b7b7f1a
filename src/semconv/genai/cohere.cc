// Cohere's API v2: chat, one message or events of which each says a part of it, and embeddings. Of
// tokens there are two counts; the billed one is told, the other where there is no bill.
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
  kResultId,
  kResultText,
  kAnswer,
  kFinish,
  kTool,
  kToolId,
  kToolName,
  kToolArguments,
  kIndex,
  kBilledInput,
  kBilledOutput,
  kReadInput,
  kReadOutput,
  kText,
  kReasoning,
  kPastTool,
  kPastToolId,
  kPastToolName,
  kPastToolArguments,
};

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"stream", kStream},
    Row{"max_tokens", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"p", kTopP},
    Row{"k", kTopK},
    Row{"frequency_penalty", kFrequencyPenalty},
    Row{"presence_penalty", kPresencePenalty},
    Row{"seed", kSeed},
    Row{"stop_sequences[]", kStopSequence},
    Row{"response_format.type", kOutputType},
    Row{"messages[]{}", kMessage},
    Row{"messages[].role", kRole},
    Row{"messages[].tool_call_id", kResultId},
};
constexpr std::array kRequestContent = {
    Row{"messages[].content", kResultText},
    Row{"messages[].content[].text", kResultText},
    Row{"messages[].content[].document.data*", kResultText},
};
// A plan is what was thought before tools were asked for.
constexpr std::array kRequestMessages = {
    Row{"messages[].content[].thinking", kReasoning},
    Row{"messages[].tool_plan", kReasoning},
    Row{"messages[].tool_calls[]{}", kPastTool},
    Row{"messages[].tool_calls[].id", kPastToolId},
    Row{"messages[].tool_calls[].function.name", kPastToolName},
    Row{"messages[].tool_calls[].function.arguments", kPastToolArguments},
};
constexpr std::array kSaid = {
    Row{"message.content[].text", kText},
    Row{"message.content[].thinking", kReasoning},
    Row{"message.tool_plan", kReasoning},
    Row{"delta.message.content.text", kText},
    Row{"delta.message.content.thinking", kReasoning},
    Row{"delta.message.tool_plan", kReasoning},
};
constexpr std::array kAnswerRows = {
    Row{"id", kResponseId},
    Row{"index", kIndex},
    Row{"message.tool_calls[]{}", kTool},
    Row{"message.tool_calls[].id", kToolId},
    Row{"message.tool_calls[].function.name", kToolName},
    Row{"delta.message.tool_calls{}", kTool},
    Row{"delta.message.tool_calls.id", kToolId},
    Row{"delta.message.tool_calls.function.name", kToolName},
    Row{"delta.error", kErrorWords},
};
constexpr std::array kAnswerContent = {
    Row{"message.tool_calls[].function.arguments", kToolArguments},
    Row{"delta.message.tool_calls.function.arguments", kToolArguments},
};
constexpr std::array kPartRows = {
    Row{"message.role", kAnswer},
    Row{"finish_reason", kFinish},
    Row{"usage.billed_units.input_tokens", kBilledInput},
    Row{"usage.billed_units.output_tokens", kBilledOutput},
    Row{"usage.tokens.input_tokens", kReadInput},
    Row{"usage.tokens.output_tokens", kReadOutput},
    Row{"usage.cached_tokens", kCacheReadTokens},
};
constexpr std::array<std::string_view, 2> kInPart = {"", "delta."};
constexpr std::array kEmbedRequestRows = {
    Row{"model", kRequestModel},
    Row{"output_dimension", kDimensions},
    Row{"embedding_types[]", kEncodingFormat},
};
constexpr std::array kEmbedResponseRows = {
    Row{"id", kResponseId},
    Row{"meta.billed_units.input_tokens", kInputTokens},
};
constexpr std::array kErrorContent = {Row{"message", kErrorText}};

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
      Paths{.rows = kPartRows, .prefixes = kInPart},
      Paths{.rows = kErrorContent, .from = Capture::kAll},
      Paths{.rows = kSaid, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& embed_request_tables() {
  static const Tables kTables(std::array{Paths{.rows = kEmbedRequestRows}});
  return kTables;
}

const Tables& embed_response_tables() {
  static const Tables kTables(std::array{Paths{.rows = kEmbedResponseRows},
                                         Paths{.rows = kErrorContent, .from = Capture::kAll}});
  return kTables;
}

class CohereReader final : public ApiReader {
 public:
  explicit CohereReader(CallDraft& draft) : draft_(draft) {}

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void begin_response(std::string_view event) override;
  void on_response(const Picked& picked) override;
  void end_response(bool whole) override;

 private:
  // Where the call of that index of a streamed message is in the draft.
  struct Slot {
    int64_t index;
    size_t at;
  };

  void take_past_tool(const Picked& picked);
  void end_tool();
  void count(Picked picked);

  CallDraft& draft_;
  std::string role_;
  ToolResult result_;
  Message message_;
  Part past_;  // the call that is read
  bool billed_input_ = false;
  bool billed_output_ = false;
  // Of the document that is read.
  ToolCall tool_;
  std::string part_;  // of a call that began before
  int64_t index_ = -1;
  bool began_ = false;  // it holds a call that began
  size_t began_at_ = 0;
  std::vector<Slot> slots_;
};

void CohereReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kEnd) return draft_.end_message(message_, role_, result_);
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
    case kReasoning:
      return draft_.add_text(message_, picked, Part::Kind::kReasoning);
    case kPastTool:
    case kPastToolId:
    case kPastToolName:
    case kPastToolArguments:
      return take_past_tool(picked);
    default:
      draft_.take(picked);
  }
}

void CohereReader::take_past_tool(const Picked& picked) {
  if (picked.id == kPastToolId) return CallDraft::keep(past_.id, picked);
  if (picked.id == kPastToolName) return CallDraft::keep(past_.name, picked);
  if (picked.id == kPastToolArguments) return draft_.append_content(past_.text, picked);
  Part past = std::exchange(past_, {.kind = Part::Kind::kToolCall});
  if (picked.kind != Picked::Kind::kEnd) return;
  if (Part* const part = draft_.add_part(message_, past.kind)) *part = std::move(past);
}

void CohereReader::begin_response(std::string_view /*event*/) {
  part_.clear();
  index_ = -1;
  began_ = false;
}

void CohereReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kAnswer:
      return draft_.expect_choice(0);
    case kFinish:
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
    case kText:
      if (picked.kind == Picked::Kind::kText) draft_.add_output(0, picked.text);
      return;
    case kReasoning:
      if (picked.kind == Picked::Kind::kText) draft_.add_reasoning(0, picked.text);
      return;
    case kIndex:
      if (picked.kind == Picked::Kind::kInteger) index_ = picked.integer;
      return;
    case kBilledInput:
    case kBilledOutput:
    case kReadInput:
    case kReadOutput:
      return count(picked);
    default:
      draft_.take(picked);
  }
}

// What goes on with a call says neither id nor name.
void CohereReader::end_tool() {
  if (tool_.id.empty() && tool_.name.empty()) {
    part_ = std::move(tool_.arguments);
    return;
  }
  ToolCall* tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->id = std::move(tool_.id);
  tool->name = std::move(tool_.name);
  draft_.add_arguments(*tool, tool_.arguments);
  began_ = true;
  began_at_ = draft_.call.tool_calls.size() - 1;
}

void CohereReader::count(Picked picked) {
  const bool number = picked.kind == Picked::Kind::kInteger || picked.kind == Picked::Kind::kNumber;
  if (!number) return;
  const bool input = picked.id == kBilledInput || picked.id == kReadInput;
  const bool billed = picked.id == kBilledInput || picked.id == kBilledOutput;
  bool& was_billed = input ? billed_input_ : billed_output_;
  if (!billed && was_billed) return;
  was_billed = was_billed || billed;
  picked.id = input ? kInputTokens : kOutputTokens;
  draft_.take(picked);
}

// An index may stand before or behind what it belongs to.
void CohereReader::end_response(bool /*whole*/) {
  if (index_ < 0) return;
  if (began_) slots_.push_back({index_, began_at_});
  if (part_.empty()) return;
  for (const Slot& slot : slots_) {
    if (slot.index == index_) draft_.add_arguments(draft_.call.tool_calls[slot.at], part_);
  }
}

}  // namespace

std::unique_ptr<ApiReader> make_cohere_reader(CallDraft& draft) {
  return std::make_unique<CohereReader>(draft);
}

std::unique_ptr<ApiReader> make_cohere_embed_reader(CallDraft& draft) {
  return make_plain_reader(draft, embed_request_tables(), embed_response_tables());
}

}  // namespace sidespan::semconv::genai
