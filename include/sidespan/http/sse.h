// Server-sent events (WHATWG HTML, section 9.2): finds event boundaries in a stream that arrives in
// any pieces. Keeps a few bytes of state and no content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidespan::http {

class SseCounter {
 public:
  // Returns how many events were completed by these bytes. An event is a block with at least one
  // `data` field, ended by an empty line; comments and blocks without data do not count.
  uint64_t feed(std::string_view bytes);
  uint64_t events() const { return events_; }

 private:
  size_t match_mark(char c);
  void match_data(char c);
  void end_line();

  uint64_t events_ = 0;
  uint8_t mark_matched_ = 0;  // bytes of a byte order mark at the start of the stream; 3: past it
  uint8_t matched_ = 0;  // characters of "data" at the start of this line; 5: data line, 6: another
  bool line_empty_ = true;
  bool block_has_data_ = false;
  bool after_cr_ = false;  // an LF that follows belongs to the same line end
};

}  // namespace sidespan::http
