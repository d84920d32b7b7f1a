// An HTTP message's head as both codecs know it: method, target, status, fields (RFC 9110). Names
// keep their case, order and duplicates, so that h1 to h1 changes nothing it need not. What frames
// the body on one hop is the codec's business; between the hops it is a BodyLength.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/http/field_name.h"
#include "sidespan/http/head_block.h"

namespace sidespan::http {

inline constexpr int kSwitchingProtocols = 101;

struct Field {
  std::string_view name;
  std::string_view value;
};

// Field lines in order, in one block with the head's start line. Names compare ASCII
// case-insensitively; those of FieldName cost least. Views live until the next change.
class Headers {
 public:
  Headers() = default;
  Headers(Headers&& other) noexcept = default;
  Headers(const Headers& other) : block_(other.block_ ? other.block_->copy() : nullptr) {}
  // Takes the other's lines. A head's method, target and reason are not among them and stay.
  Headers& operator=(Headers&& other) noexcept;
  Headers& operator=(const Headers& other) { return *this = Headers(other); }

  size_t size() const { return block_ ? block_->lines() : 0; }
  bool empty() const { return size() == 0; }
  Field at(size_t index) const { return field(block_->line(index)); }
  // Name and value bytes plus 4 a line, as they stand on the wire in h1.
  size_t wire_bytes() const;
  // What its block takes; the memory ledger has that counted.
  size_t memory_bytes() const { return block_ ? block_->capacity() : 0; }

  // The first line of that name.
  std::optional<std::string_view> find(const Wanted& name) const {
    if (name.known != FieldName::kOther) return find(name.known);
    return may_have(FieldName::kOther) ? value_of(name) : std::nullopt;
  }
  std::optional<std::string_view> find(FieldName name) const {
    return may_have(name) ? value_of(name) : std::nullopt;
  }
  bool contains(const Wanted& name) const { return find(name).has_value(); }
  bool contains(FieldName name) const { return may_have(name) && find(name).has_value(); }
  size_t count(const Wanted& name) const;
  // Whether a comma-separated list field holds `member` (case ignored, parameters cut).
  bool lists(const Wanted& name, std::string_view member) const;
  bool lists(FieldName name, std::string_view member) const {
    return may_have(name) && any_lists(name, member);
  }

  // `visit(value)` for every line of that name, in order.
  template <class Visit>
  void for_each(const Wanted& name, Visit&& visit) const;
  template <class Visit>
  void for_each(FieldName name, Visit&& visit) const;

  // A name that is no token, or a value with CR, LF or NUL, is refused (false): a header cannot be
  // injected by way of a value.
  bool add(const Wanted& name, std::string_view value);
  // For a codec that has made sure of that.
  void add_checked(const Wanted& name, std::string_view value) { store(name, value); }
  // Replaces the first line of that name where it stands, removes the others; adds when absent.
  bool set(const Wanted& name, std::string_view value);
  // Returns how many lines went.
  size_t remove(const Wanted& name) { return may_have(name.known) ? remove_all(name) : 0; }
  size_t remove(FieldName name) { return remove(bit_of(name)); }
  size_t remove(FieldNames names);
  // `doomed(Field)` says which lines go; returns how many.
  template <class Doomed>
  size_t remove_if(Doomed&& doomed);
  void clear();
  // Gives back the room for more lines, where it is to be kept for long.
  void fit();

  // For a codec that has a section as it stood on the wire: its bytes are copied here once, as they
  // come, and its lines say where they are, or will be, in block(). Names are counted in one by
  // one, or by classify() when all is there. Nothing is checked. Such a list is empty before, and
  // block() is what was appended until something else changes the list.
  void append_block(std::string_view bytes);
  std::string_view block() const { return block_ ? block_->bytes() : std::string_view(); }
  FieldLine& new_line() {
    if (!block_ || !block_->has_room(0, 1)) make_room_for_lines();
    return block_->new_line();
  }
  // The last line is one that no table may have.
  void keep_unindexed() { block_->line(block_->lines() - 1).unindexed = true; }
  void count_in(FieldName name) { block_->names |= bit_of(name); }
  void classify();
  // For a writer, with the bytes in block().
  const FieldLine& line(size_t index) const { return block_->line(index); }
  LineTable table() const { return block_ ? block_->table() : LineTable(); }
  // Whether there may be a line of one of these names.
  bool may_have(FieldNames names) const { return block_ && (block_->names & names) != 0; }
  bool may_have(FieldName name) const { return may_have(bit_of(name)); }

