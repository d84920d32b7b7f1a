#include "sidespan/lineage/session.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"

namespace sidespan::lineage {
namespace {

constexpr size_t kIdBytesMax = 256;

constexpr std::string_view kClaudeCode = "x-claude-code-session-id";
// Codex says its session by two names, by its version.
constexpr std::array<std::string_view, 7> kHeaders = {kClaudeCode,
                                                      "session-id",
                                                      "session_id",
                                                      "x-opencode-session",
                                                      "x-qwen-code-session-id",
                                                      "x-hermes-session-id",
                                                      "x-session-id"};

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<Session> in_header(const http::Headers& headers, std::string_view name) {
  const std::optional<std::string_view> value = headers.find(name);
  return value && is_id(*value) ? std::optional(Session{name, *value}) : std::nullopt;
}

// Of a member "session_id" in a JSON text; an id has no escapes. Empty: there is none.
std::string_view member_session(std::string_view json) {
  constexpr std::string_view kMember = "\"session_id\"";
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t at = json.find(kMember);
  if (at == std::string_view::npos) return {};
  const auto skip = [&](char wanted) {
    json.remove_prefix(std::min(json.find_first_not_of(kBlanks), json.size()));
    const bool there = json.starts_with(wanted);
    if (there) json.remove_prefix(1);
    return there;
  };
  json.remove_prefix(at + kMember.size());
  if (!skip(':') || !skip('"')) return {};
  const size_t end = json.find('"');
  const std::string_view id = json.substr(0, std::min(end, json.size()));
  return end == std::string_view::npos || id.find('\\') != id.npos ? std::string_view() : id;
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

// "user_HASH_account_UUID_session_UUID"; since 2.1 a JSON text with "session_id" in it.
std::optional<Session> session_in_user_id(std::string_view user_id) {
  constexpr std::string_view kUser = "user_";
  constexpr std::string_view kAccount = "_account_";
  constexpr std::string_view kSession = "_session_";
  std::string_view id;
  if (user_id.starts_with('{')) {
    id = member_session(user_id);
  } else if (user_id.starts_with(kUser) && user_id.find(kAccount) != user_id.npos) {
    const size_t at = user_id.rfind(kSession);
    if (at != user_id.npos) id = user_id.substr(at + kSession.size());
  }
  return is_id(id) ? std::optional(Session{kClaudeCode, id}) : std::nullopt;
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
