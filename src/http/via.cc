#include "sidespan/http/via.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr std::string_view kPseudonym = "sidespan";
constexpr std::string_view kBlanks = " \t";

// `entry` is received-protocol, received-by and perhaps a comment.
bool is_ours(std::string_view entry) {
  entry.remove_prefix(std::min(entry.find_first_of(kBlanks), entry.size()));
  entry = text::trim(entry);
  return text::equal_ignoring_case(entry.substr(0, entry.find_first_of(kBlanks)), kPseudonym);
}

}  // namespace

std::string via_after(size_t passed) {
  std::string value(via_entry(false));
  for (size_t i = 0; i < passed; ++i) value.append(", ").append(via_entry(false));
  return value;
}

size_t sidespans_passed(const Headers& headers) {
  size_t passed = 0;
  headers.for_each(FieldName::kVia, [&](std::string_view value) {
    for (const std::string_view entry : text::list_members(value)) passed += is_ours(entry) ? 1 : 0;
  });
  return passed;
}

}  // namespace sidespan::http
