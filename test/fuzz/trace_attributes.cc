// Any bytes as keys and texts, a line each: what is kept is UTF-8 and within the limits, and is
// found again under its key.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/base/text.h"
#include "sidespan/trace/attributes.h"

using sidespan::trace::Attributes;
namespace text = sidespan::text;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kCountMax = 8;
  constexpr size_t kValueBytesMax = 40;
  Attributes attributes({kCountMax, kValueBytesMax});
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) {
    std::optional<std::string_view> value = text::split_first(rest, '\n');
    const std::string_view key = text::split_first(value, '=');
    attributes.set(key, value.value_or(""));
  }
  if (attributes.size() > kCountMax) std::abort();
  for (size_t i = 0; i < attributes.size(); ++i) {
    const auto [key, value] = attributes.at(i);
    const auto kept = std::get<std::string_view>(value);
    if (key.empty() || !text::is_valid_utf8(key) || !text::is_valid_utf8(kept)) std::abort();
    if (kept.size() > kValueBytesMax || attributes.text(key) != kept) std::abort();
  }
  return 0;
}
