#include "sidespan/http/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr size_t kHostBytesMax = 255;  // longer than any name that DNS can carry
constexpr size_t kPortDigitsMax = 5;

template <class Judge>
constexpr std::array<bool, 256> character_table(Judge judge) {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < table.size(); ++c) table[c] = judge(static_cast<char>(c));
  return table;
}

// RFC 3986 section 2: unreserved and sub-delims, what a reg-name has beside percent-encoding.
constexpr bool is_name_char(char c) {
  return text::is_alpha(c) || text::is_digit(c) ||
         std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
}

constexpr auto kHostTable = character_table(is_name_char);
constexpr auto kUserinfoTable =
    character_table([](char c) { return is_name_char(c) || c == ':' || c == '%'; });
// What a target may hold in our reading: visible ASCII, and no fragment.
constexpr auto kTargetTable =
    character_table([](char c) { return c > 0x20 && c < 0x7f && c != '#'; });

bool all_in(const std::array<bool, 256>& table, std::string_view text) {
  return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

std::unexpected<Error> refuse(std::string what) {
  return fail(Code::kMalformed, Side::kAgent, std::move(what));
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated string
  in6_addr address;
  if (text.size() >= copy.size()) return false;
  std::ranges::copy(text, copy.begin());
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, copy.data(), &address) == 1;
}

// Nothing wrong: an empty sentence.
std::string_view fault_of_name(std::string_view host) {
  if (host.empty()) return "the host is empty";
  if (host.size() > kHostBytesMax) return "the host is longer than 255 characters";
  if (all_in(kHostTable, host)) return {};
  if (std::ranges::any_of(host, [](char c) { return static_cast<unsigned char>(c) > 0x7f; })) {
    return "the host holds characters beyond ASCII; an international name must come as its A-label";
  }
  if (host.find('%') != std::string_view::npos) return "the host is percent-encoded";
  if (host.find('@') != std::string_view::npos) return "a user name stands where only a host may";
  return "the host holds a character that no host name has";
}

// `text` is what follows the host: nothing, or ':' and digits. An empty port is legal and means
// none (RFC 3986 section 3.2.3).
Result<std::optional<uint16_t>> parse_port(std::string_view text) {
  if (text.empty() || text == ":") return std::nullopt;
  if (text.front() != ':') return refuse("something other than a port follows the address");
  text.remove_prefix(1);
  const std::optional<uint64_t> port = text::parse_unsigned(text, UINT16_MAX);
  if (!port || *port == 0 || text.size() > kPortDigitsMax) {
    return refuse("the port is not a number from 1 to 65535");
  }
  return static_cast<uint16_t>(*port);
}

// A host and its port, not copied yet.
struct AuthorityParts {
  std::string_view host;
  std::optional<uint16_t> port;
};

Result<AuthorityParts> split_authority(std::string_view text) {
  AuthorityParts parts;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    parts.host = text.substr(1, close == std::string_view::npos ? close : close - 1);
    if (close == std::string_view::npos || !is_ipv6(parts.host)) {
      return refuse("what stands in brackets is not an IPv6 address");
    }
    rest = text.substr(close + 1);
  } else {
    const size_t colon = text.find(':');
    parts.host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
    const std::string_view fault = fault_of_name(parts.host);
    if (!fault.empty()) return refuse(std::string(fault));
  }
  const Result<std::optional<uint16_t>> port = parse_port(rest);
  if (!port) return std::unexpected(port.error());
  parts.port = *port;
  return parts;
}

Authority owned(const AuthorityParts& parts) {
  return {text::lower(parts.host), parts.port};
}

// Takes "user:password@" off the front of `text`, the part of a URL between "//" and the path.
Result<std::string_view> take_userinfo(std::string_view& text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return std::string_view();
  const std::string_view userinfo = text.substr(0, at);
  text.remove_prefix(at + 1);
  if (!all_in(kUserinfoTable, userinfo)) {
    return refuse("the user name holds a character that must be percent-encoded");
  }
  return userinfo;
}

struct UrlParts {
  std::string_view scheme;  // lower case, in static storage
  std::string_view userinfo;
  AuthorityParts authority;
  std::string_view path;  // with the query; may be empty or start with '?'
};

// The scheme at the front of `text`; empty when it is none of ours.
std::string_view known_scheme(std::string_view text) {
  constexpr std::array<std::string_view, 4> kSchemes = {"http", "https", "ws", "wss"};
  const auto* found = std::ranges::find_if(
      kSchemes, [&](std::string_view known) { return text::equal_ignoring_case(known, text); });
  return found == kSchemes.end() ? std::string_view() : *found;
}

Result<UrlParts> split_url(std::string_view text) {
  if (!all_in(kTargetTable, text)) {
    return refuse("the URL holds a fragment or a character that is not visible ASCII");
  }
  const size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return refuse("the URL has no scheme");
  UrlParts parts;
  parts.scheme = known_scheme(text.substr(0, scheme_end));
  if (parts.scheme.empty()) {
    return fail(Code::kUnsupported, Side::kAgent, "the URL's scheme is not http or https");
  }
  text.remove_prefix(scheme_end + 3);
  size_t authority_end = 0;
  while (authority_end < text.size() && text[authority_end] != '/' && text[authority_end] != '?') {
    ++authority_end;
  }
  std::string_view authority_text = text.substr(0, authority_end);
  parts.path = text.substr(authority_end);
  const Result<std::string_view> userinfo = take_userinfo(authority_text);
  if (!userinfo) return std::unexpected(userinfo.error());
  parts.userinfo = *userinfo;
  Result<AuthorityParts> authority = split_authority(authority_text);
  if (!authority) return std::unexpected(std::move(authority).error());
  parts.authority = *authority;
  return parts;
}

}  // namespace

std::string Authority::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

void Authority::append_to(std::string& out) const {
  const bool bracketed = host.find(':') != std::string::npos;
  if (bracketed) out.push_back('[');
  out.append(host);
  if (bracketed) out.push_back(']');
  if (!port) return;
  std::array<char, 1 + kPortDigitsMax> digits{':'};
  const auto end = std::to_chars(digits.data() + 1, digits.data() + digits.size(), *port).ptr;
  out.append(digits.data(), end);
}

uint16_t Url::port() const {
  if (authority.port) return *authority.port;
  return scheme == "https" || scheme == "wss" ? 443 : 80;
}

Result<Authority> parse_authority(std::string_view text) {
  Result<AuthorityParts> parts = split_authority(text);
  if (!parts) return std::unexpected(std::move(parts).error());
  return owned(*parts);
}

Result<void> check_authority(std::string_view text, bool of_connect) {
  Result<AuthorityParts> parts = split_authority(text);
  if (!parts) return std::unexpected(std::move(parts).error());
  if (of_connect && !parts->port) return refuse("the target of CONNECT has no port");
  return {};
}

Result<Url> parse_url(std::string_view text) {
  Result<UrlParts> parts = split_url(text);
  if (!parts) return std::unexpected(std::move(parts).error());
  Url url;
  url.scheme = parts->scheme;
  url.userinfo = parts->userinfo;
  url.authority = owned(parts->authority);
  url.path_given = parts->path.starts_with('/');
  url.path.reserve(parts->path.size() + 1);
  if (!url.path_given) url.path.push_back('/');
  url.path.append(parts->path);
  return url;
}

Result<void> check_url(std::string_view text) {
  Result<UrlParts> parts = split_url(text);
  if (!parts) return std::unexpected(std::move(parts).error());
  return {};
}

bool is_origin_form(std::string_view target) {
  return target.starts_with('/') && all_in(kTargetTable, target);
}

}  // namespace sidespan::http
