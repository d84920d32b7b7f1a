// Any bytes as baggage lines: what goes on is clean, printable and within the limits, and entries
// survive encode and parse. As long as it is well-formed, what is asked for, taken out or allowed
// is what the entries say. However much comes before, no more than a bound of it is kept.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/baggage.h"

using sidespan::trace::Baggage;
namespace text = sidespan::text;

namespace {

using Entries = std::vector<Baggage::Entry>;

Baggage read(std::string_view lines, Baggage baggage = {}) {
  std::optional<std::string_view> rest = lines;
  while (rest) baggage.add_line(text::split_first(rest, '\n'));
  return baggage;
}

template <class Keeps>
Entries only(Entries entries, Keeps&& keeps) {
  std::erase_if(entries, [&](const Baggage::Entry& entry) { return !keeps(entry.key); });
  return entries;
}

// Of a well-formed one, so that no limit gives a place to another.
void check_kept(const Baggage& received, const Entries& entries) {
  Baggage lines;
  for (const std::string_view line : received.lines()) {
    if (!std::ranges::all_of(line, [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); })) {
      std::abort();
    }
    lines.add_line(line);
  }
  if (lines.entries() != entries) std::abort();
  if (entries.empty()) return;

  const std::string key = entries.front().key;
  Baggage without = received;
  without.erase(key);
  if (without.get(key) ||
      without.entries() != only(entries, [&](std::string_view other) { return other != key; })) {
    std::abort();
  }
  const std::vector<std::string> patterns = {key.substr(0, 1) + "*", "*" + entries.back().key};
  Baggage allowed = received;
  allowed.allow_only(patterns);
  if (allowed.entries() != only(entries, [&](std::string_view other) {
        return text::matches_wildcard(patterns[0], other) ||
               text::matches_wildcard(patterns[1], other);
      })) {
    std::abort();
  }
}

// Behind a line that leaves little room.
void check_bound(std::string_view lines) {
  constexpr size_t kRoom = 16;
  static const std::string kLine = "a=" + std::string(Baggage::kReceivedBytesMax - kRoom, 'x');
  Baggage full;
  full.add_line(kLine);
  size_t bytes = 0;
  std::optional<std::string_view> rest = lines;
  const Baggage all = read(lines, full);
  for (const std::string_view kept : all.lines()) {
    bytes += kept.size() + (bytes == 0 ? 0 : 1);
    if (kept == kLine) continue;
    // One that is cut is so behind a whole member.
    const auto is_of = [&](std::string_view line) {
      return line.starts_with(kept) && (line.size() == kept.size() || line[kept.size()] == ',');
    };
    bool found = false;
    while (rest && !found) found = is_of(text::split_first(rest, '\n'));
    if (!found) std::abort();
  }
  if (bytes > Baggage::kReceivedBytesMax) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view lines(reinterpret_cast<const char*>(data), size);
  Baggage received = read(lines);
  const Entries entries = received.entries();
  const std::string header = received.to_header();
  if (header.size() > Baggage::kBytesMax || entries.size() > Baggage::kMembersMax) std::abort();
  if (!std::ranges::all_of(header, [](char c) { return c > ' ' && c <= '~'; })) std::abort();
  Baggage sent;
  sent.add_line(header);
  if (!sent.passes_as_received() || sent.entries() != entries) std::abort();
  Baggage again;
  again.add_line(Baggage::encode(entries));
  // Encoding may grow a value, so that some members no longer fit.
  if (again.passes_as_received() && again.entries() != entries) std::abort();
  for (const Baggage::Entry& entry : entries | std::views::take(8)) {
    const auto last =
        std::ranges::find(entries.rbegin(), entries.rend(), entry.key, &Baggage::Entry::key);
    if (received.get(entry.key) != last->value) std::abort();
  }
  if (received.passes_as_received()) check_kept(received, entries);
  check_bound(lines);
  if (!received.set("own", "1\r\n") || received.get("own") != "1\r\n") std::abort();
  received.erase("own");
  if (received.get("own")) std::abort();
  return 0;
}
