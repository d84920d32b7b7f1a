// The names of fields that somebody in the house asks for, as small numbers: a head's lines are
// classified once, and whether such a field is there is then a matter of one bit. Names are those
// of RFC 9110 and W3C Trace Context; any other is compared as text.
#pragma once

#include <cstdint>
#include <string_view>

namespace sidespan::http {

enum class FieldName : uint8_t {
  kOther,  // none of those below
  kAuthorization,
  kBaggage,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentType,
  kExpect,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kMaxForwards,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTraceparent,
  kTracestate,
  kTransferEncoding,
  kUpgrade,
};

// A set of them.
using FieldNames = uint32_t;
constexpr FieldNames bit_of(FieldName name) {
  return FieldNames{1} << static_cast<unsigned>(name);
}

// In any case (ASCII). What is no name at all is kOther.
FieldName field_name(std::string_view text);
// Whether both are one name, as text; of equal size.
bool same_name(std::string_view a, std::string_view b);

}  // namespace sidespan::http
