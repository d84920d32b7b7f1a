// OpenAI Responses: an object with `output` items, or typed events, some of which carry the whole
// object. Over WebSocket the agent sends `response.create`, with the same members.
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
  kItem = kOwn,
  kItemType,
  kItemRole,
  kItemCallId,
  kItemName,
  kItemContent,
  kStatus,
  kIncomplete,
  kEventType,
  kEventCode,
  kEventText,
  kInstructions,
  kInput,
  kInputText,
  kInputArguments,
  kInputReasoning,
  kDelta,
  kOutputText,
  kOutputReasoning,
};

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"max_output_tokens", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"top_p", kTopP},
    Row{"stream", kStream},
    Row{"reasoning.effort", kReasoningLevel},
    Row{"text.format.type", kOutputType},
    Row{"previous_response_id", kPreviousResponseId},
    Row{"conversation", kConversationId},
    Row{"conversation.id", kConversationId},
    Row{"input[]{}", kItem},
    Row{"input[].type", kItemType},
    Row{"input[].role", kItemRole},
    Row{"input[].call_id", kItemCallId},
};
constexpr std::array kRequestContent = {
    Row{"input[].output", kItemContent},
    Row{"input[].output[].text", kItemContent},
};
constexpr std::array kRequestMessages = {
    Row{"instructions", kInstructions},
    Row{"input", kInput},
    Row{"input[].name", kItemName},
    Row{"input[].content", kInputText},
    Row{"input[].content[].text", kInputText},
    Row{"input[].arguments", kInputArguments},
    Row{"input[].summary[].text", kInputReasoning},
};
constexpr std::array kResponseRows = {
    Row{"id", kResponseId},
    Row{"model", kResponseModel},
    Row{"status", kStatus},
    Row{"incomplete_details.reason", kIncomplete},
    Row{"conversation.id", kConversationId},
    Row{"usage.input_tokens", kInputTokens},
    Row{"usage.output_tokens", kOutputTokens},
    Row{"usage.total_tokens", kTotalTokens},
    Row{"usage.input_tokens_details.cached_tokens", kCacheReadTokens},
    Row{"usage.output_tokens_details.reasoning_tokens", kReasoningTokens},
    Row{"error.type", kErrorType},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},
    Row{"error.code", kErrorCode},
};
constexpr std::array kErrorContent = {Row{"error.message", kErrorText}};
constexpr std::array kEventRows = {Row{"type", kEventType}, Row{"code", kEventCode}};
constexpr std::array kEventContent = {Row{"message", kEventText}};
constexpr std::array kItemRows = {
    Row{"{}", kItem},
    Row{".type", kItemType},
    Row{".call_id", kItemCallId},
    Row{".name", kItemName},
};
constexpr std::array kItemContentRows = {Row{".arguments", kItemContent},
                                         Row{".input", kItemContent}};
constexpr std::array kSaidInEvent = {Row{"delta", kDelta}};
constexpr std::array kSaid = {
    Row{"output[].content[].text", kOutputText},
    Row{"output[].content[].refusal", kOutputText},
    Row{"output[].summary[].text", kOutputReasoning},
};
constexpr std::array<std::string_view, 2> kInResponse = {"", "response."};
constexpr std::array<std::string_view, 3> kItems = {"item", "output[]", "response.output[]"};

const Tables& request_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kRequestRows, .prefixes = kInResponse},
      Paths{.rows = kRequestContent, .prefixes = kInResponse, .from = Capture::kTools},
      Paths{.rows = kRequestMessages, .prefixes = kInResponse, .from = Capture::kAll},
  });
  return kTables;
}

const Tables& response_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kResponseRows, .prefixes = kInResponse},
      Paths{.rows = kErrorContent, .prefixes = kInResponse, .from = Capture::kAll},
      Paths{.rows = kEventRows},
      Paths{.rows = kEventContent, .from = Capture::kAll},
      Paths{.rows = kItemRows, .prefixes = kItems},
      Paths{.rows = kItemContentRows, .prefixes = kItems, .from = Capture::kTools},
      Paths{.rows = kSaidInEvent, .from = Capture::kAll},
      Paths{.rows = kSaid, .prefixes = kInResponse, .from = Capture::kAll},
  });
  return kTables;
}

