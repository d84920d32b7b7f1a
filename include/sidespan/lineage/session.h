// The session that an agent names in a header of its own, or in a field of its requests: what is
// known of such headers and fields, in one place. Exact for the session and nothing more: it
// narrows which executions a call may belong to, and is the conversation's id where the convention
// allows one. A private header is a setting.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sidespan/http/message.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

struct Session {
  std::string_view header;  // as it came
  std::string_view id;      // a view of what names it
};

// The first of `further` that the request has, else of the table's: Claude Code, Codex, OpenCode,
// Qwen Code, Hermes, Kimi. What is empty, longer than 256 bytes or has other than visible ASCII is
// none.
std::optional<Session> session_of(const http::Headers& headers,
                                  std::span<const std::string> further = {});

// The same in `metadata.user_id` of a request to Anthropic's Messages, as Claude Code writes it:
// the session of its header, which older versions do not have.
std::optional<Session> session_in_user_id(std::string_view user_id);

// It says that it is another attempt at the same: the SDKs of OpenAI and Anthropic, and AWS's.
bool is_sent_again(const http::Headers& headers);

// As Call::session has it; never zero. Two headers' ids are never the same session.
uint64_t hash_of(const HashKey& key, const Session& session);

}  // namespace sidespan::lineage
