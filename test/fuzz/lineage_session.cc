// Fields, a line "name:value" each, or anything as `metadata.user_id`: a session's id is a part of
// what names it and visible ASCII, and a header's case changes nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../support/field_lines.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/session.h"

using namespace sidespan;
using lineage::Session;

namespace {

constexpr size_t kIdBytesMax = 256;

void check(const Session& session, std::string_view named_by) {
  const std::string_view id = session.id;
  if (id.empty() || id.size() > kIdBytesMax || session.header.empty()) std::abort();
  if (!std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; })) std::abort();
  if (id.data() < named_by.data() || id.end() > named_by.end()) std::abort();
  constexpr lineage::HashKey kKey{3, 5};
  const std::string lower = text::lower(session.header);
  const uint64_t hash = lineage::hash_of(kKey, session);
  if (hash == 0 || hash != lineage::hash_of(kKey, {lower, id})) std::abort();
}

void check_user_id(std::string_view user_id) {
  const std::optional<Session> session = lineage::session_in_user_id(user_id);
  if (!session) return;
  check(*session, user_id);
  const bool plain = session->id.find_first_of("\\\"") == std::string_view::npos;
  const std::string id(session->id);
  for (const std::string& written : {"{\"a\":{}, \"session_id\" : \"" + id + "\"}",
                                     "{\"session_id\":\"" + id + "\",\"device_id\":\"d\"}"}) {
    const auto again = lineage::session_in_user_id(written);
    if (plain && (!again || again->id != id)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  check_user_id(input);

  static const std::vector<std::string> kFurther = {"x-own-session"};
  http::Headers headers, lower;
  testing::for_each_field(input, [&](auto name, auto value) {
    if (headers.add(name, value)) lower.add(text::lower(name), value);
  });
  const auto session = lineage::session_of(headers, kFurther);
  const auto same = lineage::session_of(lower, kFurther);
  if (session.has_value() != same.has_value()) std::abort();
  if (session) {
    if (session->id != same->id || session->header != same->header) std::abort();
    check(*session, headers.find(session->header).value_or(""));
  }
  if (lineage::is_sent_again(headers) != lineage::is_sent_again(lower)) std::abort();
  return 0;
}
