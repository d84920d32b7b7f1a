// A proxy behind this one, through which origins are reached (`egress.via`): by CONNECT what is TLS
// or a tunnel, by absolute-form what is plain HTTP. RFC 9110 section 9.3.6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/error.h"
#include "sidespan/net/address.h"

namespace sidespan::wire {

struct SecondProxy {
  std::string host;  // lower case; empty: there is none
  uint16_t port = 0;
  std::string authorization;        // the value of Proxy-Authorization; empty: none. A secret
  std::vector<std::string> except;  // as NO_PROXY: names with all below them, addresses, networks,
                                    // *; of one port with it

  // Does the way to that origin lead through it? Never to this machine itself.
  bool leads_to(std::string_view origin, uint16_t to_port) const;
};

// A member of NO_PROXY: "host", "host:80", "[::1]", "[::1]:80" or "::1".
struct NoProxyMember {
  std::string_view host;
  std::string_view port;  // empty: any
};
NoProxyMember split_no_proxy(std::string_view member);

// How every sentence about what is wrong with it begins.
inline constexpr std::string_view kSecondProxyWords = "the second proxy (egress.via)";
// Of an Error of dialling it. Side kSelf: whoever configured it has to see to it.
Error second_proxy_error(Error dialling);

}  // namespace sidespan::wire
