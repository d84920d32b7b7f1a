#include "sidespan/http/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "known_names.h"
#include "scan.h"
#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr size_t kHostBytesMax = 255;  // longer than any name that DNS can carry
constexpr size_t kPortDigitsMax = 5;

constexpr auto kUserinfoTable = scan::table_of(
    [](char c) { return scan::is_in(scan::HostName::kTable, c) || c == ':' || c == '%'; });

bool is_target(std::string_view text) {
  return scan::end_of<scan::Target>(text, 0) == text.size();
}

// Why a text is refused. Checking costs a request no Error that nobody will read.
struct Fault {
  const char* what = nullptr;  // nothing wrong
  Code code = Code::kMalformed;

  explicit operator bool() const { return what != nullptr; }
};

std::unexpected<Error> refuse(Fault fault) {
  return fail(fault.code, Side::kAgent, fault.what);
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated string
  in6_addr address;
  if (text.size() >= copy.size()) return false;
  std::ranges::copy(text, copy.begin());
  return text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, copy.data(), &address) == 1;
}

Fault fault_of_name(std::string_view host) {
  if (host.empty()) return {"the host is empty"};
  if (host.size() > kHostBytesMax) return {"the host is longer than 255 characters"};
  if (scan::end_of<scan::HostName>(host, 0) == host.size()) return {};
  if (std::ranges::any_of(host, [](char c) { return static_cast<unsigned char>(c) > 0x7f; })) {
    return {
        "the host holds characters beyond ASCII; an international name must come as its A-label"};
  }
  if (host.find('%') != std::string_view::npos) return {"the host is percent-encoded"};
  if (host.find('@') != std::string_view::npos) return {"a user name stands where only a host may"};
  return {"the host holds a character that no host name has"};
}

// `text` is what follows the host: nothing, or ':' and digits. An empty port is legal and means
// none (RFC 3986 section 3.2.3).
Fault read_port(std::string_view text, std::optional<uint16_t>& read) {
  if (text.empty() || text == ":") return {};
  if (text.front() != ':') return {"something other than a port follows the address"};
  text.remove_prefix(1);
  uint32_t port = 0;
  size_t digits = 0;
  while (digits < std::min(text.size(), kPortDigitsMax) && text::is_digit(text[digits])) {
    port = port * 10 + static_cast<uint32_t>(text[digits++] - '0');
  }
  if (digits < text.size() || port == 0 || port > UINT16_MAX) {
    return {"the port is not a number from 1 to 65535"};
  }
  read = static_cast<uint16_t>(port);
  return {};
}

// A host and its port, not copied yet.
struct AuthorityParts {
  std::string_view host;
  std::optional<uint16_t> port;
};

// Takes what stands in brackets at the front of `text`; `host` is without them.
Fault take_literal(std::string_view& text, std::string_view& host) {
  const size_t close = text.find(']');
  host = text.substr(1, close == std::string_view::npos ? close : close - 1);
  if (close == std::string_view::npos || !is_ipv6(host)) {
    return {"what stands in brackets is not an IPv6 address"};
  }
  text.remove_prefix(close + 1);
  return {};
}

Fault split_authority(std::string_view text, AuthorityParts& parts) {
  if (text.starts_with('[')) {
    if (const Fault fault = take_literal(text, parts.host)) return fault;
  } else {
    size_t end = scan::end_of<scan::HostName, ':'>(text, 0);
    const bool plain = end > 0 && end <= kHostBytesMax && (end == text.size() || text[end] == ':');
    if (!plain) end = std::min(text.find(':'), text.size());
    parts.host = text.substr(0, end);
    if (!plain) return fault_of_name(parts.host);
    text.remove_prefix(end);
  }
  return read_port(text, parts.port);
}

void own(const AuthorityParts& parts, Authority& authority) {
  authority.host = parts.host;
  for (char& c : authority.host) c = text::to_lower(c);
  authority.port = parts.port;
}

// Takes "user:password@" off the front of `text`, the part of a URL between "//" and the path.
Fault take_userinfo(std::string_view& text, std::string_view& userinfo) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return {};
  userinfo = text.substr(0, at);
  text.remove_prefix(at + 1);
  if (!std::ranges::all_of(userinfo, [](char c) { return scan::is_in(kUserinfoTable, c); })) {
    return {"the user name holds a character that must be percent-encoded"};
  }
  return {};
}

struct UrlParts {
  std::string_view scheme;  // lower case, in static storage
  std::string_view userinfo;
  std::string_view authority;  // not judged yet
  std::string_view path;       // with the query; may be empty or start with '?'
};

// Takes scheme and "://" off the front of `text`; empty when it is none of ours.
std::string_view take_scheme(std::string_view& text) {
  const auto take = [&]<size_t kSize>(const KnownName<kSize>& known) {
    if (text.size() < kSize || !known.is(text.data())) return false;
    text.remove_prefix(kSize);
    return true;
  };
  if (take(KnownName("http://"))) return "http";
  if (take(KnownName("https://"))) return "https";
  if (take(KnownName("ws://"))) return "ws";
  if (take(KnownName("wss://"))) return "wss";
  return {};
}

Fault split_url(std::string_view text, UrlParts& parts) {
  if (!is_target(text)) {
    return {"the URL holds a fragment or a character that is not visible ASCII"};
  }
  parts.scheme = take_scheme(text);
  if (parts.scheme.empty()) {
    if (!text.contains("://")) return {"the URL has no scheme"};
    return {"the URL's scheme is not http or https", Code::kUnsupported};
  }
  size_t authority_end = scan::end_of<scan::HostName, ':'>(text, 0);  // where it mostly is
  while (authority_end < text.size() && text[authority_end] != '/' && text[authority_end] != '?') {
    ++authority_end;
  }
  parts.authority = text.substr(0, authority_end);
  parts.path = text.substr(authority_end);
  return take_userinfo(parts.authority, parts.userinfo);
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
  AuthorityParts parts;
  if (const Fault fault = split_authority(text, parts)) return refuse(fault);
  Result<Authority> authority;
  own(parts, *authority);
  return authority;
}

Result<void> check_authority(std::string_view text, bool of_connect) {
  AuthorityParts parts;
  if (const Fault fault = split_authority(text, parts)) return refuse(fault);
  if (of_connect && !parts.port) return refuse({"the target of CONNECT has no port"});
  return {};
}

Result<Url> parse_url(std::string_view text) {
  UrlParts parts;
  AuthorityParts authority;
  if (const Fault fault = split_url(text, parts)) return refuse(fault);
  if (const Fault fault = split_authority(parts.authority, authority)) return refuse(fault);
  Result<Url> url;
  url->scheme = parts.scheme;
  url->userinfo = parts.userinfo;
  own(authority, url->authority);
  url->path_given = parts.path.starts_with('/');
  if (url->path_given) {
    url->path = parts.path;
  } else {
    url->path.reserve(parts.path.size() + 1);
    url->path.append("/").append(parts.path);
  }
  return url;
}

Result<void> check_url(std::string_view text, std::string_view good_authority) {
  if (!good_authority.empty() && is_target(text)) {
    std::string_view rest = text;
    if (!take_scheme(rest).empty() && rest.starts_with(good_authority)) {
      rest.remove_prefix(good_authority.size());
      if (rest.empty() || rest.front() == '/' || rest.front() == '?') return {};
    }
  }
  UrlParts parts;
  if (const Fault fault = split_url(text, parts)) return refuse(fault);
  return check_authority(parts.authority);
}

bool is_origin_form(std::string_view target) {
  return target.starts_with('/') && is_target(target);
}

}  // namespace sidespan::http
