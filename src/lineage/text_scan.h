// What is worth comparing inside a text that comes in any pieces: the whole of it, each line, and
// of the words those that are numbers, ids or URLs. Holds a line, up to a limit; a longer one is
// taken for several, cut at a blank.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lineage/member_names.h"
#include "lineage/value_list.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

// Shorter words tell nothing.
inline constexpr size_t kWordBytesMin = 5;

class TextScan {
 public:
  static constexpr size_t kLineBytesMax = 4096;

  explicit TextScan(ValueList& values) : values_(values), whole_(values.key()) {}

  void feed(std::string_view part);
  // The text is over; the next feed() begins another.
  void end();
  // What came of a text is none.
  void drop();

 private:
  void append(std::string_view part);
  void keep(std::string_view part);
  void flush();
  void line(std::string_view line);
  void labelled(std::string_view line);
  void sentences(std::string_view line);
  void part(std::string_view line, std::string_view part);

  ValueList& values_;
  std::string line_;  // what came of it
  Hasher whole_;      // of the lines' hashes
  size_t lines_ = 0;
  uint8_t whole_weight_ = 0;
};

// The same of one text that is whole.
void scan_text(std::string_view text, ValueList& values);
// A word, as it stands between blanks.
void scan_word(std::string_view word, ValueList& values);
// A field of a query or a form, as it was meant.
std::string form_decode(std::string_view value);
// The values of a query, decoded, and whether each tells anything: ids that outlive a turn do not.
template <class See>
void visit_query(std::string_view query, See&& see) {
  std::optional<std::string_view> rest = query;
  while (rest) {
    std::optional<std::string_view> pair = text::split_first(rest, '&');
    const std::string_view name = text::split_first(pair, '=');
    if (pair) see(form_decode(*pair), member_of(name) != Member::kLasting);
  }
}
// What of a target tells, whose path has no fragment.
void scan_target(const Target& target, ValueList& values);

}  // namespace sidespan::lineage
