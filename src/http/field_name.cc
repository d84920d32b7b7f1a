#include "sidespan/http/field_name.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

// Compares with a name that is known when this is compiled, in words that may overlap. A letter is
// one whatever its 0x20 bit; nothing else is.
template <size_t kSize>
class Known {
  static_assert(kSize >= 2 && kSize <= 24);

 public:
  consteval Known(const char (&name)[kSize + 1]) {
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
Known(const char (&)[kSizeAndNul]) -> Known<kSizeAndNul - 1>;

template <size_t kSize>
FieldName if_is(const Known<kSize>& known, const char* at, FieldName name,
                FieldName otherwise = FieldName::kOther) {
  return known.is(at) ? name : otherwise;
}

}  // namespace

FieldName field_name(std::string_view text) {
  using enum FieldName;
  const char* at = text.data();
  switch (text.size()) {
    case 2:
      return if_is(Known("te"), at, kTe);
    case 4:
      return if_is(Known("host"), at, kHost);
    case 6:
      return if_is(Known("expect"), at, kExpect);
    case 7:
      return if_is(Known("upgrade"), at, kUpgrade, if_is(Known("baggage"), at, kBaggage));
    case 10:
      return if_is(
          Known("connection"), at, kConnection,
          if_is(Known("keep-alive"), at, kKeepAlive, if_is(Known("tracestate"), at, kTracestate)));
    case 11:
      return if_is(Known("traceparent"), at, kTraceparent);
    case 12:
      return if_is(Known("content-type"), at, kContentType,
                   if_is(Known("max-forwards"), at, kMaxForwards));
    case 13:
      return if_is(Known("authorization"), at, kAuthorization);
    case 14:
      return if_is(Known("content-length"), at, kContentLength,
                   if_is(Known("http2-settings"), at, kHttp2Settings));
    case 16:
      return if_is(Known("content-encoding"), at, kContentEncoding,
                   if_is(Known("proxy-connection"), at, kProxyConnection));
    case 17:
      return if_is(Known("transfer-encoding"), at, kTransferEncoding);
    case 19:
      return if_is(Known("proxy-authorization"), at, kProxyAuthorization);
    default:
      return kOther;
  }
}

bool same_name(std::string_view a, std::string_view b) {
  return std::memcmp(a.data(), b.data(), a.size()) == 0 || text::same_text(a, b);
}

}  // namespace sidespan::http
