// OpenAI Embeddings, as everybody's compatible server speaks them.
#include <array>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

using Row = json::PickTable::Row;

constexpr std::array kRequestRows = {
    Row{"model", kRequestModel},
    Row{"dimensions", kDimensions},
    Row{"encoding_format", kEncodingFormat},
};
constexpr std::array kResponseRows = {
    Row{"id", kResponseId},  // Mistral
    Row{"model", kResponseModel},
    Row{"usage.prompt_tokens", kInputTokens},
    Row{"error.type", kErrorType},
    Row{"error.code", kErrorCode},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},
    Row{"error_type", kBareErrorType},
    Row{"object", kObjectName},   // before what it names
    Row{"type", kBareErrorType},  // Mistral, vLLM
    Row{"code", kBareErrorCode},
};
constexpr std::array kErrorContent = {Row{"error.message", kErrorText}};

const Tables& request_tables() {
  static const Tables kTables(std::array{Paths{.rows = kRequestRows}});
  return kTables;
}

const Tables& response_tables() {
  static const Tables kTables(std::array{Paths{.rows = kResponseRows},
                                         Paths{.rows = kErrorContent, .from = Capture::kAll}});
  return kTables;
}

}  // namespace

std::unique_ptr<ApiReader> make_openai_embeddings_reader(CallDraft& draft) {
  return make_plain_reader(draft, request_tables(), response_tables());
}

}  // namespace sidespan::semconv::genai
