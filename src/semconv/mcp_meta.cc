#include "sidespan/semconv/mcp_meta.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/json/members.h"
#include "sidespan/json/writer.h"

namespace sidespan::semconv {
namespace {

using json::Member;
using json::Members;

constexpr std::array<std::string_view, 3> kContextKeys = {"traceparent", "tracestate", "baggage"};

bool is_context(std::string_view key) {
  return std::ranges::find(kContextKeys, key) != kContextKeys.end();
}

void append_members(std::string& out, std::span<const MetaEntry> entries) {
  bool first = true;
  for (const auto& [name, value] : entries) {
    if (!value) continue;
    if (!std::exchange(first, false)) out += ',';
    out.append(json::quoted(name)).append(":").append(json::quoted(*value));
  }
}

bool keeps(std::span<const MetaEntry> entries, std::string_view key) {
  return std::ranges::any_of(
      entries, [&](const MetaEntry& entry) { return entry.first == key && !entry.second; });
}

size_t place_of(std::string_view part, std::string_view whole) {
  return static_cast<size_t>(part.data() - whole.data());
}

// The inside of `_meta`, without its braces: ours, then what else there was, as it was written.
std::string new_meta(const Members& meta, std::span<const MetaEntry> entries) {
  std::string out;
  append_members(out, entries);
  for (const Member& member : meta.all) {
    if (is_context(member.key) && !keeps(entries, member.key)) continue;
    if (!out.empty()) out += ',';
    out.append("\"").append(member.key).append("\":").append(member.value);
  }
  return out;
}

// `message` with `text` behind an opening brace at `inside`.
std::string with_first_member(std::string_view message, size_t inside, bool others,
                              const std::string& text) {
  std::string out(message.substr(0, inside));
  out.append(text);
  if (others) out += ',';
  return out.append(message.substr(inside));
}

// What `entries` have under that name.
std::optional<std::string_view> value_of(std::span<const MetaEntry> entries, std::string_view key) {
  const auto found = std::ranges::find(entries, key, &MetaEntry::first);
  return found == entries.end() ? std::nullopt : found->second;
}

// `_meta` with its braces, each of its members in its place. Nothing where it has no context.
std::optional<std::string> replaced_meta(const Members& meta, std::span<const MetaEntry> entries) {
  bool had_context = false;
  std::string out = "{";
  for (const Member& member : meta.all) {
    const bool context = is_context(member.key);
    const std::optional<std::string_view> value = value_of(entries, member.key);
    had_context |= context;
    if (context && !value) continue;
    if (out.size() > 1) out += ',';
    out.append("\"").append(member.key).append("\":");
    out.append(context ? json::quoted(*value) : std::string(member.value));
  }
  if (!had_context) return std::nullopt;
  return out + "}";
}

// Writes `body` anew, up to the end of what has changed.
class Rewriting {
 public:
  Rewriting(std::string_view body, std::span<const MetaEntry> entries)
      : body_(body), entries_(entries) {}

  void message(std::string_view text) {
    const std::optional<Members> root = json::members_of(text);
    if (!root || root->find("jsonrpc") == nullptr) return;
    for (const Member& member : root->all) {
      if (member.key == "params" || member.key == "result") holder(member.value);
    }
  }
  std::optional<std::string> end() {
    if (out_.empty()) return std::nullopt;
    out_.append(body_.substr(written_));
    if (out_ == body_) return std::nullopt;
    return std::move(out_);
  }

 private:
  void holder(std::string_view text) {
    const std::optional<Members> inner = json::members_of(text);
    const Member* meta = inner ? inner->find("_meta") : nullptr;
    const std::optional<Members> old = meta ? json::members_of(meta->value) : std::nullopt;
    if (!old) return;
    const std::optional<std::string> changed = replaced_meta(*old, entries_);
    if (!changed) return;
    const size_t start = place_of(meta->value, body_);
    out_.append(body_.substr(written_, start - written_)).append(*changed);
    written_ = start + meta->value.size();
  }

  const std::string_view body_;
  const std::span<const MetaEntry> entries_;
  std::string out_;
  size_t written_ = 0;
};

}  // namespace

std::optional<std::string> with_replaced_context(std::string_view body,
                                                 std::span<const MetaEntry> entries) {
  Rewriting rewriting(body, entries);
  if (const auto batch = json::elements_of(body)) {
    for (const std::string_view message : *batch) rewriting.message(message);
  } else {
    rewriting.message(body);
  }
  return rewriting.end();
}

std::optional<std::string> with_meta_context(std::string_view message,
                                             std::span<const MetaEntry> entries) {
  const std::optional<Members> root = json::members_of(message);
  if (!root || root->find("method") == nullptr || root->find("id") == nullptr) return std::nullopt;
  std::string ours = "\"_meta\":{";
  append_members(ours, entries);
  ours += '}';
  const Member* params = root->find("params");
  if (params == nullptr) {
    if (entries.empty()) return std::nullopt;
    return with_first_member(message, root->inside, true, "\"params\":{" + ours + "}");
  }
  const std::optional<Members> inner = json::members_of(params->value);
  if (!inner) return std::nullopt;
  const Member* meta = inner->find("_meta");
  if (meta == nullptr) {
    if (entries.empty()) return std::nullopt;
    const size_t inside = place_of(params->value, message) + inner->inside;
    return with_first_member(message, inside, !inner->all.empty(), ours);
  }
  const std::optional<Members> old = json::members_of(meta->value);
  if (!old) return std::nullopt;
  const size_t start = place_of(meta->value, message);
  std::string out(message.substr(0, start));
  out.append("{").append(new_meta(*old, entries)).append("}");
  return out.append(message.substr(start + meta->value.size()));
}

}  // namespace sidespan::semconv
