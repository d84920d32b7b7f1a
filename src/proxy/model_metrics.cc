#include "model_metrics.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sidespan/semconv/metric_names.h"

namespace sidespan::proxy {
namespace {

namespace metric = semconv::metric;

using Labels = std::vector<metrics::LabelView>;

// The boundaries that the conventions name.
constexpr std::array<double, 14> kDurationBounds = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                                    1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr std::array<double, 14> kTokenBounds = {
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
constexpr std::array<double, 16> kFirstChunkBounds = {
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0};

// With room for what a family adds.
Labels common(const semconv::genai::Call& call, std::string_view host, std::string_view port) {
  Labels labels;
  labels.reserve(8);
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) labels.push_back({name, value});
  };
  add(metric::kGenAiOperationName, name_of(call.operation));
  add(metric::kGenAiProviderName, call.provider);
  add(metric::kGenAiRequestModel, call.request_model);
  add(metric::kGenAiResponseModel, call.response_model);
  add(metric::kServerAddress, host);
  add(metric::kServerPort, port);
  return labels;
}

}  // namespace

ModelMetrics::ModelMetrics(size_t series_max)
    : durations_({.name = metric::kGenAiDuration,
                  .help = "Time of a call of a model, to the last byte of its answer. Unstable.",
                  .bounds = kDurationBounds,
                  .series_max = series_max}),
      tokens_({.name = metric::kGenAiTokenUsage,
               .help = "Tokens of a call of a model, as its provider counts them. Unstable.",
               .bounds = kTokenBounds,
               .series_max = series_max}),
      first_chunks_({.name = metric::kGenAiTimeToFirstChunk,
                     .help = "Time to the first piece of a streamed answer. Unstable.",
                     .bounds = kFirstChunkBounds,
                     .series_max = series_max}) {}

void ModelMetrics::record(const semconv::genai::Call& call, const Outcome& outcome) {
  const std::string port = std::to_string(outcome.port);
  Labels labels = common(call, outcome.host, port);
  if (call.time_to_first_chunk) {
    first_chunks_.of(labels).record(to_seconds(*call.time_to_first_chunk));
  }
  const auto count = [&](const std::optional<int64_t>& tokens, std::string_view type) {
    if (!tokens || call.usage_partial) return;
    labels.push_back({metric::kGenAiTokenType, type});
    tokens_.of(labels).record(static_cast<double>(*tokens));
    labels.pop_back();
  };
  count(call.usage.input, metric::kTokenTypeInput);
  count(call.usage.output, metric::kTokenTypeOutput);
  if (!outcome.error_type.empty()) labels.push_back({metric::kErrorType, outcome.error_type});
  durations_.of(labels).record(to_seconds(outcome.duration));
}

void ModelMetrics::collect(metrics::Snapshot& snapshot) const {
  durations_.collect(snapshot);
  tokens_.collect(snapshot);
  first_chunks_.collect(snapshot);
}

}  // namespace sidespan::proxy
