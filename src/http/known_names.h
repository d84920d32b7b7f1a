// The comparisons behind field_name(): by size first, then in words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/http/field_name.h"

namespace sidespan::http {

// Compares with a name that is known when this is compiled, in words that may overlap. A letter is
// one whatever its 0x20 bit; nothing else is.
template <size_t kSize>
class KnownName {
  static_assert(kSize >= 2 && kSize <= 24);

 public:
  consteval KnownName(const char (&name)[kSize + 1]) {
    for (size_t i = 0; i < kSize; ++i) {
      lower_[i] = name[i];
      case_[i] = text::is_lower(name[i]) ? '\x20' : '\0';
    }
  }

  // `at` has kSize bytes.
  bool is(const char* at) const {
    if constexpr (kSize > 16) {
      return equal<uint64_t>(at, kSize - 8) && equal<uint64_t>(at, 0) && equal<uint64_t>(at, 8);
    } else if constexpr (kSize >= 8) {
      return equal<uint64_t>(at, kSize - 8) && equal<uint64_t>(at, 0);
    } else if constexpr (kSize >= 4) {
      return equal<uint32_t>(at, kSize - 4) && equal<uint32_t>(at, 0);
    } else {
      return equal<uint16_t>(at, kSize - 2) && equal<uint16_t>(at, 0);
    }
  }

 private:
  template <class Word>
  static Word load(const char* at) {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  template <class Word>
  bool equal(const char* at, size_t offset) const {
    return static_cast<Word>(load<Word>(at + offset) | load<Word>(case_.data() + offset)) ==
           load<Word>(lower_.data() + offset);
  }

  std::array<char, kSize> lower_{};
  std::array<char, kSize> case_{};
};
template <size_t kSizeAndNul>
KnownName(const char (&)[kSizeAndNul]) -> KnownName<kSizeAndNul - 1>;

template <size_t kSize>
[[gnu::always_inline]] inline FieldName if_is(const KnownName<kSize>& known, const char* at,
                                              FieldName name,
                                              FieldName otherwise = FieldName::kOther) {
  return known.is(at) ? name : otherwise;
}

// field_name() for a loop over many lines.
[[gnu::always_inline]] inline FieldName classified(std::string_view text) {
  using enum FieldName;
  const char* at = text.data();
  switch (text.size()) {
    case 2:
      return if_is(KnownName("te"), at, kTe);
    case 3:
      return if_is(KnownName("via"), at, kVia);
    case 4:
      return if_is(KnownName("host"), at, kHost);
    case 6:
      return if_is(KnownName("expect"), at, kExpect);
    case 7:
      return if_is(KnownName("upgrade"), at, kUpgrade, if_is(KnownName("baggage"), at, kBaggage));
    case 10:
      return if_is(KnownName("connection"), at, kConnection,
                   if_is(KnownName("keep-alive"), at, kKeepAlive,
                         if_is(KnownName("tracestate"), at, kTracestate)));
    case 11:
      return if_is(KnownName("traceparent"), at, kTraceparent,
                   if_is(KnownName("grpc-status"), at, kGrpcStatus));
    case 12:
      return if_is(KnownName("content-type"), at, kContentType,
                   if_is(KnownName("max-forwards"), at, kMaxForwards,
                         if_is(KnownName("grpc-timeout"), at, kGrpcTimeout)));
    case 13:
      return if_is(KnownName("authorization"), at, kAuthorization);
    case 14:
      return if_is(KnownName("content-length"), at, kContentLength,
                   if_is(KnownName("http2-settings"), at, kHttp2Settings));
    case 16:
      return if_is(KnownName("content-encoding"), at, kContentEncoding,
                   if_is(KnownName("proxy-connection"), at, kProxyConnection));
    case 17:
      return if_is(KnownName("transfer-encoding"), at, kTransferEncoding);
    case 19:
      return if_is(KnownName("proxy-authorization"), at, kProxyAuthorization);
    default:
      return kOther;
  }
}

}  // namespace sidespan::http
