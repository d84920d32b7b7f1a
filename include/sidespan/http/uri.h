// Request targets and http(s) URLs (RFC 3986, RFC 9112 section 3.2), read strictly: visible ASCII
// only, no fragment, a host that is a name or an address and nothing else. No decoding, no
// normalising: what is forwarded is what came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/error.h"

namespace sidespan::http {

struct Authority {
  std::string host;              // as written, lower-cased; an IPv6 literal without brackets
  std::optional<uint16_t> port;  // 1 to 65535

  // "host", "host:8080", "[::1]:80": as it goes into Host.
  std::string to_string() const;
  void append_to(std::string& out) const;
  bool operator==(const Authority&) const = default;
};

struct Url {
  std::string_view scheme;  // a literal: "http", "https", "ws", "wss"; of CONNECT none
  std::string userinfo;     // as written, without '@'; a secret
  Authority authority;
  std::string path;        // as written, with the query: "/a/b?c"; "/" when there was none
  bool path_given = true;  // false for "http://host" and "http://host?q"

  uint16_t port() const;  // the given one or the scheme's
};

// Host, with an optional port; the value of Host, the target of CONNECT. Error side: kAgent.
Result<Authority> parse_authority(std::string_view text);
// absolute-form. Error side: kAgent.
Result<Url> parse_url(std::string_view text);
// Whether the two would read it, at a fraction of the cost. The target of CONNECT needs a port.
Result<void> check_authority(std::string_view text, bool of_connect = false);
// A text that check_authority() found good is not read once more where it is the URL's, too.
Result<void> check_url(std::string_view text, std::string_view good_authority = {});
// Visible ASCII, starts with '/', no '#'.
bool is_origin_form(std::string_view target);

}  // namespace sidespan::http
