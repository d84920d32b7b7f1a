// The messages of a call in the JSON of OpenTelemetry's GenAI convention
// (gen-ai-input-messages.json, gen-ai-output-messages.json, gen-ai-system-instructions.json).
// Private to genai.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "sidespan/semconv/genai_call.h"

namespace sidespan::semconv::genai {

// Names of members whose values are hidden: DescribeOptions::redact. Empty: there are none.
std::string instructions_json(const Call& call, std::span<const std::string> redact);
// Of the newest messages as many as there is room for.
std::string input_json(const Call& call, std::span<const std::string> redact, size_t bytes_max);
std::string output_json(const Call& call, std::span<const std::string> redact);

}  // namespace sidespan::semconv::genai
