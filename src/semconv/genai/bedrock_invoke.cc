// Amazon Bedrock's InvokeModel and InvokeModelWithResponseStream: documents as the model's maker
// has them, in a stream each as base64 inside an event `chunk`. Whose they are the model's id says;
// an id that says nothing (an application's profile, an imported model) is taken for Anthropic's.
// What Bedrock counts by itself stands in the answer's head, and in a stream's last document.
#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/bedrock.h"
#include "semconv/genai/packed_json.h"
#include "semconv/genai/tables.h"
#include "sidespan/base/text.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;
using Row = json::PickTable::Row;

enum Pick : int { kStopReason = kOwn, kTool, kToolName, kToolInput };

// Titan, Llama, Cohere, AI21 before it came to speak like OpenAI, and embeddings.
constexpr std::array kPlainRequestRows = {
    Row{"max_tokens", kMaxTokens},
    Row{"max_gen_len", kMaxTokens},
    Row{"maxTokens", kMaxTokens},
    Row{"textGenerationConfig.maxTokenCount", kMaxTokens},
    Row{"temperature", kTemperature},
    Row{"textGenerationConfig.temperature", kTemperature},
    Row{"top_p", kTopP},
    Row{"topP", kTopP},
    Row{"p", kTopP},
    Row{"textGenerationConfig.topP", kTopP},
    Row{"top_k", kTopK},
    Row{"k", kTopK},
    Row{"stop[]", kStopSequence},
    Row{"stop_sequences[]", kStopSequence},
    Row{"stopSequences[]", kStopSequence},
    Row{"textGenerationConfig.stopSequences[]", kStopSequence},
    Row{"dimensions", kDimensions},
    Row{"output_dimension", kDimensions},
    Row{"embeddingConfig.outputEmbeddingLength", kDimensions},
    Row{"embedding_types[]", kEncodingFormat},
    Row{"embeddingTypes[]", kEncodingFormat},
};
constexpr std::array kPlainResponseRows = {
    Row{"stop_reason", kStopReason},
    Row{"finish_reason", kStopReason},
    Row{"completionReason", kStopReason},
    Row{"results[].completionReason", kStopReason},
    Row{"generations[].finish_reason", kStopReason},
    Row{"completions[].finishReason.reason", kStopReason},
    Row{"inputTextTokenCount", kInputTokens},
    Row{"totalOutputTextTokenCount", kOutputTokens},
    Row{"results[].tokenCount", kOutputTokens},
    Row{"prompt_token_count", kInputTokens},
    Row{"generation_token_count", kOutputTokens},
    Row{"tool_calls[]{}", kTool},  // Cohere, whose calls have no ids
    Row{"tool_calls[].name", kToolName},
};
constexpr std::array kPlainResponseContent = {Row{"tool_calls[].parameters*", kToolInput}};
// In the last document of a stream. Makers that count for themselves are read by what they say.
constexpr std::array kMetricsRows = {
    Row{"inputTokenCount", kInputTokens},
    Row{"outputTokenCount", kOutputTokens},
    Row{"cacheReadInputTokenCount", kCacheReadTokens},
    Row{"cacheWriteInputTokenCount", kCacheWriteTokens},
};
constexpr std::array<std::string_view, 1> kInMetrics = {"amazon-bedrock-invocationMetrics."};

const Tables& plain_request_tables() {
  static const Tables kTables(std::array{Paths{.rows = kPlainRequestRows}});
  return kTables;
}

const Tables& plain_response_tables() {
  static const Tables kTables(std::array{
      Paths{.rows = kPlainResponseRows}, Paths{.rows = kMetricsRows, .prefixes = kInMetrics},
      Paths{.rows = kPlainResponseContent, .from = Capture::kTools}});
  return kTables;
}

const json::PickTable& error_table() {
  static const json::PickTable kTable = {{"message", kErrorText}};
  return kTable;
}

class PlainModelReader final : public ApiReader {
 public:
  explicit PlainModelReader(CallDraft& draft) : draft_(draft) {
    draft_.set_usage_rule({.cache_apart = true});
  }
  const json::PickTable& request_table() const override {
    return plain_request_tables().of(draft_);
  }
  const json::PickTable& response_table() const override {
    return plain_response_tables().of(draft_);
  }
  void on_request(const Picked& picked) override { draft_.take(picked); }
  void on_response(const Picked& picked) override;

 private:
  void end_tool();

  CallDraft& draft_;
  ToolCall tool_;
};

void PlainModelReader::on_response(const Picked& picked) {
  switch (picked.id) {
    case kStopReason:
      if (picked.kind != Picked::Kind::kText) return;
      return draft_.set_finish_reason(picked.places.empty() ? 0 : picked.places.back(),
                                      picked.text);
    case kTool:
      if (picked.kind == Picked::Kind::kEnd) return end_tool();
      tool_ = {};
      return;
    case kToolName:
      return CallDraft::keep(tool_.name, picked);
    case kToolInput:
      return draft_.append_content(tool_.arguments, picked);
    default:
      draft_.take(picked);
  }
}

