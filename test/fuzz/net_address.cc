// What reads as an address is written back as the same one, is in a network of itself, and survives
// host:port; a host without its port is shorter than what it came from. An IPv4 address is judged
// as the same one in IPv6's form is, and no address is of two kinds. Where a translator sends it is
// IPv4, and no further.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <netinet/in.h>

#include "sidespan/net/address.h"

using namespace sidespan::net;

namespace {

std::array<bool, 4> kinds(const Address& address) {
  return {address.is_loopback(), address.is_any(), address.is_link_local(), address.is_private()};
}

// By the numbers of its networks.
std::array<bool, 4> kinds_of_v4(const Address& address) {
  const uint32_t ip = ntohl(reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr.s_addr);
  const bool ours = ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 22 == 0x191;
  return {ip >> 24 == 127, ip == 0, ip >> 16 == 0xa9fe, ours};
}

void check_kinds(const Address& address) {
  int of = 0;
  for (const bool kind : kinds(address)) of += kind ? 1 : 0;
  if (of > 1) std::abort();
  if (address.family() != AF_INET) return;
  if (kinds(address) != kinds_of_v4(address)) std::abort();
  const auto mapped = Address::parse("::ffff:" + address.ip(), address.port());
  if (!mapped || !mapped->same_ip(address) || *mapped == address) std::abort();
  if (kinds(*mapped) != kinds(address) || mapped->translated()) std::abort();
}

void check_translated(const Address& address) {
  const Address to = address.translated();
  if (!to) return;
  if (address.family() != AF_INET6 || to.family() != AF_INET || to.port() != address.port()) {
    std::abort();
  }
  if (to.translated() || to.same_ip(address) || to.is_any()) std::abort();
  const auto back = Address::parse("64:ff9b::" + to.ip(), to.port());
  if (!back || back->translated() != to) std::abort();
}

void check_value(const Address& address) {
  if (Address::from_sockaddr(address.get()) != address) std::abort();
  const socklen_t size = address.family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (address.size() != size || address.port() != 80) std::abort();
  const Address other = address.with_port(443);
  if (other == address || other.port() != 443 || !other.same_ip(address)) std::abort();
  if (other.with_port(80) != address || other.ip() != address.ip()) std::abort();
}

// Of any width, but for IPv4 in a network of IPv6 that is wider than all of IPv4.
void check_networks(const Address& address) {
  const std::string ip = address.ip();
  if (ip.contains('%')) {
    if (Network::parse(ip)) std::abort();
    return;
  }
  const int bits_max = address.family() == AF_INET ? 32 : 128;
  const bool mapped = ip.starts_with("::ffff:") && ip.contains('.');
  for (const int bits : {0, 1, 7, 8, 12, 31, 32, 64, 95, 96, 97, 121, 128}) {
    const auto network = Network::parse(ip + "/" + std::to_string(bits));
    if (network.has_value() != (bits <= bits_max)) std::abort();
    if (network && network->contains(address) != (!mapped || bits >= 96)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = Address::parse(text, 80)) {
    if (Address::parse(address->ip(), 80) != address || !address->same_ip(*address)) std::abort();
    const auto parts = parse_host_port(address->to_string());
    if (!parts || Address::parse(parts->host, parts->port) != address) std::abort();
    const auto network = Network::parse(text);
    if (network && !network->contains(*address)) std::abort();
    check_value(*address);
    check_kinds(*address);
    check_translated(*address);
    check_networks(*address);
  }
  if (const auto network = Network::parse(text)) {
    if (network->contains(Address())) std::abort();
    const bool v4 = !text.contains(':');
    if (v4 && network->contains(*Address::parse("::1", 0))) std::abort();
    if (text.ends_with("/0") && network->contains(*Address::parse("10.0.0.1", 0)) != v4) {
      std::abort();
    }
  }
  if (const auto parts = parse_host_port(text); parts && parts->host.size() >= size) std::abort();
  return 0;
}
