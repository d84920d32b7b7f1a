// Ollama's chat and generate, one object or lines of which each says a part and the last one the
// counts, and its embeddings. Parameters stand among `options`. Calls of tools come whole, most of
// them without ids; a result then names its tool.
#include <array>
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
  kResultId,
  kResultName,
  kResultText,
  kSchema,
  kPredict,
  kDone,
  kDoneReason,
  kTool,
  kToolId,
  kToolName,
  kToolArguments,
  kSystem,
  kPrompt,
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
    Row{"think", kReasoningLevel},
    Row{"format", kOutputType},
    Row{"format{}", kSchema},
    Row{"options.num_predict", kPredict},
    Row{"options.temperature", kTemperature},
    Row{"options.top_p", kTopP},
    Row{"options.top_k", kTopK},
    Row{"options.frequency_penalty", kFrequencyPenalty},
    Row{"options.presence_penalty", kPresencePenalty},
    Row{"options.seed", kSeed},
    Row{"options.stop[]", kStopSequence},
    Row{"messages[]{}", kMessage},
    Row{"messages[].role", kRole},
    Row{"messages[].tool_call_id", kResultId},
    Row{"messages[].tool_name", kResultName},
};
constexpr std::array kRequestContent = {Row{"messages[].content", kResultText}};
constexpr std::array kRequestMessages = {
    Row{"system", kSystem},
    Row{"prompt", kPrompt},
    Row{"messages[].thinking", kReasoning},
    Row{"messages[].tool_calls[]{}", kPastTool},
    Row{"messages[].tool_calls[].id", kPastToolId},
    Row{"messages[].tool_calls[].function.name", kPastToolName},
    Row{"messages[].tool_calls[].function.arguments*", kPastToolArguments},
};
constexpr std::array kSaid = {
    Row{"message.content", kText},
    Row{"message.thinking", kReasoning},
    Row{"response", kText},
    Row{"thinking", kReasoning},
};
constexpr std::array kResponseRows = {
    Row{"model", kResponseModel},
    Row{"done", kDone},
    Row{"done_reason", kDoneReason},
    Row{"prompt_eval_count", kInputTokens},
    Row{"eval_count", kOutputTokens},
    Row{"message.tool_calls[]{}", kTool},
    Row{"message.tool_calls[].id", kToolId},
    Row{"message.tool_calls[].function.name", kToolName},
    Row{"error", kErrorWords},
};
constexpr std::array kResponseContent = {
    Row{"message.tool_calls[].function.arguments*", kToolArguments}};
constexpr std::array kEmbedRequestRows = {
    Row{"model", kRequestModel},
    Row{"dimensions", kDimensions},
};
constexpr std::array kEmbedResponseRows = {
    Row{"model", kResponseModel},
    Row{"prompt_eval_count", kInputTokens},
    Row{"error", kErrorWords},
};

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
      Paths{.rows = kResponseRows},
      Paths{.rows = kResponseContent, .from = Capture::kTools},
      Paths{.rows = kSaid, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& embed_request_tables() {
  static const Tables kTables(std::array{Paths{.rows = kEmbedRequestRows}});
  return kTables;
}

const Tables& embed_response_tables() {
  static const Tables kTables(std::array{Paths{.rows = kEmbedResponseRows}});
  return kTables;
}

class OllamaReader final : public ApiReader {
 public:
  explicit OllamaReader(CallDraft& draft) : draft_(draft) {}

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void on_response(const Picked& picked) override;

 private:
  void take_past_tool(const Picked& picked);
  void end_message();
  void end_tool();

  CallDraft& draft_;
  std::string role_;
  ToolResult result_;
  std::string result_name_;
  Message message_;
  Part past_;  // the call that is read
  ToolCall tool_;
};

void OllamaReader::on_request(const Picked& picked) {
  switch (picked.id) {
    case kMessage:
      if (picked.kind == Picked::Kind::kEnd) return end_message();
      role_.clear();
      result_ = {};
      result_name_.clear();
      message_ = {};
      return;
    case kRole:
      return CallDraft::keep(role_, picked, CallDraft::kWordBytesMax);
    case kResultId:
      return CallDraft::keep(result_.id, picked);
    case kResultName:
      return CallDraft::keep(result_name_, picked);
    case kResultText:
      draft_.append_content(result_.text, picked);
      return draft_.add_text(message_, picked);
    case kSystem:
      return draft_.add_instruction(picked);
    case kPrompt: {
      Message prompt{.role = "user"};
      draft_.add_text(prompt, picked);
      return draft_.add_message(std::move(prompt));
    }
    case kReasoning:
      return draft_.add_text(message_, picked, Part::Kind::kReasoning);
    case kPastTool:
    case kPastToolId:
    case kPastToolName:
    case kPastToolArguments:
      return take_past_tool(picked);
    case kSchema:
      draft_.call.parameters.output_type = "json";
      return;
    case kPredict: {
      // Less than none: without a limit, or as much as there is room for.
      Picked limit = picked;
      limit.id = kMaxTokens;
      if (picked.number > 0) draft_.take(limit);
      return;
    }
    default:
      draft_.take(picked);
  }
}

void OllamaReader::take_past_tool(const Picked& picked) {
  if (picked.id == kPastToolId) return CallDraft::keep(past_.id, picked);
  if (picked.id == kPastToolName) return CallDraft::keep(past_.name, picked);
  if (picked.id == kPastToolArguments) return draft_.append_content(past_.text, picked);
  Part past = std::exchange(past_, {.kind = Part::Kind::kToolCall});
  if (picked.kind != Picked::Kind::kEnd) return;
  if (Part* const part = draft_.add_part(message_, past.kind)) *part = std::move(past);
}

void OllamaReader::end_message() {
  if (result_.id.empty()) result_.id = result_name_;
  draft_.end_message(message_, role_, result_);
}

void OllamaReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kDone:
      if (picked.kind == Picked::Kind::kBool && picked.truth) draft_.set_ended();
      return draft_.expect_choice(0);
    case kDoneReason:
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
    default:
      draft_.take(picked);
  }
}

void OllamaReader::end_tool() {
  if (tool_.name.empty()) return;
  ToolCall* tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->id = std::move(tool_.id);
  tool->name = std::move(tool_.name);
  draft_.add_arguments(*tool, tool_.arguments);
}

}  // namespace

std::unique_ptr<ApiReader> make_ollama_reader(CallDraft& draft) {
  return std::make_unique<OllamaReader>(draft);
}

std::unique_ptr<ApiReader> make_ollama_embed_reader(CallDraft& draft) {
  return make_plain_reader(draft, embed_request_tables(), embed_response_tables());
}

}  // namespace sidespan::semconv::genai
