#include "app/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

template <size_t N>
bool within(const std::array<Range, N>& ranges, uint32_t point) {
  return std::ranges::any_of(
      ranges, [point](Range range) { return point >= range.first && point <= range.last; });
}

// C0, DEL and C1, line and paragraph separators, marks and overrides of direction, tag characters.
constexpr std::array<Range, 9> kUnprintable = {{{0x00, 0x1f},
                                                {0x7f, 0x9f},
                                                {0x61c, 0x61c},
                                                {0x200b, 0x200f},
                                                {0x2028, 0x202e},
                                                {0x2060, 0x206f},
                                                {0xfeff, 0xfeff},
                                                {0xfff9, 0xfffb},
                                                {0xe0000, 0xe007f}}};
// Marks that stand on the character before.
constexpr std::array<Range, 5> kCombining = {
    {{0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}}};
// The blocks of wide characters that a name is likely to use (Unicode UAX #11).
constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115f},
                                         {0x2e80, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0xffe0, 0xffe6},
                                         {0x1f300, 0x1faff},
                                         {0x20000, 0x3fffd}}};

struct Character {
  std::string_view bytes;
  uint32_t point;
};

// The first character of non-empty, valid UTF-8.
Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  uint32_t point = size == 1 ? lead : lead & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return {text.substr(0, size), point};
}

size_t columns_of(uint32_t point) {
  if (within(kCombining, point)) return 0;
  return within(kWide, point) ? 2 : 1;
}

std::string escaped(uint32_t point) {
  std::string out = point < 0x100 ? "\\x" : "\\u";
  text::append_hex(out, point, point < 0x100 ? 2 : point < 0x10000 ? 4 : 6);
  return out;
}

// As many whole characters from the start as fit into `width` cells.
std::string_view head_of(std::string_view text, size_t width) {
  size_t end = 0;
  for (size_t used = 0; end < text.size();) {
    const Character next = first_character(text.substr(end));
    used += columns_of(next.point);
    if (used > width) break;
    end += next.bytes.size();
  }
  return text.substr(0, end);
}

// The rest of `text` from the first character on where it fits into `width` cells.
std::string_view tail_of(std::string_view text, size_t width) {
  size_t cells = columns(text);
  while (cells > width) {
    const Character next = first_character(text);
    cells -= columns_of(next.point);
    text.remove_prefix(next.bytes.size());
  }
  return text;
}

}  // namespace

std::string printable(std::string_view text, bool ascii) {
  const std::string valid = text::to_valid_utf8(std::string(text));
  std::string out;
  for (std::string_view rest = valid; !rest.empty();) {
    const Character next = first_character(rest);
    if (within(kUnprintable, next.point)) {
      out += escaped(next.point);
    } else if (ascii && next.point > 0x7e) {
      out += '?';
    } else {
      out += next.bytes;
    }
    rest.remove_prefix(next.bytes.size());
  }
  return out;
}

size_t columns(std::string_view text) {
  size_t cells = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    cells += columns_of(next.point);
    text.remove_prefix(next.bytes.size());
  }
  return cells;
}

std::string cut_middle(std::string_view text, size_t width, std::string_view mark) {
  if (columns(text) <= width) return std::string(text);
  if (width <= columns(mark)) return std::string(head_of(mark, width));
  const size_t kept = width - columns(mark);
  std::string out(head_of(text, kept / 2));
  out += mark;
  out += tail_of(text, kept - kept / 2);
  return out;
}

std::string pad_right(std::string text, size_t width) {
  const size_t cells = columns(text);
  if (cells < width) text.append(width - cells, ' ');
  return text;
}

std::string pad_left(std::string text, size_t width) {
  const size_t cells = columns(text);
  if (cells < width) text.insert(0, width - cells, ' ');
  return text;
}

}  // namespace sidespan::app
