// Names of the GenAI client metrics and of their labels, as attributes.h has those of attributes: a
// newer convention is one changed row. OpenTelemetry semantic conventions 1.44, written as
// Prometheus has names: with underscores, and the unit last. Used by who counts calls of models.
#pragma once

#include <string_view>

namespace sidespan::semconv::metric {

inline constexpr std::string_view kGenAiDuration = "gen_ai_client_operation_duration_seconds";
inline constexpr std::string_view kGenAiTokenUsage = "gen_ai_client_token_usage";
inline constexpr std::string_view kGenAiTimeToFirstChunk =
    "gen_ai_client_operation_time_to_first_chunk_seconds";

inline constexpr std::string_view kGenAiOperationName = "gen_ai_operation_name";
inline constexpr std::string_view kGenAiProviderName = "gen_ai_provider_name";
inline constexpr std::string_view kGenAiRequestModel = "gen_ai_request_model";
inline constexpr std::string_view kGenAiResponseModel = "gen_ai_response_model";
inline constexpr std::string_view kGenAiTokenType = "gen_ai_token_type";
inline constexpr std::string_view kTokenTypeInput = "input";
inline constexpr std::string_view kTokenTypeOutput = "output";
inline constexpr std::string_view kServerAddress = "server_address";
inline constexpr std::string_view kServerPort = "server_port";
inline constexpr std::string_view kErrorType = "error_type";

}  // namespace sidespan::semconv::metric
