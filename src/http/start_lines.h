// What llhttp makes of a start line: its state behind it. Agents ask for the same few things again
// and again and origins answer in few ways, so a thread keeps the readings of the lines it saw last
// and goes on from there when one of them comes again, to the byte. Nothing is concluded from what
// is kept but what llhttp itself concluded.
#pragma once

#include <llhttp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sidespan/http/head_block.h"

namespace sidespan::http {

// Begins as zeros, and knows none then: make it thread_local.
class StartLines {
  static constexpr size_t kLineBytesLeast = std::string_view("M / HTTP/1.1\r\n").size();
  static constexpr size_t kLineBytesMost = 160;

 public:
  class Reading {
   public:
    // The parser, which has read nothing yet, has read the line.
    void resume(llhttp_t& parser) const {
      void* const data = parser.data;
      void* const settings = parser.settings;
      parser = state_;
      parser.data = data;
      parser.settings = settings;
    }
    // The target or the reason, by offset within the line.
    Range text() const { return text_; }

   private:
    friend StartLines;
    llhttp_t state_{};
    Range text_;
    uint32_t size_ = 0;
    std::array<char, kLineBytesMost> line_{};
  };

  // Nothing where it is not known.
  const Reading* find(std::string_view line, const llhttp_t& parser) {
    if (line.size() < kLineBytesLeast) return nullptr;
    const uint64_t key = key_of(line);
    if (keys_[recent_] != key) {
      const auto place = std::ranges::find(keys_, key);
      if (place == keys_.end()) return nullptr;
      recent_ = static_cast<size_t>(place - keys_.begin());
    }
    const Reading& kept = kept_[recent_];
    const bool same = kept.size_ == line.size() && kept.state_.type == parser.type &&
                      std::memcmp(kept.line_.data(), line.data(), line.size()) == 0;
    return same ? &kept : nullptr;
  }
  // `parser` has read the line and nothing else, and named `text` of it. The oldest makes room.
  void keep(std::string_view line, Range text, const llhttp_t& parser) {
    if (line.size() < kLineBytesLeast || line.size() > kLineBytesMost) return;
    // A query or userinfo may be a secret, which is not to stay longer than its request.
    if (line.find_first_of("?@") != std::string_view::npos) return;
    const size_t place = next_;
    next_ = (next_ + 1) % kKept;
    keys_[place] = key_of(line);
    Reading& kept = kept_[place];
    kept.state_ = parser;
    kept.text_ = text;
    kept.size_ = static_cast<uint32_t>(line.size());
    std::memcpy(kept.line_.data(), line.data(), line.size());
  }

 private:
  // Lines differ in length, in the middle (host, status) or before the version (path). Two with one
  // key are both read; nothing rests on it.
  static uint64_t key_of(std::string_view line) {
    const auto word = [&](size_t at) {
      uint64_t bytes;
      std::memcpy(&bytes, line.data() + at, sizeof bytes);
      return bytes;
    };
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    return (word(line.size() / 2 - 4) * kOdd ^ word(line.size() - kLineBytesLeast)) *
           (kOdd + 2 * line.size());
  }

  static constexpr size_t kKept = 16;
  std::array<uint64_t, kKept> keys_{};
  std::array<Reading, kKept> kept_{};
  size_t recent_ = 0;  // found last
  size_t next_ = 0;
};

}  // namespace sidespan::http