 private:
  friend class Head;
  static bool is(const HeadBlock& block, const FieldLine& line, const Wanted& wanted) {
    return line.known == wanted.known &&
           (wanted.known != FieldName::kOther || (line.name.size == wanted.text.size() &&
                                                  same_name(block.view(line.name), wanted.text)));
  }

  Field field(const FieldLine& line) const {
    return {block_->view(line.name), block_->view(line.value)};
  }
  // Makes sure of the room. What arguments may be views of lives as long as what this returns.
  [[nodiscard]] HeadBlockPtr make_room(size_t bytes, size_t lines) {
    return block_ && block_->has_room(bytes, lines) ? nullptr : make_more_room(bytes, lines);
  }
  HeadBlockPtr make_more_room(size_t bytes, size_t lines);
  void make_room_for_lines();
  void store(const Wanted& name, std::string_view value);
  size_t remove_all(const Wanted& name);
  bool any_lists(FieldName name, std::string_view member) const;
  std::optional<std::string_view> value_of(const Wanted& name) const;
  std::optional<std::string_view> value_of(FieldName name) const;
  template <class Gone>
  size_t remove_lines(Gone&& gone);

  HeadBlockPtr block_;
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
  bool may_have_bytes() const { return kind == Kind::kUnknown || bytes > 0; }
  bool operator==(const BodyLength&) const = default;
};

// Both kinds of message; which fields count follows from the codec's role. A few words: what it
// says is in the block of its headers, which a move takes along.
class Head {
 public:
  Head() = default;
  Head(Head&&) noexcept = default;
  Head(const Head&) = default;
  Head& operator=(Head other) noexcept;

  // Request, as received: known to llhttp, upper case.
  std::string_view method() const { return text(&HeadBlock::method); }
  std::string_view target() const { return text(&HeadBlock::target); }  // request, as received
  std::string_view reason() const { return text(&HeadBlock::reason); }  // response; may be empty
  void set_method(std::string_view text) { set_text(&HeadBlock::method, text); }
  void set_target(std::string_view text) { set_text(&HeadBlock::target, text); }
  void set_reason(std::string_view text) { set_text(&HeadBlock::reason, text); }
  // For a codec: where they are in the block of the headers.
  void name_request(Range method, Range target);
  void name_reason(Range reason);

  // Whether that is the method; against a literal in words.
  [[gnu::always_inline]] bool asks(std::string_view wanted) const {
    const std::string_view own = method();
    return own.size() == wanted.size() && std::memcmp(own.data(), wanted.data(), own.size()) == 0;
  }

  Headers headers;
  BodyLength body;
  MonoTime begun{};       // as received: when its first byte came
  int status = 0;         // response: 100 to 999
  int minor_version = 1;  // HTTP/1.x as received; 1 when not HTTP/1. Codecs send their own.
  // Request: it asks to leave HTTP (Upgrade with Connection: upgrade, or CONNECT). The sender keeps
  // the Upgrade field only when this is set.
  bool upgrade = false;

 private:
  std::string_view text(Range HeadBlock::* which) const {
    return headers.block_ ? headers.block_->view((*headers.block_).*which) : std::string_view();
  }
  void set_text(Range HeadBlock::* which, std::string_view text);
};

bool is_idempotent(std::string_view method);  // RFC 9110 section 9.2.2
// Of a Content-Type, without its parameters, in any case (RFC 9110 section 8.3.1).
std::string_view media_type(std::string_view content_type);
inline std::string_view media_type(const Headers& headers) {
  return media_type(headers.find(FieldName::kContentType).value_or(""));
}

template <class Visit>
void Headers::for_each(const Wanted& name, Visit&& visit) const {
  if (!may_have(name.known)) return;
  for (const FieldLine& line : block_->table()) {
    if (is(*block_, line, name)) visit(block_->view(line.value));
  }
}

template <class Visit>
void Headers::for_each(FieldName name, Visit&& visit) const {
  if (!may_have(name)) return;
  for (const FieldLine& line : block_->table()) {
    if (line.known == name) visit(block_->view(line.value));
  }
}

template <class Doomed>
size_t Headers::remove_if(Doomed&& doomed) {
  return remove_lines([&](const FieldLine& line) { return doomed(field(line)); });
}

template <class Gone>
size_t Headers::remove_lines(Gone&& gone) {
  if (!block_) return 0;
  const size_t before = block_->lines();
  size_t kept = 0;
  FieldNames names = 0;
  for (size_t i = 0; i < before; ++i) {
    const FieldLine line = block_->line(i);
    if (gone(line)) continue;
    names |= bit_of(line.known);
    if (kept < i) block_->line(kept) = line;
    ++kept;
  }
  block_->keep_lines(kept);
  block_->names = names;
  return before - kept;
}

}  // namespace sidespan::http
