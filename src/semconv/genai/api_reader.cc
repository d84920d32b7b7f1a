#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

class PlainReader final : public ApiReader {
 public:
  PlainReader(CallDraft& draft, const Tables& request, const Tables& response)
      : draft_(draft), request_(request), response_(response) {}

  const json::PickTable& request_table() const override { return request_.of(draft_); }
  const json::PickTable& response_table() const override { return response_.of(draft_); }
  void on_request(const json::Picked& picked) override { draft_.take(picked); }
  void on_response(const json::Picked& picked) override { draft_.take(picked); }

 private:
  CallDraft& draft_;
  const Tables& request_;
  const Tables& response_;
};

}  // namespace

std::unique_ptr<ApiReader> make_plain_reader(CallDraft& draft, const Tables& request,
                                             const Tables& response) {
  return std::make_unique<PlainReader>(draft, request, response);
}

std::unique_ptr<ApiReader> make_api_reader(Api api, CallDraft& draft) {
  switch (api) {
    case Api::kOpenAiChat:
    case Api::kOpenAiCompletions:
      return make_openai_chat_reader(draft);
    case Api::kOpenAiResponses:
      return make_openai_responses_reader(draft);
    case Api::kOpenAiEmbeddings:
      return make_openai_embeddings_reader(draft);
    case Api::kAnthropicMessages:
      return make_anthropic_reader(draft);
    case Api::kGeminiGenerate:
      return make_gemini_reader(draft);
    case Api::kGeminiEmbed:
      return make_gemini_embed_reader(draft);
    case Api::kBedrockConverse:
      return make_bedrock_converse_reader(draft);
    case Api::kBedrockInvoke:
      return make_bedrock_invoke_reader(draft);
    case Api::kOllamaChat:
    case Api::kOllamaGenerate:
      return make_ollama_reader(draft);
    case Api::kOllamaEmbed:
      return make_ollama_embed_reader(draft);
    case Api::kCohereChat:
      return make_cohere_reader(draft);
    case Api::kCohereEmbed:
      return make_cohere_embed_reader(draft);
  }
  return nullptr;
}

}  // namespace sidespan::semconv::genai
