#include "lineage/member_names.h"

#include <array>
#include <cstddef>

namespace sidespan::lineage {
namespace {

struct Row {
  std::string_view name;
  Member member;
};

constexpr std::array kRows = {
    Row{"usage", Member::kIgnored},
    Row{"usageMetadata", Member::kIgnored},
    Row{"created", Member::kIgnored},
    Row{"created_at", Member::kIgnored},
    Row{"completed_at", Member::kIgnored},
    Row{"createTime", Member::kIgnored},
    Row{"total_duration", Member::kIgnored},
    Row{"load_duration", Member::kIgnored},
    Row{"eval_duration", Member::kIgnored},
    Row{"prompt_eval_duration", Member::kIgnored},
    Row{"metrics", Member::kIgnored},
    Row{"model", Member::kIgnored},
    Row{"modelVersion", Member::kIgnored},
    Row{"system_fingerprint", Member::kIgnored},
    Row{"object", Member::kIgnored},
    Row{"service_tier", Member::kIgnored},
    Row{"finish_reason", Member::kIgnored},
    Row{"finishReason", Member::kIgnored},
    Row{"stop_reason", Member::kIgnored},
    Row{"stopReason", Member::kIgnored},
    Row{"sequence_number", Member::kIgnored},
    Row{"obfuscation", Member::kIgnored},
    Row{"p", Member::kIgnored},  // Bedrock's padding
    Row{"logprobs", Member::kIgnored},
    Row{"safetyRatings", Member::kIgnored},
    Row{"signature", Member::kIgnored},
    Row{"thoughtSignature", Member::kIgnored},
    Row{"encrypted_content", Member::kIgnored},
    Row{"jsonrpc", Member::kIgnored},
    Row{"contextId", Member::kLasting},
    Row{"context_id", Member::kLasting},
    Row{"sessionId", Member::kLasting},
    Row{"session_id", Member::kLasting},
    Row{"conversationId", Member::kLasting},
    Row{"conversation_id", Member::kLasting},
    Row{"threadId", Member::kLasting},
    Row{"thread_id", Member::kLasting},
    Row{"cache_control", Member::kMark},
    Row{"cachePoint", Member::kMark},
    Row{"messages", Member::kMessages},
    Row{"contents", Member::kMessages},
    Row{"input", Member::kMessages},
    Row{"prompt", Member::kMessages},
    Row{"id", Member::kId},
    Row{"tool_call_id", Member::kId},
    Row{"toolCallId", Member::kId},
    Row{"tool_use_id", Member::kId},
    Row{"toolUseId", Member::kId},
    Row{"call_id", Member::kId},
    Row{"responseId", Member::kId},
    Row{"response_id", Member::kId},
    Row{"previous_response_id", Member::kId},
    Row{"taskId", Member::kId},
    Row{"task_id", Member::kId},
    Row{"role", Member::kRole},
    Row{"type", Member::kType},
    Row{"arguments", Member::kArguments},
    Row{"args", Member::kArguments},
    Row{"parameters", Member::kArguments},
    Row{"partial_json", Member::kArguments},
    Row{"content", Member::kProse},
    Row{"text", Member::kProse},
    Row{"delta", Member::kProse},
    Row{"thinking", Member::kProse},
    Row{"reasoning_content", Member::kProse},
    Row{"response", Member::kProse},
    Row{"name", Member::kName},
    Row{"tools", Member::kTools},
    Row{"index", Member::kIndex},
    Row{"output_index", Member::kIndex},
    Row{"contentBlockIndex", Member::kIndex},
};

constexpr size_t kPlaces = 256;

constexpr size_t place_of(std::string_view name) {
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(name[i])); };
  return (name.size() * 7 + at(0) * 3 + at(name.size() / 2) * 13 + at(name.size() - 1)) % kPlaces;
}

// Row numbers plus one, by open addressing: most names that come find an empty place.
constexpr std::array<uint8_t, kPlaces> places() {
  std::array<uint8_t, kPlaces> out{};
  for (size_t i = 0; i < kRows.size(); ++i) {
    size_t place = place_of(kRows[i].name);
    while (out[place] != 0) place = (place + 1) % kPlaces;
    out[place] = static_cast<uint8_t>(i + 1);
  }
  return out;
}
constexpr std::array<uint8_t, kPlaces> kPlaceOf = places();

}  // namespace

Member member_of(std::string_view name) {
  if (name.empty()) return Member::kOther;
  for (size_t place = place_of(name); kPlaceOf[place] != 0; place = (place + 1) % kPlaces) {
    const Row& row = kRows[kPlaceOf[place] - 1U];
    if (row.name == name) return row.member;
  }
  return Member::kOther;
}

}  // namespace sidespan::lineage