struct Item {
  std::string type;
  std::string role;
  std::string call_id;
  std::string name;
  std::string content;
};

class OpenAiResponsesReader final : public ApiReader {
 public:
  explicit OpenAiResponsesReader(CallDraft& draft) : draft_(draft) {
    draft_.set_usage_rule({.total_tells = true});
  }

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override;
  void begin_response(std::string_view event) override;
  void on_response(const Picked& picked) override;
  void end_response(bool whole) override;

 private:
  bool take_item(Item& item, const Picked& picked);
  void take_input(const Picked& picked);
  void end_input();
  void end_past_item();
  void end_output();
  void leave_out();

  CallDraft& draft_;
  Item input_;
  Message message_;
  Item output_;
  std::array<size_t, 3> left_out_ = {};  // as it began, as it was done, and with the whole
  size_t left_out_most_ = 0;
  // Of the document that is read.
  std::string event_;
  std::string status_;
  std::string incomplete_;
  ProviderError event_error_;
  std::string delta_;
  std::string said_;
  std::string thought_;
};

// Returns whether it is of an item.
bool OpenAiResponsesReader::take_item(Item& item, const Picked& picked) {
  switch (picked.id) {
    case kItem:
      if (picked.kind == Picked::Kind::kObject) item = {};
      return true;
    case kItemType:
      CallDraft::keep(item.type, picked, CallDraft::kWordBytesMax);
      return true;
    case kItemRole:
      CallDraft::keep(item.role, picked, CallDraft::kWordBytesMax);
      return true;
    case kItemCallId:
      CallDraft::keep(item.call_id, picked);
      return true;
    case kItemName:
      CallDraft::keep(item.name, picked);
      return true;
    case kItemContent:
      draft_.append_content(item.content, picked);
      return true;
    default:
      return false;
  }
}

void OpenAiResponsesReader::on_request(const Picked& picked) {
  if (!take_item(input_, picked)) {
    take_input(picked);
  } else if (picked.id == kItem && picked.kind == Picked::Kind::kEnd) {
    end_input();
  }
}

void OpenAiResponsesReader::take_input(const Picked& picked) {
  switch (picked.id) {
    case kInstructions:
      return draft_.add_instruction(picked);
    case kInput: {
      Message input{.role = "user"};
      draft_.add_text(input, picked);
      return draft_.add_message(std::move(input));
    }
    case kInputText:
      return draft_.add_text(message_, picked);
    case kInputReasoning:
      return draft_.add_text(message_, picked, Part::Kind::kReasoning);
    case kInputArguments:
      return draft_.append_content(input_.content, picked);
    default:
      draft_.take(picked);
  }
}

// Each item is a message of its own.
void OpenAiResponsesReader::end_past_item() {
  const bool result = input_.type.ends_with("_call_output");
  const bool call = input_.type == "function_call" || input_.type == "custom_tool_call";
  message_.role = result ? "tool" : call ? "assistant" : input_.role;
  if (message_.role.empty()) message_.role = input_.type == "reasoning" ? "assistant" : "user";
  if (result || call) {
    message_.parts.clear();
    Part* const part =
        draft_.add_part(message_, result ? Part::Kind::kToolResponse : Part::Kind::kToolCall);
    if (part != nullptr) *part = {part->kind, input_.call_id, input_.name, input_.content};
  }
  draft_.add_message(std::exchange(message_, {}));
}

void OpenAiResponsesReader::end_input() {
  end_past_item();
  const bool of_model = input_.role == "assistant" || input_.type == "reasoning";
  if (of_model) return draft_.forget_tool_results();
  if (input_.call_id.empty() || !input_.type.ends_with("_call_output")) return;
  draft_.add_tool_result({std::move(input_.call_id), std::move(input_.content)});
}

