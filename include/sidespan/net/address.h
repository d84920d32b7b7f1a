// An IP address with a port as a small value, and what the proxy asks about it: which network it is
// in, whether it is this machine. Pure, except that the name of a zone (fe80::1%eth0) is looked up
// among the interfaces; resolving host names is Resolver's part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "sidespan/base/error.h"

namespace sidespan::net {

class Address {
 public:
  Address() = default;  // no address: family AF_UNSPEC
  static Address from_sockaddr(const sockaddr* address);
  // A literal: "127.0.0.1", "::1", "[::1]" (brackets and zone allowed), decimal dotted only; no
  // octal, hex or short IPv4 forms (those are names to us, and resolvers may still read them).
  static std::optional<Address> parse(std::string_view ip, uint16_t port);

  int family() const { return storage_.any.sa_family; }
  explicit operator bool() const { return family() != AF_UNSPEC; }
  uint16_t port() const;
  Address with_port(uint16_t port) const;
  const sockaddr* get() const { return &storage_.any; }
  socklen_t size() const;

  // "127.0.0.1", "::1", "fe80::1%2"; no port, no brackets.
  std::string ip() const;
  // "127.0.0.1:80", "[::1]:80".
  std::string to_string() const;

  // The same address, zone and port.
  bool operator==(const Address& other) const;

  // An IPv4 address that came as ::ffff:a.b.c.d is the same as plain a.b.c.d for all of these.
  bool same_ip(const Address& other) const;
  bool is_loopback() const;    // 127.0.0.0/8, ::1
  bool is_any() const;         // 0.0.0.0, ::
  bool is_link_local() const;  // 169.254.0.0/16, fe80::/10
  bool is_private() const;     // RFC 1918, 100.64.0.0/10 (CGNAT), fc00::/7 (ULA)

  // Where a translator behind us sends 64:ff9b::a.b.c.d (NAT64, RFC 6052) and the old ::a.b.c.d
  // (RFC 4291 section 2.5.5.1): a.b.c.d with the same port. No address for all others.
  Address translated() const;

 private:
  // Streams hold two of these: a sockaddr_storage would take four times the room.
  union Storage {
    sockaddr_in6 v6;  // first, so that {} clears all of it
    sockaddr_in v4;
    sockaddr any;
  };
  Storage storage_{};
};

// "10.0.0.0/8", "fd00::/8", or a single address. Bits behind the prefix are ignored. A network
// written as IPv6 that is wider than ::ffff:0:0/96 holds no IPv4 address: "::/0" means all of IPv6.
class Network {
 public:
  static std::optional<Network> parse(std::string_view text);
  bool contains(const Address& address) const;

 private:
  Address base_;
  int prefix_bits_ = 0;  // counted in the mapped (128-bit) form
};

// "host:port", "[::1]:port", ":port"; port 0 to 65535. Syntax only: the host may be any name.
struct HostPort {
  std::string host;  // no brackets
  uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace sidespan::net
