#include "sidespan/lineage/session.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"

namespace sidespan::lineage {
namespace {

constexpr size_t kIdBytesMax = 256;

// Codex says its session by two names, by its version.
constexpr std::array<std::string_view, 7> kHeaders = {
    "x-claude-code-session-id", "session-id",          "session_id",  "x-opencode-session",
    "x-qwen-code-session-id",   "x-hermes-session-id", "x-session-id"};

std::optional<Session> in_header(const http::Headers& headers, std::string_view name) {
  const std::optional<std::string_view> value = headers.find(name);
  if (!value || value->empty() || value->size() > kIdBytesMax) return std::nullopt;
  if (!std::ranges::all_of(*value, [](char c) { return c > ' ' && c < '\x7f'; })) {
    return std::nullopt;
  }
  return Session{name, *value};
}

}  // namespace

std::optional<Session> session_of(const http::Headers& headers,
                                  std::span<const std::string> further) {
  for (const std::string& name : further) {
    if (const std::optional<Session> found = in_header(headers, name)) return found;
  }
  for (const std::string_view name : kHeaders) {
    if (const std::optional<Session> found = in_header(headers, name)) return found;
  }
  return std::nullopt;
}

bool is_sent_again(const http::Headers& headers) {
  const std::string_view count = headers.find("x-stainless-retry-count").value_or("0");
  if (count != "0") return true;
  constexpr std::string_view kAttempt = "attempt=";
  const std::string_view sdk = headers.find("amz-sdk-request").value_or("");
  const size_t at = sdk.find(kAttempt);
  if (at == std::string_view::npos) return false;
  const std::string_view number = sdk.substr(at + kAttempt.size());
  return number.substr(0, number.find(';')) != "1";
}

uint64_t hash_of(const HashKey& key, const Session& session) {
  Hasher hasher(key);
  hasher.add(text::lower(session.header));
  hasher.add(std::string_view(":"));
  hasher.add(session.id);
  return std::max<uint64_t>(hasher.finish(), 1);
}

}  // namespace sidespan::lineage