void OpenAiResponsesReader::begin_response(std::string_view event) {
  event_ = event.substr(0, CallDraft::kWordBytesMax);
  status_.clear();
  incomplete_.clear();
  event_error_ = {};
  delta_.clear();
  said_.clear();
  thought_.clear();
}

void OpenAiResponsesReader::on_response(const Picked& picked) {
  if (take_item(output_, picked)) {
    if (picked.id == kItem && picked.kind == Picked::Kind::kEnd) end_output();
    return;
  }
  switch (picked.id) {
    case kStatus:
      return CallDraft::keep_word(status_, picked);
    case kIncomplete:
      return CallDraft::keep_word(incomplete_, picked);
    case kEventType:
      return CallDraft::keep(event_, picked, CallDraft::kWordBytesMax);
    case kEventCode:
      return CallDraft::keep_word(event_error_.code, picked);
    case kEventText:
      return draft_.append_content(event_error_.text, picked);
    case kDelta:
      return draft_.append_content(delta_, picked);
    case kOutputText:
      return draft_.append_content(said_, picked);
    case kOutputReasoning:
      return draft_.append_content(thought_, picked);
    default:
      draft_.take(picked);
  }
}

// What the agent is to do has the id of a call; what the provider does by itself has none.
void OpenAiResponsesReader::end_output() {
  constexpr std::string_view kCall = "_call";
  if (output_.call_id.empty() || !output_.type.ends_with(kCall)) return;
  if (output_.name.empty()) {
    output_.name = output_.type.substr(0, output_.type.size() - kCall.size());
  }
  // An item comes when it begins, when it is done, and with the whole.
  ToolCall* tool = nullptr;
  for (ToolCall& known : draft_.call.tool_calls) {
    if (known.id == output_.call_id) tool = &known;
  }
  if (tool == nullptr) tool = draft_.add_tool_call();
  if (tool == nullptr) return leave_out();
  tool->id = std::move(output_.call_id);
  tool->name = std::move(output_.name);
  if (tool->arguments.empty()) draft_.add_arguments(*tool, output_.content);
}

// One that there was no room for is counted once, too, however often it comes.
void OpenAiResponsesReader::leave_out() {
  const bool begins = event_ == "response.output_item.added";
  const bool ends = event_ == "response.output_item.done";
  size_t& told = left_out_[begins ? 0 : ends ? 1 : 2];
  if (++told > left_out_most_) {
    left_out_most_ = told;
  } else {
    --draft_.call.tools_left_out;
  }
}

void OpenAiResponsesReader::end_response(bool whole) {
  if (event_ == "response.output_text.delta" || event_ == "response.refusal.delta") {
    draft_.add_output(0, delta_);
  } else if (event_ == "response.reasoning_summary_text.delta") {
    draft_.add_reasoning(0, delta_);
  }
  // The whole comes with the last event, or alone.
  if (!said_.empty() || !thought_.empty()) draft_.set_output(0, thought_, said_);
  if (event_ == "error") {
    ProviderError& error = draft_.call.error;
    if (error.type.empty()) error.type = event_;
    if (!event_error_.code.empty()) error.code = event_error_.code;
    if (!event_error_.text.empty()) error.text = event_error_.text;
  }
  if (status_.empty()) return;
  draft_.expect_choice(0);
  if (!whole) return;  // why it is incomplete may come behind the status
  // Of an answer that is complete, with or without calls of tools, the API says that and no more.
  const bool ended = status_ == "completed" || status_ == "incomplete" || status_ == "cancelled";
  const std::string_view reason = status_ == "failed"   ? std::string_view("error")
                                  : !ended              ? std::string_view()
                                  : incomplete_.empty() ? std::string_view(status_)
                                                        : std::string_view(incomplete_);
  draft_.set_finish_reason(0, reason);
}

}  // namespace

std::unique_ptr<ApiReader> make_openai_responses_reader(CallDraft& draft) {
  return std::make_unique<OpenAiResponsesReader>(draft);
}

}  // namespace sidespan::semconv::genai
