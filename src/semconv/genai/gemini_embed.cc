// Google's embedContent and batchEmbedContents, and Vertex AI's predict of a model that embeds. The
// model is in the path.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "semconv/genai/api_reader.h"
#include "semconv/genai/tables.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;
using Row = json::PickTable::Row;

enum Pick : int {
  kTextTokens = kOwn,  // of one of the texts
};

constexpr std::array kRequestRows = {
    Row{"outputDimensionality", kDimensions},
    Row{"embedContentConfig.outputDimensionality", kDimensions},
    Row{"requests[].outputDimensionality", kDimensions},
    Row{"parameters.outputDimensionality", kDimensions},
};
constexpr std::array kResponseRows = {
    Row{"usageMetadata.promptTokenCount", kInputTokens},
    Row{"predictions[].embeddings.statistics.token_count", kTextTokens},
    Row{"error.status", kErrorType},
    Row{"error{}", kErrorBegin},
    Row{"error", kErrorWords},
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

class GeminiEmbedReader final : public ApiReader {
 public:
  explicit GeminiEmbedReader(CallDraft& draft) : draft_(draft) {}

  const json::PickTable& request_table() const override { return request_tables().of(draft_); }
  const json::PickTable& response_table() const override { return response_tables().of(draft_); }
  void on_request(const Picked& picked) override { draft_.take(picked); }
  void on_response(const Picked& picked) override {
    if (picked.id != kTextTokens) {
      draft_.take(picked);
      return;
    }
    // A number with a fraction where the server has it in a protobuf Value.
    const std::optional<int64_t> tokens = CallDraft::count(picked);
    if (!tokens) return;
    constexpr int64_t kTextTokensMax = INT32_MAX;
    tokens_ += std::min(*tokens, kTextTokensMax);
    draft_.take({.id = kInputTokens, .kind = Picked::Kind::kInteger, .integer = tokens_});
  }

 private:
  CallDraft& draft_;
  int64_t tokens_ = 0;
};

}  // namespace

std::unique_ptr<ApiReader> make_gemini_embed_reader(CallDraft& draft) {
  return std::make_unique<GeminiEmbedReader>(draft);
}

}  // namespace sidespan::semconv::genai
