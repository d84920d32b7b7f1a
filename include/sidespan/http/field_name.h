// The names of fields that somebody in the house asks for, as small numbers: a head's lines are
// classified once, and whether such a field is there is then a matter of one bit. Names are those
// of RFC 9110, W3C Trace Context and gRPC; any other is compared as text.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sidespan/base/text.h"

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
  kGrpcStatus,
  kGrpcTimeout,
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
  kVia,
};

// What they are called, by number; nothing is called kOther.
inline constexpr std::array<std::string_view, 22> kFieldNameTexts = {
    "",
    "authorization",
    "baggage",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-status",
    "grpc-timeout",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "via",
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

// A name to look for. A literal is classified when it is compiled.
struct Wanted {
  template <size_t kSizeAndNul>
  consteval Wanted(const char (&literal)[kSizeAndNul]) : text(literal, kSizeAndNul - 1) {
    const auto found = std::ranges::find_if(kFieldNameTexts, [&](std::string_view name) {
      return std::ranges::equal(name, text, {}, {}, text::to_lower);
    });
    if (found != kFieldNameTexts.end()) {
      known = static_cast<FieldName>(found - kFieldNameTexts.begin());
    }
  }
  template <std::convertible_to<std::string_view> Text>
  Wanted(const Text& name) : text(name), known(field_name(text)) {}

  Wanted(std::string_view name, FieldName classified) : text(name), known(classified) {}

  std::string_view text;
  FieldName known = FieldName::kOther;
};

}  // namespace sidespan::http
