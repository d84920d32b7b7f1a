// Google's embedContent and batchEmbedContents. The model is in the path.
#include <array>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

using Row = json::PickTable::Row;

constexpr std::array kRequestRows = {
    Row{"outputDimensionality", kDimensions},
    Row{"embedContentConfig.outputDimensionality", kDimensions},
    Row{"requests[].outputDimensionality", kDimensions},
};
constexpr std::array kResponseRows = {
    Row{"usageMetadata.promptTokenCount", kInputTokens},
    Row{"error.status", kErrorType},
    Row{"error{}", kErrorBegin},
    Row{"error.code", kErrorCode},
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

std::unique_ptr<ApiReader> make_gemini_embed_reader(CallDraft& draft) {
  return make_plain_reader(draft, request_tables(), response_tables());
}

}  // namespace sidespan::semconv::genai
