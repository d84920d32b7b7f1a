// What a hop carries on: trace id, span id, flags, tracestate (W3C Trace Context Level 2). Values
// only: parsing and writing header forms is w3c's part, other formats have files of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/random.h"

namespace sidespan::trace {

struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;

  explicit operator bool() const { return (high | low) != 0; }
  bool operator==(const TraceId&) const = default;
  // All 128 bits random, never zero: the random flag may be set for it.
  static TraceId make(Random& random);
  // 32 lower-case hex digits.
  std::string to_string() const;
  // Exactly 32 lower-case hex digits, not all zero.
  static std::optional<TraceId> parse(std::string_view text);
};

struct SpanId {
  uint64_t value = 0;

  explicit operator bool() const { return value != 0; }
  bool operator==(const SpanId&) const = default;
  static SpanId make(Random& random);
  std::string to_string() const;
  static std::optional<SpanId> parse(std::string_view text);
};

inline constexpr uint8_t kSampledFlag = 0x01;
inline constexpr uint8_t kRandomFlag = 0x02;

// The vendor list that travels with a traceparent (Level 2, section 3.3). Order is meaning: the
// newest member stands left. Held as received text; members are found on demand.
class TraceState {
 public:
  static constexpr size_t kMembersMax = 32;
  static constexpr size_t kPropagatedBytes = 512;

  TraceState() = default;
  // The field's lines in wire order. One bad member, or a 33rd, drops the whole list: empty result.
  // Of several members with one key the first is kept.
  static TraceState parse(const std::vector<std::string_view>& lines);
  static TraceState parse(std::span<const std::string_view> lines);

  bool empty() const { return text_.empty(); }
  // Members joined by ",".
  const std::string& to_string() const { return text_; }
  // As to_string(), cut to kPropagatedBytes by whole members: those over 128 bytes first, then from
  // the right.
  std::string to_header() const;
  std::optional<std::string_view> get(std::string_view key) const;
  // Moves or adds the member to the left; drops the right-most beyond 32. False, and no change,
  // when key or value break the grammar.
  bool set(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  // Views into this object.
  std::vector<std::pair<std::string_view, std::string_view>> members() const;

  bool operator==(const TraceState&) const = default;

 private:
  std::string text_;
};

// What a sender says of sampling where a W3C parent's flag does not say it; other formats can.
enum class Asked : uint8_t {
  kNothing,    // the flag holds
  kUndecided,  // the decision is left to us
  kDrop,       // without a parent: do not record the root that begins here
  kKeep,       // without a parent: what a sampled flag would say
  kDebug,      // record in any case, and tell the next hop
};

struct SpanContext {
  TraceId trace_id;
  SpanId span_id;
  uint8_t flags = 0;
  TraceState tracestate;

  bool valid() const { return trace_id && span_id; }
  bool sampled() const { return (flags & kSampledFlag) != 0; }
  bool random() const { return (flags & kRandomFlag) != 0; }
};

}  // namespace sidespan::trace
