#include "h2_fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

namespace sidespan::http {
namespace {

// RFC 9113 section 6.5.2: what a field costs beside its bytes.
constexpr size_t kFieldOverhead = 32;
constexpr size_t kMethodBytesMax = 32;
constexpr std::string_view kCrumbSeparator = "; ";

// Never part of a message of HTTP/2 (section 8.2.2); Host becomes :authority.
constexpr FieldNames kNotSent = bit_of(FieldName::kConnection) | bit_of(FieldName::kKeepAlive) |
                                bit_of(FieldName::kProxyConnection) |
                                bit_of(FieldName::kTransferEncoding) | bit_of(FieldName::kUpgrade) |
                                bit_of(FieldName::kHost) | bit_of(FieldName::kHttp2Settings);

// Not to be found again in anybody's table: secrets (RFC 7541 section 7.1.3), and what is another
// in each request, which would only drive out of the table what comes again.
constexpr FieldNames kUnindexed = bit_of(FieldName::kAuthorization) |
                                  bit_of(FieldName::kProxyAuthorization) |
                                  bit_of(FieldName::kTraceparent) | bit_of(FieldName::kTracestate);
constexpr std::array<std::string_view, 4> kOtherSecrets = {"cookie", "set-cookie", "x-api-key",
                                                           "api-key"};

bool is_unindexed(FieldName known, std::string_view name) {
  if (known != FieldName::kOther) return (bit_of(known) & kUnindexed) != 0;
  return std::ranges::any_of(kOtherSecrets, [&](std::string_view secret) {
    return text::equal_ignoring_case(name, secret);
  });
}

// A body is expected of them: one that is not there is told of as empty (RFC 9110 section 8.6).
bool means_body(const Head& head) {
  return head.asks("POST") || head.asks("PUT") || head.asks("PATCH");
}

// Methods as every reader of HTTP/1 takes them.
bool is_plain_method(std::string_view method) {
  return !method.empty() && method.size() <= kMethodBytesMax &&
         std::ranges::all_of(method, [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

}  // namespace

std::unexpected<Error> H2Section::malformed(std::string_view what) const {
  return fail(Code::kMalformed, peer_, std::string(what));
}

void H2Section::add(std::string_view name, std::string_view value, bool unindexed) {
  const bool crumb = kind_ == Kind::kRequest && name == "cookie";
  if (crumb && cookie_) {
    bytes_ += kCrumbSeparator.size() + value.size();
  } else {
    ++fields_;
    bytes_ += name.size() + value.size() + kFieldOverhead;
  }
  if (fields_ > limits_.fields_max || bytes_ > limits_.head_bytes_max) return;
  if (name.front() == ':') return add_pseudo(name, value);
  const FieldName known = field_name(name);
  if (known == FieldName::kHost && kind_ == Kind::kRequest) {
    if (authority_.empty()) {
      authority_ = value;
    } else {
      named_twice_ = named_twice_ || !is_named(value);
      return;
    }
  }
  if (crumb) return add_cookie(value);
  head_.headers.add_checked(Wanted(name, known), value);
  if (unindexed) head_.headers.keep_unindexed();
}

void H2Section::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    head_.set_method(value);
  } else if (name == ":path") {
    path_ = value;
  } else if (name == ":scheme") {
    scheme_ = value;
  } else if (name == ":authority" && !value.empty()) {
    authority_ = value;
    head_.headers.add_checked({"Host", FieldName::kHost}, value);
  } else if (name == ":status") {
    head_.status = static_cast<int>(text::parse_unsigned(value, 999).value_or(0));
  }
}

void H2Section::add_cookie(std::string_view crumb) {
  if (!cookie_) {
    cookie_ = crumb;
  } else {
    cookie_->append(kCrumbSeparator).append(crumb);
  }
}

// Whether `host` says the same as :authority (section 8.3.1), be it by the scheme's own port or
// with the root's dot.
bool H2Section::is_named(std::string_view host) const {
  if (text::equal_ignoring_case(authority_, host)) return true;
  const auto origin_of = [&](std::string_view authority) -> std::pair<std::string, uint16_t> {
    Url url;
    url.scheme = scheme_;
    if (Result<Authority> parsed = parse_authority(authority)) url.authority = *std::move(parsed);
    return {std::string(text::without_root_dot(url.authority.host)), url.port()};
  };
  return origin_of(authority_) == origin_of(host);
}

Result<Head> H2Section::take_head(bool ended) {
  if (fields_ > limits_.fields_max) {
    return fail(Code::kHeadTooLarge, peer_,
                "there are more than " + std::to_string(limits_.fields_max) + " fields");
  }
  if (bytes_ > limits_.head_bytes_max) {
    return fail(Code::kHeadTooLarge, peer_,
                "the head is over " + std::to_string(limits_.head_bytes_max) + " bytes");
  }
  if (cookie_) head_.headers.add("cookie", *cookie_);
  Result<void> good = kind_ == Kind::kRequest ? finish_request(ended) : finish_answer(ended);
  if (!good) return std::unexpected(std::move(good).error());
  return std::move(head_);
}

Result<Headers> H2Section::take_trailers() {
  if (fields_ > limits_.fields_max || bytes_ > limits_.head_bytes_max) {
    return fail(Code::kHeadTooLarge, peer_, "the trailers are over the limits of a head");
  }
  constexpr FieldNames kForbidden = bit_of(FieldName::kContentLength) | bit_of(FieldName::kHost);
  if (head_.headers.may_have(kForbidden)) {
    return malformed("a trailer says how the message is framed or routed");
  }
  return std::move(head_.headers);
}

Result<void> H2Section::finish_request(bool ended) {
  if (named_twice_) return malformed("Host and :authority are not the same");
  if (!is_plain_method(head_.method())) {
    return fail(Code::kUnsupported, peer_, "the method is none that HTTP/1 knows");
  }
  const bool connect = head_.asks("CONNECT");
  head_.upgrade = connect;
  // Mostly the one of the request before, which was good.
  thread_local std::string checked;
  if (connect || authority_.empty() || authority_ != checked) {
    if (Result<void> good = check_authority(authority_, connect); !good) {
      good.error().what.insert(0, "in :authority ");
      return good;
    }
    checked = authority_;
  }
  thread_local std::string target;  // its room comes again
  target.clear();
  if (!connect) {
    if (scheme_ != "http" && scheme_ != "https") {
      return fail(Code::kUnsupported, peer_, "the scheme is neither http nor https");
    }
    const bool asks_server = path_ == "*" && head_.asks("OPTIONS");
    if (!asks_server && !is_origin_form(path_)) return malformed(":path is no path");
    target.append(scheme_).append("://").append(authority_).append(asks_server ? "" : path_);
  } else {
    target.append(authority_);
  }
  if (target.size() > limits_.target_bytes_max) {
    return fail(Code::kTargetTooLong, peer_,
                "the target is over " + std::to_string(limits_.target_bytes_max) + " bytes");
  }
  head_.set_target(target);
  const BodyLength ended_by_head = means_body(head_) ? BodyLength::known(0) : BodyLength::none();
  const Result<BodyLength> body = body_length(ended ? ended_by_head : BodyLength::unknown());
  if (!body) return std::unexpected(body.error());
  head_.body = connect ? BodyLength::none() : *body;
  return {};
}

Result<void> H2Section::finish_answer(bool ended) {
  if (head_.status < 100) return malformed("there is no status");
  // An answer that has ended has no body, whatever length it tells of (HEAD, 304).
  const Result<BodyLength> body = body_length(BodyLength::unknown());
  if (!body) return std::unexpected(body.error());
  head_.body = ended ? BodyLength::none() : *body;
  return {};
}

Result<BodyLength> H2Section::body_length(BodyLength otherwise) const {
  const std::optional<std::string_view> value = head_.headers.find(FieldName::kContentLength);
  if (!value) return otherwise;
  const std::optional<uint64_t> bytes = text::parse_unsigned(*value, INT64_MAX);
  if (!bytes) return malformed("content-length is not a number that can be");
  return BodyLength::known(*bytes);
}

void H2Fields::begin(size_t lines) {
  fields_.clear();
  fields_.reserve(lines);
}

void H2Fields::add(std::string_view name, std::string_view value, uint8_t flags) {
  // nghttp2 copies, names in lower case; its type only lacks the const.
  const auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
}

// `with_length`: it is told of, for a body that is not sent.
void H2Fields::add_all(const Headers& headers, bool with_length) {
  for (size_t i = 0; i < headers.size(); ++i) {
    const FieldLine& line = headers.line(i);
    const FieldName known = line.known;
    const Field field = headers.at(i);
    if ((bit_of(known) & kNotSent) != 0 && known != FieldName::kOther) continue;
    if (known == FieldName::kContentLength && !with_length) continue;
    if (known == FieldName::kTe && field.value != "trailers") continue;
    const bool unindexed = line.unindexed || is_unindexed(known, field.name);
    const uint8_t flags = unindexed ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    if (known != FieldName::kOther) {
      add_known(kFieldNameTexts[static_cast<size_t>(known)], field.value, flags);
    } else {
      add(field.name, field.value, flags);
    }
  }
}

void H2Fields::add_length(const BodyLength& body) {
  if (body.kind != BodyLength::Kind::kKnown) return;
  length_ = std::to_string(body.bytes);
  add_known("content-length", length_);
}

void H2Fields::request(const Head& head, std::string_view scheme) {
  const bool connect = head.asks("CONNECT");
  begin(head.headers.size() + 5);
  add_known(":method", head.method());
  if (!connect) add_known(":scheme", scheme);
  add_known(":authority",
            connect ? head.target() : head.headers.find(FieldName::kHost).value_or(""));
  if (!connect) add_known(":path", head.target());
  add_all(head.headers, false);
  add_length(head.body);
}

void H2Fields::answer(const Head& head, bool bodyless) {
  begin(head.headers.size() + 2);
  status_ = std::to_string(head.status);
  add_known(":status", status_);
  // Where no body follows the length is that of another answer, or nothing.
  const bool none = bodyless || head.body.kind == BodyLength::Kind::kNone;
  add_all(head.headers, none && head.status >= 200 && head.status != 204);
  if (!bodyless) add_length(head.body);
}

void H2Fields::trailers(const Headers& trailers) {
  begin(trailers.size());
  add_all(trailers, false);
}

}  // namespace sidespan::http
