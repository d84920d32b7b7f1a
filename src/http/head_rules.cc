#include "head_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

namespace sidespan::http {
namespace {

std::unexpected<Error> malformed(Side side, std::string_view what) {
  return fail(Code::kMalformed, side, std::string(what));
}

// One of the fields that frame or route a message: how many lines, and the value of the last.
struct Lines {
  Lines(const Headers& headers, FieldName name) {
    headers.for_each(name, [&](std::string_view text) {
      ++count;
      value = text;
    });
  }
  size_t count = 0;
  std::string_view value;
};

// The Host that was good last: agents ask the same origin again and again.
class GoodHost {
 public:
  bool is(std::string_view text) const { return text == std::string_view(text_.data(), size_); }
  void note(std::string_view text) {
    if (text.size() > text_.size()) return;
    std::ranges::copy(text, text_.begin());
    size_ = text.size();
  }

 private:
  std::array<char, 120> text_{};
  size_t size_ = 0;
};

constinit thread_local GoodHost good_host;

Result<BodyLength> judge_framing(const Head& head, Side side, BodyLength otherwise) {
  constexpr FieldNames kFraming =
      bit_of(FieldName::kContentLength) | bit_of(FieldName::kTransferEncoding);
  if (!head.headers.may_have(kFraming)) return otherwise;
  const Lines length(head.headers, FieldName::kContentLength);
  const Lines coding(head.headers, FieldName::kTransferEncoding);
  if (length.count > 1) return malformed(side, "there is more than one Content-Length");
  if (coding.count == 0) {
    if (length.count == 0) return otherwise;
    // Beyond 2^63 some readers see a negative number.
    const auto bytes = text::parse_unsigned(length.value, INT64_MAX);
    if (!bytes) return malformed(side, "Content-Length is not a number that can be");
    return BodyLength::known(*bytes);
  }
  if (length.count > 0) {
    return malformed(side, "there are both Content-Length and Transfer-Encoding");
  }
  if (head.minor_version == 0) return malformed(side, "HTTP/1.0 has no Transfer-Encoding");
  if (coding.count > 1) return malformed(side, "there is more than one Transfer-Encoding");
  if (!text::equal_ignoring_case(coding.value, "chunked")) {
    return malformed(side, "Transfer-Encoding is something else than chunked");
  }
  return BodyLength::unknown();
}

Result<void> judge_host(const Head& head, const Lines& hosts) {
  if (hosts.count > 1) return malformed(Side::kAgent, "there is more than one Host");
  if (hosts.count == 0) {
    if (head.minor_version == 0) return {};
    return malformed(Side::kAgent, "there is no Host");
  }
  if (!hosts.value.empty() && good_host.is(hosts.value)) return {};
  Result<void> host = check_authority(hosts.value);
  host ? good_host.note(hosts.value) : void(host.error().what.insert(0, "in the Host field "));
  return host;
}

// `host` is a good one, or none.
Result<void> judge_target(const Head& head, std::string_view host) {
  if (head.asks("CONNECT")) return check_authority(head.target(), true);
  if (head.target().starts_with('/')) return {};
  if (head.target() == "*" && head.asks("OPTIONS")) return {};
  return check_url(head.target(), host);
}

}  // namespace

Result<BodyLength> judge_request(const Head& head) {
  const Lines hosts(head.headers, FieldName::kHost);
  if (Result<void> host = judge_host(head, hosts); !host) {
    return std::unexpected(std::move(host).error());
  }
  if (Result<void> target = judge_target(head, hosts.value); !target) {
    return std::unexpected(std::move(target).error());
  }
  Result<BodyLength> body = judge_framing(head, Side::kAgent, BodyLength::none());
  if (body && *body != BodyLength::none() && head.asks("CONNECT")) {
    return malformed(Side::kAgent, "CONNECT has no body");
  }
  return body;
}

Result<BodyLength> judge_answer(const Head& head) {
  Result<BodyLength> body = judge_framing(head, Side::kOrigin, BodyLength::unknown());
  if (!body || head.status >= 200) return body;
  // Whoever reads a body here reads the next answer's head.
  if (head.headers.contains(FieldName::kTransferEncoding) || body->bytes > 0) {
    return malformed(Side::kOrigin, "an interim answer announces a body");
  }
  return body;
}

std::optional<Error> judge_trailers(const Headers& fields, Side side) {
  constexpr FieldNames kForbidden = bit_of(FieldName::kContentLength) |
                                    bit_of(FieldName::kTransferEncoding) | bit_of(FieldName::kHost);
  if (!fields.may_have(kForbidden)) return std::nullopt;
  return malformed(side, "a trailer says how the message is framed or routed").error();
}

}  // namespace sidespan::http
