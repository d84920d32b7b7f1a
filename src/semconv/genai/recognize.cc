#include "sidespan/semconv/genai_recognize.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/http/message.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv::genai {
namespace {

// gen_ai.provider.name: the convention's names, and where it has none the provider's own.
struct Host {
  std::string_view pattern;
  std::string_view provider;
};
constexpr std::array kHosts = {
    Host{"api.openai.com", "openai"},
    Host{"*.api.openai.com", "openai"},
    Host{"chatgpt.com", "openai"},
    Host{"*.openai.azure.com", "azure.ai.openai"},
    Host{"*.cognitiveservices.azure.com", "azure.ai.openai"},
    Host{"*.services.ai.azure.com", "azure.ai.inference"},
    Host{"*.models.ai.azure.com", "azure.ai.inference"},
    Host{"api.anthropic.com", "anthropic"},
    Host{"generativelanguage.googleapis.com", "gcp.gemini"},
    Host{"cloudcode-pa.googleapis.com", "gcp.gemini"},
    Host{"*-cloudcode-pa.googleapis.com", "gcp.gemini"},
    Host{"aiplatform.googleapis.com", "gcp.vertex_ai"},
    Host{"*-aiplatform.googleapis.com", "gcp.vertex_ai"},
    Host{"aiplatform.*.rep.googleapis.com", "gcp.vertex_ai"},
    Host{"bedrock-runtime.*.amazonaws.com", "aws.bedrock"},
    Host{"bedrock-runtime.*.amazonaws.com.cn", "aws.bedrock"},
    Host{"bedrock-runtime-fips.*.amazonaws.com", "aws.bedrock"},
    Host{"bedrock-mantle.*.api.aws", "aws.bedrock"},
    Host{"api.cohere.com", "cohere"},
    Host{"api.cohere.ai", "cohere"},
    Host{"api.mistral.ai", "mistral_ai"},
    Host{"codestral.mistral.ai", "mistral_ai"},
    Host{"api.groq.com", "groq"},
    Host{"api.deepseek.com", "deepseek"},
    Host{"api.x.ai", "x_ai"},
    Host{"*.api.x.ai", "x_ai"},
    Host{"api.perplexity.ai", "perplexity"},
    Host{"api.moonshot.ai", "moonshot_ai"},
    Host{"api.moonshot.cn", "moonshot_ai"},
    Host{"*.ml.cloud.ibm.com", "ibm.watsonx.ai"},
    Host{"api.together.ai", "together"},
    Host{"api.together.xyz", "together"},
    Host{"openrouter.ai", "openrouter"},
    Host{"api.fireworks.ai", "fireworks"},
    Host{"api.cerebras.ai", "cerebras"},
    Host{"router.huggingface.co", "huggingface"},
    Host{"integrate.api.nvidia.com", "nvidia"},
    Host{"ollama.com", "ollama"},
};

std::string_view provider_of(std::string_view host, const RecognizeOptions& options) {
  for (const auto& [pattern, provider] : options.hosts) {
    if (text::matches_wildcard(pattern, host)) return provider;
  }
  for (const Host& known : kHosts) {
    if (text::matches_wildcard(known.pattern, host)) return known.provider;
  }
  return "";
}

bool is_json(std::string_view type) {
  constexpr std::string_view kApplication = "application/";
  if (type.empty() || text::equal_ignoring_case(type, "text/json")) return true;
  return text::equal_ignoring_case(type.substr(0, kApplication.size()), kApplication) &&
         framing_of(type) == BodyFraming::kJson;
}

// What a client says that was given the JSON as a text: fetch, curl -d.
bool may_be_json(std::string_view type) {
  return text::equal_ignoring_case(type, "text/plain") ||
         text::equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

// What stands between the last "/`before`/" and the next slash.
std::string_view segment_behind(std::string_view path, std::string_view before) {
  const size_t at = path.rfind(before);
  if (at == std::string_view::npos) return "";
  path.remove_prefix(at + before.size());
  return path.substr(0, path.find('/'));
}

struct Ending {
  std::string_view text;  // of the path
  Api api;
  Operation operation;
  std::string_view provider;  // by shape alone
};
constexpr std::array kEndings = {
    Ending{"/chat/completions", Api::kOpenAiChat, Operation::kChat, "openai"},
    Ending{"/agents/completions", Api::kOpenAiChat, Operation::kChat, "mistral_ai"},
    Ending{"/responses", Api::kOpenAiResponses, Operation::kChat, "openai"},
    Ending{"/completions", Api::kOpenAiCompletions, Operation::kTextCompletion, "openai"},
    Ending{"/embeddings", Api::kOpenAiEmbeddings, Operation::kEmbeddings, "openai"},
    Ending{"/v1/messages", Api::kAnthropicMessages, Operation::kChat, "anthropic"},
    Ending{"/anthropic/messages", Api::kAnthropicMessages, Operation::kChat, "anthropic"},
};
// Shorter ones, which other servers may well have for something else: whole paths.
constexpr std::array kOllamaPaths = {
    Ending{"/api/chat", Api::kOllamaChat, Operation::kChat, "ollama"},
    Ending{"/api/generate", Api::kOllamaGenerate, Operation::kTextCompletion, "ollama"},
    Ending{"/api/embed", Api::kOllamaEmbed, Operation::kEmbeddings, "ollama"},
    Ending{"/api/embeddings", Api::kOllamaEmbed, Operation::kEmbeddings, "ollama"},
};
// Of Cohere's hosts alone.
constexpr std::array kCohereEndings = {
    Ending{"/v2/chat", Api::kCohereChat, Operation::kChat, "cohere"},
    Ending{"/v2/embed", Api::kCohereEmbed, Operation::kEmbeddings, "cohere"},
};

Endpoint endpoint_of(const Ending& ending) {
  return {
      .api = ending.api, .operation = ending.operation, .provider = std::string(ending.provider)};
}

// ".../models/MODEL:generateContent". Vertex AI has other makers' models under their own shapes.
std::optional<Endpoint> google_method(std::string_view path, std::string_view provider) {
  const size_t colon = path.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view method = path.substr(colon + 1);
  const std::string_view resource = path.substr(0, colon);
  const size_t slash = resource.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const bool is_raw = method == "rawPredict" || method == "streamRawPredict";
  const auto is_by = [&](std::string_view maker) {
    return segment_behind(resource, "/publishers/") == maker;
  };
  const bool embeds = resource.substr(slash).find("embed") != std::string_view::npos;
  const bool predicts = method == "predict" && is_by("google") && embeds;
  Endpoint out;
  out.provider = provider.empty() ? "gcp.gemini" : provider;
  out.streams = method.starts_with("stream");
  if (method == "generateContent" || method == "streamGenerateContent") {
    out.api = Api::kGeminiGenerate;
    out.operation = Operation::kGenerateContent;
  } else if (predicts || method == "embedContent" || method == "batchEmbedContents") {
    out.api = Api::kGeminiEmbed;
    out.operation = Operation::kEmbeddings;
  } else if (is_raw && is_by("anthropic")) {
    out.api = Api::kAnthropicMessages;
    out.operation = Operation::kChat;
  } else if (is_raw && is_by("mistralai")) {
    out.api = Api::kOpenAiChat;
    out.operation = Operation::kChat;
  } else {
    return std::nullopt;
  }
  // Code Assist has no resource: "/v1internal:generateContent", and the model in the body.
  constexpr std::string_view kModels = "/models/";
  constexpr std::string_view kTuned = "/tunedModels/";
  constexpr std::string_view kEndpoints = "/endpoints/";
  for (const std::string_view kind : {kModels, kTuned, kEndpoints}) {
    if (out.model.empty()) out.model = segment_behind(resource, kind);
  }
  // Where Anthropic's models count tokens, a model of that name does. Mistral's may read documents.
  const bool counts = out.api == Api::kAnthropicMessages && out.model == "count-tokens";
  const bool reads = out.api == Api::kOpenAiChat && out.model.find("-ocr") != std::string::npos;
  if (counts || reads) return std::nullopt;
  return out;
}

// "/model/MODEL/converse": the model is an id or a whole ARN.
std::optional<Endpoint> bedrock_action(std::string_view path) {
  constexpr std::string_view kModel = "/model/";
  const size_t slash = path.rfind('/');
  if (!path.starts_with(kModel) || slash < kModel.size()) return std::nullopt;
  const std::string_view action = path.substr(slash + 1);
  Endpoint out;
  out.provider = "aws.bedrock";
  out.operation = Operation::kChat;
  out.model = path.substr(kModel.size(), slash - kModel.size());
  if (action == "converse" || action == "converse-stream") {
    out.api = Api::kBedrockConverse;
    out.streams = action == "converse-stream";
  } else if (action == "invoke" || action == "invoke-with-response-stream") {
    out.api = Api::kBedrockInvoke;
    out.streams = action != "invoke";
    if (out.model.find("embed") != std::string::npos) out.operation = Operation::kEmbeddings;
  } else {
    return std::nullopt;
  }
  return out;
}

std::optional<Endpoint> by_path(std::string_view path, std::string_view provider) {
  if (auto found = google_method(path, provider)) return found;
  if (auto found = bedrock_action(path)) return found;
  if (provider == "cohere") {
    for (const Ending& ending : kCohereEndings) {
      if (path.ends_with(ending.text)) return endpoint_of(ending);
    }
  }
  if (provider.empty() || provider == "ollama") {
    for (const Ending& ending : kOllamaPaths) {
      if (path == ending.text) return endpoint_of(ending);
    }
  }
  for (const Ending& ending : kEndings) {
    if (!path.ends_with(ending.text)) continue;
    Endpoint out = endpoint_of(ending);
    // Azure calls a model by the name of its deployment.
    out.model = segment_behind(path, "/deployments/");
    return out;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Endpoint> recognize(const RequestFacts& request, const RecognizeOptions& options) {
  const std::string_view type = http::media_type(request.content_type);
  const bool as_text = !request.websocket && may_be_json(type);
  if (request.websocket ? request.method != "GET" && request.method != "CONNECT"
                        : request.method != "POST" || !(as_text || is_json(type))) {
    return std::nullopt;
  }
  const std::string path = text::percent_decode(request.path.substr(0, request.path.find('?')));
  const std::string host = text::lower(text::without_root_dot(request.host));
  const std::string_view provider = provider_of(host, options);
  std::optional<Endpoint> found = by_path(path, provider);
  if (!found) return std::nullopt;
  // Of those that stream over a WebSocket there is one.
  if (request.websocket && found->api != Api::kOpenAiResponses) return std::nullopt;
  found->known_host = !provider.empty();
  // Forms and texts go to paths that end so for much else.
  const bool known_path = found->provider == "ollama" || path.starts_with("/v1/");
  if (as_text && !found->known_host && !known_path) return std::nullopt;
  if (found->known_host) found->provider = provider;
  found->streams = found->streams || request.websocket;
  return found;
}

}  // namespace sidespan::semconv::genai
