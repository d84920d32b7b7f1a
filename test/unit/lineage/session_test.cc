#include "sidespan/lineage/session.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace sidespan;
using namespace sidespan::lineage;

TEST_CASE("the session that an agent names") {
  struct Row {
    const char* name;
    std::string value;
    const char* id;
  };
  const std::vector<Row> rows = {
      {"X-Claude-Code-Session-Id", "0b5c6a0e", "0b5c6a0e"},
      {"session_id", "c1", "c1"},
      {"Session-Id", "c2", "c2"},
      {"x-opencode-session", "ses_1", "ses_1"},
      {"X-Qwen-Code-Session-Id", "q", "q"},
      {"X-Hermes-Session-Id", "h", "h"},
      {"X-Session-Id", "k", "k"},
      {"X-Acme-Session", "a", "a"},  // a setting
      {"Mcp-Session-Id", "m", ""},
      // Codex, too, and many others with a meaning of their own.
      {"X-Client-Request-Id", "r", ""},
      {"Thread-Id", "t", ""},
      {"X-Session-Id", "", ""},
      {"X-Session-Id", "two words", ""},
      {"X-Session-Id", std::string(257, 'a'), ""},
  };
  const std::vector<std::string> further = {"x-acme-session"};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    http::Headers headers;
    headers.add(row.name, row.value);
    const std::optional<Session> found = session_of(headers, further);
    CHECK(std::string(found ? found->id : "") == row.id);
  }
}

TEST_CASE("the session that Claude Code names in its user's id is that of its header") {
  const std::string hash(64, 'a');
  const std::string account = "_account_5f1c3a9e-0d7b-4c52-8a61-2b7c8d9e0a41";
  const std::string session = "6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41";
  struct Row {
    const char* name;
    std::string user_id;
    std::string id;
  };
  const std::vector<Row> rows = {
      {"a text", "user_" + hash + account + "_session_" + session, session},
      {"an account without an id", "user_" + hash + "_account__session_" + session, session},
      {"JSON", R"({"device_id":"d","account_uuid":"","session_id":")" + session + "\"}", session},
      {"JSON with blanks", R"({ "session_id" : ")" + session + "\" }", session},
      {"none", "", ""},
      {"another's user", "customer-17", ""},
      {"a user with a session of its own kind", "user_17_session_9", ""},
      {"no session", "user_" + hash + account, ""},
      {"an empty one", "user_" + hash + account + "_session_", ""},
      {"two words", "user_" + hash + account + "_session_a b", ""},
      {"JSON without it", R"({"device_id":"d"})", ""},
      {"JSON that is cut", R"({"session_id":"6f0d)", ""},
      {"JSON with a number", R"({"session_id":17})", ""},
      {"JSON with an escape", R"({"session_id":"a\u0062"})", ""},
  };
  const HashKey key{1, 2};
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::optional<Session> found = session_in_user_id(row.user_id);
    CHECK(std::string(found ? found->id : "") == row.id);
    if (!found) continue;
    http::Headers headers;
    headers.add("X-Claude-Code-Session-Id", session);
    CHECK(hash_of(key, *found) == hash_of(key, *session_of(headers)));
  }
}

TEST_CASE("one id by two headers is two sessions") {
  const HashKey key{1, 2};
  CHECK(hash_of(key, Session{"a", "x"}) != hash_of(key, Session{"b", "x"}));
  CHECK(hash_of(key, Session{"A", "x"}) == hash_of(key, Session{"a", "x"}));
}

TEST_CASE("a request may say that it is sent again") {
  struct Row {
    const char* name;
    const char* value;
    bool again;
  };
  const std::vector<Row> rows = {
      {"x-stainless-retry-count", "0", false},
      {"x-stainless-retry-count", "1", true},
      {"amz-sdk-request", "attempt=1; max=3", false},
      {"amz-sdk-request", "ttl=20261127T230000Z; attempt=2; max=3", true},
      {"amz-sdk-request", "max=3", false},
      {"x-other", "2", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    http::Headers headers;
    headers.add(row.name, row.value);
    CHECK(is_sent_again(headers) == row.again);
  }
}