void PlainModelReader::end_tool() {
  ToolCall* const tool = draft_.add_tool_call();
  if (tool == nullptr) return;
  tool->name = std::move(tool_.name);
  draft_.add_arguments(*tool, tool_.arguments);
}

// "us.anthropic.claude-...", or an ARN that ends so.
std::unique_ptr<ApiReader> make_model_reader(CallDraft& draft) {
  const std::string model = text::lower(draft.call.request_model);
  const auto of = [&](std::string_view maker) { return model.find(maker) != std::string::npos; };
  if (of("amazon.nova") && !of("embed")) return make_bedrock_converse_reader(draft);
  constexpr std::array<std::string_view, 8> kLikeOpenAi = {
      "openai.", "qwen.", "deepseek.v", "moonshot", "minimax.", "google.gemma", "nvidia.", "zai."};
  for (const std::string_view maker : kLikeOpenAi) {
    if (of(maker)) return make_openai_chat_reader(draft);
  }
  constexpr std::array<std::string_view, 4> kInvoked = {"mistral.", "ai21.jamba", "deepseek.r1",
                                                        "writer."};
  for (const std::string_view maker : kInvoked) {
    if (of(maker)) return make_invoked_chat_reader(draft);
  }
  constexpr std::array<std::string_view, 6> kPlain = {"amazon.titan", "amazon.nova", "meta.llama",
                                                      "cohere.",      "ai21.",       "embed"};
  for (const std::string_view maker : kPlain) {
    if (of(maker)) return std::make_unique<PlainModelReader>(draft);
  }
  return make_anthropic_reader(draft);
}

class InvokeReader final : public ApiReader, private json::PickSink {
 public:
  explicit InvokeReader(CallDraft& draft)
      : draft_(draft), operation_(draft.call.operation), model_(make_model_reader(draft)) {}

  const json::PickTable& request_table() const override { return model_->request_table(); }
  const json::PickTable& response_table() const override { return model_->response_table(); }
  void begin_request() override { model_->begin_request(); }
  // One operation for all makers, of whom many have prompts where others have messages.
  void on_request(const Picked& picked) override {
    model_->on_request(picked);
    draft_.call.operation = operation_;
  }
  void on_response_head(const http::Head& head) override;
  void begin_response(std::string_view event) override;
  json::Handler& response_handler(json::Picker& picker) override;
  void on_response(const Picked& picked) override { model_->on_response(picked); }
  void end_response(bool whole) override;

 private:
  enum class Document : uint8_t { kModels, kPacked, kError };

  void on_pick(const Picked& picked) override {
    if (draft_.captures(Capture::kAll)) draft_.take(picked);
  }

  CallDraft& draft_;
  const Operation operation_;
  std::unique_ptr<ApiReader> model_;
  Document document_ = Document::kModels;
  bool refused_ = false;
  std::optional<PackedJson> packed_;
  std::optional<json::Picker> error_;
};

void InvokeReader::on_response_head(const http::Head& head) {
  constexpr int kFirstError = 400;
  refused_ = head.status >= kFirstError;
  take_bedrock_error(draft_, head);
  struct Count {
    std::string_view field;
    int id;
  };
  constexpr std::array<Count, 4> kCounts = {
      Count{"x-amzn-bedrock-input-token-count", kInputTokens},
      Count{"x-amzn-bedrock-output-token-count", kOutputTokens},
      Count{"x-amzn-bedrock-cache-read-input-token-count", kCacheReadTokens},
      Count{"x-amzn-bedrock-cache-write-input-token-count", kCacheWriteTokens}};
  for (const Count& count : kCounts) {
    const auto number =
        text::parse_unsigned(head.headers.find(count.field).value_or(""), INT64_MAX);
    if (!number) continue;
    draft_.take(
        {.id = count.id, .kind = Picked::Kind::kInteger, .integer = static_cast<int64_t>(*number)});
  }
}

void InvokeReader::begin_response(std::string_view event) {
  if (take_bedrock_exception(draft_, event) || refused_) {
    document_ = Document::kError;
  } else {
    document_ = event == "chunk" ? Document::kPacked : Document::kModels;
    model_->begin_response("");
  }
}

json::Handler& InvokeReader::response_handler(json::Picker& picker) {
  switch (document_) {
    case Document::kPacked:
      if (!packed_) packed_.emplace("bytes", picker);
      packed_->begin();
      return *packed_;
    case Document::kError:
      if (!error_) error_.emplace(error_table(), static_cast<json::PickSink&>(*this));
      error_->reset();
      return *error_;
    case Document::kModels:
      break;
  }
  return picker;
}

void InvokeReader::end_response(bool whole) {
  if (document_ == Document::kError) return;
  model_->end_response(whole && (document_ == Document::kModels || packed_->whole()));
}

}  // namespace

std::unique_ptr<ApiReader> make_bedrock_invoke_reader(CallDraft& draft) {
  return std::make_unique<InvokeReader>(draft);
}

}  // namespace sidespan::semconv::genai
