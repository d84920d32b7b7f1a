#include "sidespan/semconv/genai_recognize.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sidespan::semconv::genai {
namespace {

std::string line_of(const std::optional<Endpoint>& found) {
  if (!found) return "-";
  constexpr std::string_view kNames[kApiCount] = {
      "openai_chat",       "openai_completions", "openai_responses",
      "openai_embeddings", "anthropic",          "gemini",
      "gemini_embed",      "bedrock_converse",   "bedrock_invoke",
      "ollama_chat",       "ollama_generate",    "ollama_embed",
      "cohere_chat",       "cohere_embed"};
  std::string out(kNames[static_cast<size_t>(found->api)]);
  out.append(" ").append(name_of(found->operation)).append(" ").append(found->provider);
  if (!found->model.empty()) out.append(" ").append(found->model);
  if (found->streams) out += " streams";
  if (!found->known_host) out += " by_shape";
  return out;
}

TEST_CASE("genai: calls of a model are told by host and path") {
  struct Row {
    std::string host;
    std::string path;
    std::string line;
  };
  const std::vector<Row> rows = {
      {"api.openai.com", "/v1/chat/completions", "openai_chat chat openai"},
      {"API.openai.com.", "/v1/responses", "openai_responses chat openai"},
      {"eu.api.openai.com", "/v1/embeddings?x=1", "openai_embeddings embeddings openai"},
      {"api.openai.com", "/v1/completions", "openai_completions text_completion openai"},
      {"chatgpt.com", "/backend-api/codex/responses", "openai_responses chat openai"},
      {"me.openai.azure.com", "/openai/deployments/my-gpt/chat/completions?api-version=1",
       "openai_chat chat azure.ai.openai my-gpt"},
      {"me.openai.azure.com", "/openai/v1/responses", "openai_responses chat azure.ai.openai"},
      {"me.services.ai.azure.com", "/models/chat/completions",
       "openai_chat chat azure.ai.inference"},
      {"me.services.ai.azure.com", "/anthropic/v1/messages", "anthropic chat azure.ai.inference"},
      {"api.anthropic.com", "/v1/messages?beta=true", "anthropic chat anthropic"},
      {"generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent",
       "gemini generate_content gcp.gemini gemini-2.5-pro"},
      {"generativelanguage.googleapis.com",
       "/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent?alt=sse",
       "gemini generate_content gcp.gemini gemini-2.5-pro streams"},
      {"generativelanguage.googleapis.com", "/v1beta/tunedModels/t-1:generateContent",
       "gemini generate_content gcp.gemini t-1"},
      {"generativelanguage.googleapis.com", "/v1beta/models/e:embedContent",
       "gemini_embed embeddings gcp.gemini e"},
      {"generativelanguage.googleapis.com", "/v1beta/openai/chat/completions",
       "openai_chat chat gcp.gemini"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/us-central1/publishers/google/models/"
       "gemini-2.5-flash:generateContent",
       "gemini generate_content gcp.vertex_ai gemini-2.5-flash"},
      {"aiplatform.googleapis.com",
       "/v1/projects/p/locations/global/publishers/anthropic/models/"
       "claude-opus-4@1:streamRawPredict",
       "anthropic chat gcp.vertex_ai claude-opus-4@1 streams"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/mistralai/models/mistral-small-2503:rawPredict",
       "openai_chat chat gcp.vertex_ai mistral-small-2503"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/mistralai/models/codestral-2:streamRawPredict",
       "openai_chat chat gcp.vertex_ai codestral-2 streams"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/google/models/text-embedding-004:predict",
       "gemini_embed embeddings gcp.vertex_ai text-embedding-004"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/endpoints/123:generateContent",
       "gemini generate_content gcp.vertex_ai 123"},
      {"cloudcode-pa.googleapis.com", "/v1internal:streamGenerateContent?alt=sse",
       "gemini generate_content gcp.gemini streams"},
      {"bedrock-runtime.us-east-1.amazonaws.com",
       "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse",
       "bedrock_converse chat aws.bedrock anthropic.claude-3-haiku-20240307-v1:0"},
      {"bedrock-runtime.us-east-1.amazonaws.com",
       "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x/converse-stream",
       "bedrock_converse chat aws.bedrock "
       "arn:aws:bedrock:us-east-1:1:inference-profile/us.x streams"},
      {"bedrock-runtime.us-east-1.amazonaws.com", "/model/amazon.titan-embed-text-v2:0/invoke",
       "bedrock_invoke embeddings aws.bedrock amazon.titan-embed-text-v2:0"},
      {"bedrock-runtime.us-east-1.amazonaws.com", "/model/x/invoke-with-response-stream",
       "bedrock_invoke chat aws.bedrock x streams"},
      {"bedrock-runtime.us-east-1.amazonaws.com", "/openai/v1/chat/completions",
       "openai_chat chat aws.bedrock"},
      {"api.cohere.com", "/v2/chat", "cohere_chat chat cohere"},
      {"api.cohere.ai", "/v2/embed", "cohere_embed embeddings cohere"},
      {"api.cohere.ai", "/compatibility/v1/chat/completions", "openai_chat chat cohere"},
      {"api.mistral.ai", "/v1/chat/completions", "openai_chat chat mistral_ai"},
      {"api.mistral.ai", "/v1/agents/completions", "openai_chat chat mistral_ai"},
      {"api.mistral.ai", "/v1/fim/completions", "openai_completions text_completion mistral_ai"},
      {"api.groq.com", "/openai/v1/chat/completions", "openai_chat chat groq"},
      {"api.together.xyz", "/v1/chat/completions", "openai_chat chat together"},
      {"openrouter.ai", "/api/v1/chat/completions", "openai_chat chat openrouter"},
      {"api.deepseek.com", "/chat/completions", "openai_chat chat deepseek"},
      {"api.deepseek.com", "/anthropic/v1/messages", "anthropic chat deepseek"},
      {"api.x.ai", "/v1/chat/completions", "openai_chat chat x_ai"},
      {"localhost", "/api/chat", "ollama_chat chat ollama by_shape"},
      {"localhost", "/api/generate", "ollama_generate text_completion ollama by_shape"},
      {"localhost", "/api/embed", "ollama_embed embeddings ollama by_shape"},
      {"127.0.0.1", "/v1/chat/completions", "openai_chat chat openai by_shape"},
      {"vllm.internal", "/v1/messages", "anthropic chat anthropic by_shape"},
      {"gateway", "/x/models/gemini-2.5-pro:generateContent",
       "gemini generate_content gcp.gemini gemini-2.5-pro by_shape"},
      {"models.example", "/v1/responses", "openai_responses chat in_house"},
      // No inference.
      {"api.anthropic.com", "/v1/messages/count_tokens", "-"},
      {"api.anthropic.com", "/v1/messages/batches", "-"},
      {"api.openai.com", "/v1/responses/resp_1/cancel", "-"},
      {"api.openai.com", "/v1/responses/input_tokens", "-"},
      {"api.openai.com", "/v1/batches", "-"},
      {"api.openai.com", "/v1/files", "-"},
      {"api.openai.com", "/v1/models", "-"},
      {"api.openai.com", "/v1/moderations", "-"},
      {"generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:countTokens", "-"},
      {"generativelanguage.googleapis.com", "/v1beta/models", "-"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/meta/models/m:rawPredict", "-"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/mistralai/models/mistral-ocr-2505:rawPredict", "-"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict", "-"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/embed/locations/l/endpoints/1:predict", "-"},
      {"us-central1-aiplatform.googleapis.com",
       "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", "-"},
      {"bedrock-runtime.us-east-1.amazonaws.com", "/model/x/count-tokens", "-"},
      {"bedrock-runtime.us-east-1.amazonaws.com", "/guardrail/g/version/1/apply", "-"},
      {"shop.example", "/x/api/chat", "-"},
      {"localhost", "/api/tags", "-"},
      {"vllm.internal", "/health", "-"},
      {"vllm.internal", "", "-"},
      {"vllm.internal", ":generateContent", "-"},
  };
  const RecognizeOptions options{.hosts = {{"models.*", "in_house"}}};
  for (const Row& row : rows) {
    CAPTURE(row.host);
    CAPTURE(row.path);
    const RequestFacts facts{.method = "POST",
                             .host = row.host,
                             .path = row.path,
                             .content_type = "application/json; charset=utf-8"};
    CHECK(line_of(recognize(facts, options)) == row.line);
    for (const std::string_view method : {"GET", "DELETE", "PUT", "HEAD"}) {
      RequestFacts other = facts;
      other.method = method;
      CHECK(!recognize(other, options));
    }
    RequestFacts form = facts;
    form.content_type = "multipart/form-data; boundary=x";
    CHECK(!recognize(form, options));
  }
}

TEST_CASE("genai: JSON that its client takes for a text or a form") {
  const auto line = [](std::string_view host, std::string_view path, std::string_view type) {
    return line_of(recognize({.method = "POST", .host = host, .path = path, .content_type = type}));
  };
  for (const std::string_view type :
       {"", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"}) {
    CAPTURE(type);
    CHECK(line("localhost", "/api/chat", type) == "ollama_chat chat ollama by_shape");
    CHECK(line("api.openai.com", "/v1/chat/completions", type) == "openai_chat chat openai");
    CHECK(line("vllm.internal", "/v1/chat/completions", type) ==
          "openai_chat chat openai by_shape");
  }
  CHECK(line("sqs.eu-west-1.amazonaws.com", "/123/responses",
             "application/x-www-form-urlencoded") == "-");
  CHECK(line("search.example", "/ask/completions", "text/plain") == "-");
}

TEST_CASE("genai: responses over a WebSocket are calls, too") {
  RequestFacts facts{.method = "GET", .host = "api.openai.com", .path = "/v1/responses"};
  CHECK(!recognize(facts));
  facts.websocket = true;
  CHECK(line_of(recognize(facts)) == "openai_responses chat openai streams");
  facts.path = "/v1/chat/completions";
  CHECK(!recognize(facts));
}

}  // namespace
}  // namespace sidespan::semconv::genai
