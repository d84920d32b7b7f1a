// What llhttp is shown of a head, once the guard has read it: the start line, each line it may give
// a meaning to, and the empty line. Of any other line it would say that the name is one, and where
// the line ends, at the price of a look at each byte. The latter, on which all framing rests, is
// made sure of here instead: a line that is passed over lies between two line ends, and the head
// has no controls beside its line ends. Where it has some, tabs or empty lines before it, llhttp is
// shown all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "scan.h"
#include "sidespan/http/head_block.h"

namespace sidespan::http {

// Whether what begins so may be one of the lines that every llhttp tells from all others:
// Connection, Content-Length, Proxy-Connection, Transfer-Encoding, Upgrade. By the letters that
// stand there and not by the name that the guard has made of them, so that no mistake of its own
// can hide such a line. A line has four bytes at least.
inline bool may_mean_something(std::string_view line) {
  const auto word = [](const char* at) {
    uint32_t letters;
    std::memcpy(&letters, at, sizeof letters);
    return letters | 0x20202020;
  };
  const uint32_t first = word(line.data());
  if (first == word("cont")) return line.size() < 9 || (line[8] | 0x20) == 'l';
  return first == word("conn") || first == word("prox") || first == word("tran") ||
         first == word("upgr");
}

// `start(line)` for the start line, then `read(piece)` for each piece of the head's block that
// llhttp is shown, in order, and `pass(n)` for the n lines in between; `read` alone for all of a
// head. False as soon as one of them is, or when a line does not begin or end where `lines` says.
template <class Start, class Read, class Pass>
[[gnu::always_inline]] inline bool show_head(std::string_view block, LineTable lines, Start&& start,
                                             Read&& read, Pass&& pass) {
  constexpr size_t kLineEnd = 2;
  const char* const data = block.data();
  // The start line's and the empty one's, too.
  const size_t line_ends = lines.size() + 2;
  if (scan::count_at_most(block, '\x1f') != line_ends * kLineEnd) return read(block);
  const size_t last = block.size() - kLineEnd;
  const size_t first = lines.size() > 0 ? lines.begin()->name.begin : last;
  size_t begin = 0;      // of a line
  size_t shown = first;  // up to here, or passed over
  size_t passed = 0;
  const auto goes_on_at = [&](size_t next) {
    const size_t before = std::exchange(begin, next);
    return before + kLineEnd <= next && std::memcmp(data + next - kLineEnd, "\r\n", kLineEnd) == 0;
  };
  const auto read_on_from = [&](size_t next) {
    shown = next;
    return pass(std::exchange(passed, 0));
  };
  if (first > last || !start(block.substr(0, first))) return false;
  for (const FieldLine& line : lines) {
    if (!goes_on_at(line.name.begin)) return false;
    if (may_mean_something({data + begin, last - begin})) {
      if (passed > 0 && !read_on_from(begin)) return false;
      continue;
    }
    if (data[line.name.end()] != ':') return false;
    if (passed++ == 0 && shown < begin && !read({data + shown, begin - shown})) return false;
  }
  if (!goes_on_at(last) || (passed > 0 && !read_on_from(last))) return false;
  return read({data + shown, block.size() - shown});
}

}  // namespace sidespan::http
