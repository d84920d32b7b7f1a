// Where the members of a JSON object, or the elements of an array, stand in its text, for edits
// that leave every other byte as it is. Strict (RFC 8259): whatever is not one well-formed object
// has none. Reads a whole text; what comes in pieces, or is only to be read, is Reader's. Used for
// the one body that is edited.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace sidespan::json {

// Views into the text.
struct Member {
  std::string_view key;    // between the quotes, escapes as written
  std::string_view value;  // without the blanks around it
};

struct Members {
  std::vector<Member> all;
  // Right behind the opening brace.
  size_t inside = 0;

  // By its key as written. Null: there is none.
  const Member* find(std::string_view key) const;
};

// Blanks may stand around the object. Nothing where it is none, is nested deeper than `depth_max`,
// or where its own keys are not told apart by their spelling: one comes twice, or is written with
// an escape.
std::optional<Members> members_of(std::string_view object, size_t depth_max = 64);

// The same of an array: views into the text.
std::optional<std::vector<std::string_view>> elements_of(std::string_view array,
                                                         size_t depth_max = 64);

}  // namespace sidespan::json
