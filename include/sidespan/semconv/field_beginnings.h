// What the names of a head's fields begin with: seen once, so that who looks for names that begin
// in some way is told at once that there are none. Used by the observers of a request, and by proxy
// for vendors' trace headers.
#pragma once

#include <cstdint>
#include <string_view>

namespace sidespan::semconv {

class FieldBeginnings {
 public:
  // None yet.
  constexpr FieldBeginnings() = default;
  // Whatever there may be.
  static constexpr FieldBeginnings any() {
    FieldBeginnings all;
    all.seen_ = ~uint64_t{0};
    return all;
  }

  constexpr void see(std::string_view name) {
    if (name.size() > 1) seen_ |= bit_of(name);
  }
  // Of `beginning` two characters count, in any case. Others may pass for it.
  constexpr bool may_have(std::string_view beginning) const {
    return (seen_ & bit_of(beginning)) != 0;
  }
  constexpr bool may_have_any(FieldBeginnings of) const { return (seen_ & of.seen_) != 0; }

 private:
  // So that "User-Agent", "Accept" and other frequent names are none of those that are looked for.
  static constexpr uint64_t bit_of(std::string_view name) {
    constexpr uint32_t kLower = 0x20;
    const uint32_t first = static_cast<unsigned char>(name[0]) | kLower;
    const uint32_t second = static_cast<unsigned char>(name[1]) | kLower;
    return uint64_t{1} << ((first * 31 + second) % 64);
  }

  uint64_t seen_ = 0;
};

}  // namespace sidespan::semconv
