// Which requests are calls of a model: told by host, path, method and media type, before a byte of
// a body is seen. What only looks like one by its path is told by its shape, and counts once its
// bodies name a model. Counting tokens, lists of models, batches and files are no inference. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/semconv/genai_call.h"

namespace sidespan::semconv::genai {

// What the documents look like.
enum class Api : uint8_t {
  kOpenAiChat,
  kOpenAiCompletions,  // legacy
  kOpenAiResponses,
  kOpenAiEmbeddings,
  kAnthropicMessages,
  kGeminiGenerate,
  kGeminiEmbed,
  kBedrockConverse,
  kBedrockInvoke,
  kOllamaChat,
  kOllamaGenerate,
  kOllamaEmbed,
  kCohereChat,
  kCohereEmbed,
};
inline constexpr size_t kApiCount = 14;

struct Endpoint {
  Api api = Api::kOpenAiChat;
  Operation operation = Operation::kChat;
  std::string provider = {};  // `gen_ai.provider.name`
  std::string model = {};     // where the path says it
  bool streams = false;       // by its path
  bool known_host = false;    // else it may be somebody else's path
};

// A request, as far as it is known with its head.
struct RequestFacts {
  std::string_view method = {};
  std::string_view host = {};          // without port
  std::string_view path = {};          // with or without query, as written
  std::string_view content_type = {};  // empty: none said
  bool websocket = false;              // it asks to switch to one
};

struct RecognizeOptions {
  // Host, with `*` for any characters, -> provider. Before what is known here.
  std::map<std::string, std::string> hosts = {};
};

std::optional<Endpoint> recognize(const RequestFacts& request,
                                  const RecognizeOptions& options = {});

}  // namespace sidespan::semconv::genai
