#include <algorithm>

#include "sidespan/base/text.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {
namespace {

constexpr size_t kWordMin = 3;

// "orders" and "order", "queries" and "query" are one word.
uint32_t hash_of_word(const HashKey& key, std::string_view word) {
  const bool plural = word.size() > kWordMin && text::to_lower(word.back()) == 's';
  if (plural) word.remove_suffix(1);
  const bool changed = plural && word.size() > kWordMin && text::lower(word).ends_with("ie");
  if (changed) word.remove_suffix(2);
  uint64_t mixed = key.first ^ key.second;
  for (const char c : word) {
    mixed = (mixed ^ static_cast<uint8_t>(text::to_lower(c))) * 0x100000001b3U;
  }
  if (changed) mixed = (mixed ^ static_cast<uint8_t>('y')) * 0x100000001b3U;
  return static_cast<uint32_t>(mixed >> 16 ^ mixed >> 40) | 1;
}

}  // namespace

void add_words(const HashKey& key, std::string_view text, ToolName& name) {
  auto* place = std::ranges::find(name, 0U);
  size_t start = 0;
  for (size_t i = 0; i <= text.size() && place != name.end(); ++i) {
    const bool letter = i < text.size() && text::is_alpha(text[i]);
    const bool hump = letter && i > start && text::is_upper(text[i]) && text::is_lower(text[i - 1]);
    if (letter && !hump) continue;
    if (i - start >= kWordMin) *place++ = hash_of_word(key, text.substr(start, i - start));
    start = hump ? i : i + 1;
  }
}

bool resemble(const ToolName& one, const ToolName& other) {
  return std::ranges::any_of(one, [&](uint32_t word) {
    return word != 0 && std::ranges::find(other, word) != other.end();
  });
}

}  // namespace sidespan::lineage
