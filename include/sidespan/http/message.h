// An HTTP message's head as both codecs know it: method, target, status, fields (RFC 9110). Names
// keep their case, order and duplicates, so that h1 to h1 changes nothing it need not. What frames
// the body on one hop is the codec's business; between the hops it is a BodyLength.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/text.h"

namespace sidespan::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

// Field lines in order, in one arena: a head of twenty lines is two allocations. Names compare
// ASCII case-insensitively. Views live until the next change.
class Headers {
 public:
  size_t size() const { return lines_.size(); }
  bool empty() const { return lines_.empty(); }
  Field at(size_t index) const;
  // Name and value bytes plus 4 a line, as they stand on the wire in h1.
  size_t wire_bytes() const;
  // What it keeps allocated.
  size_t memory_bytes() const { return arena_.capacity() + lines_.capacity() * sizeof(Line); }

  // The first line of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  size_t count(std::string_view name) const;
  // Whether a comma-separated list field holds `member` (case ignored, parameters cut).
  bool lists(std::string_view name, std::string_view member) const;

  // `visit(value)` for every line of that name, in order.
  template <class Visit>
  void for_each(std::string_view name, Visit&& visit) const;

  // A name that is no token, or a value with CR, LF or NUL, is refused (false): a header cannot be
  // injected by way of a value.
  bool add(std::string_view name, std::string_view value);
  // Replaces the first line of that name where it stands, removes the others; adds when absent.
  bool set(std::string_view name, std::string_view value);
  // Returns how many lines went.
  size_t remove(std::string_view name);
  // `doomed(Field)` says which lines go; returns how many.
  template <class Doomed>
  size_t remove_if(Doomed&& doomed);
  void clear();

  // For a codec that has a section as it stood on the wire: its bytes are copied here once, as they
  // come, and the lines are named as views into block() afterwards. Nothing is checked. Such a list
  // is empty before, and block() is what was appended until something else changes the list.
  void append_block(std::string_view bytes);
  std::string_view block() const { return arena_; }
  void add_from_block(std::string_view name, std::string_view value);

 private:
  struct Line {
    uint32_t name_begin;
    uint32_t name_size;
    uint32_t value_begin;
    uint32_t value_size;
  };
  Field field(const Line& line) const {
    const std::string_view arena = arena_;
    return {arena.substr(line.name_begin, line.name_size),
            arena.substr(line.value_begin, line.value_size)};
  }
  void reserve_first();
  // Copies both to the end of the arena, of which they may be views.
  Line store(std::string_view name, std::string_view value);

  std::string arena_;
  std::vector<Line> lines_;
};

struct BodyLength {
  enum class Kind : uint8_t {
    kNone,     // there is no body, not even an empty one
    kKnown,    // exactly `bytes`
    kUnknown,  // until it ends: chunked, until close, or DATA frames
  };
  Kind kind = Kind::kNone;
  uint64_t bytes = 0;

  static BodyLength none() { return {}; }
  static BodyLength known(uint64_t bytes) { return {Kind::kKnown, bytes}; }
  static BodyLength unknown() { return {Kind::kUnknown, 0}; }
  bool operator==(const BodyLength&) const = default;
};

// Both kinds of message; which fields count follows from the codec's role.
struct Head {
  std::string method;     // request, as received: known to llhttp, upper case
  std::string target;     // request, as received
  int status = 0;         // response: 100 to 999
  std::string reason;     // response; may be empty
  int minor_version = 1;  // HTTP/1.x as received; 1 when not HTTP/1. Codecs send their own.
  Headers headers;
  BodyLength body;
  MonoTime begun{};  // as received: when its first byte came
  // Request: it asks to leave HTTP (Upgrade with Connection: upgrade, or CONNECT). The sender keeps
  // the Upgrade field only when this is set.
  bool upgrade = false;

  // Whether that is the method; sizes are compared first.
  bool asks(std::string_view wanted) const { return std::string_view(method) == wanted; }
};

bool is_idempotent(std::string_view method);  // RFC 9110 section 9.2.2

template <class Visit>
void Headers::for_each(std::string_view name, Visit&& visit) const {
  for (const Line& line : lines_) {
    if (line.name_size != name.size()) continue;
    const Field f = field(line);
    if (text::same_text(f.name, name)) visit(f.value);
  }
}

template <class Doomed>
size_t Headers::remove_if(Doomed&& doomed) {
  return std::erase_if(lines_, [&](const Line& line) { return doomed(field(line)); });
}

}  // namespace sidespan::http
