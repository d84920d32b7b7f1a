#include "sidespan/http/field_name.h"

#include <cstring>

#include "known_names.h"
#include "sidespan/base/text.h"

namespace sidespan::http {

FieldName field_name(std::string_view text) {
  return classified(text);
}

bool same_name(std::string_view a, std::string_view b) {
  return std::memcmp(a.data(), b.data(), a.size()) == 0 || text::same_text(a, b);
}

}  // namespace sidespan::http
