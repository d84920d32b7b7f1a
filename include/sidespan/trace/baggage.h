// The user's own key-value pairs that travel beside a trace (W3C Baggage). Received lines are kept
// as they came and parsed when somebody asks; as long as all of it is well-formed, within the
// limits and not changed here, the next hop gets the same bytes. Otherwise it is written anew: bad
// members and properties are dropped, never the request. Used by the propagators and by the
// destination policy.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::trace {

class Baggage {
 public:
  // Section 3.3.2, over all lines together: what goes on at most, always whole members from the
  // left.
  static constexpr size_t kMembersMax = 64;
  static constexpr size_t kBytesMax = 8192;
  // What is kept of received lines.
  static constexpr size_t kReceivedBytesMax = 65536;

  // Percent-decoded; bytes that are no UTF-8 read as U+FFFD. Keys are never decoded.
  struct Property {
    std::string key;
    std::optional<std::string> value;  // none: the key stands alone
    bool operator==(const Property&) const = default;
  };
  struct Entry {
    std::string key;
    std::string value;
    std::vector<Property> properties;
    bool operator==(const Entry&) const = default;
  };

  // One `baggage` field value, in wire order.
  void add_line(std::string_view line);

  // Nothing was received or added; what was received may still hold no good member.
  bool empty() const { return text_.empty(); }
  // The good members within the limits, in order, duplicates included.
  std::vector<Entry> entries() const;
  // OpenTelemetry's view: one value a key, the last one wins.
  std::optional<std::string> get(std::string_view key) const;

  // Replaces every member of that key. The new one stands left, where limits cost it last. False,
  // and no change, when the key is no token.
  bool set(std::string_view key, std::string_view value);
  // Adds those whose key, in any case of letters, is not there: what another format says of the
  // same baggage. Keys must be tokens.
  void add_missing(std::vector<Entry> entries);
  void erase(std::string_view key);
  // Drops members whose key matches none of `patterns` (text::matches_wildcard).
  void allow_only(std::span<const std::string> patterns);

  // Whether the received lines may go on as they are.
  bool passes_as_received() const;
  // The lines as received.
  std::vector<std::string_view> lines() const;
  // One line: good members within the limits, values as received, white space left out.
  std::string to_header() const;

  // Members joined by ",", values percent-encoded. Keys must be tokens. No limit is applied.
  static std::string encode(std::span<const Entry> entries);

 private:
  std::string text_;  // lines, joined by a line feed: no field value holds one
};

}  // namespace sidespan::trace
