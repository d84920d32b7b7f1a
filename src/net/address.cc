#include "sidespan/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <span>

#include "sidespan/base/text.h"

namespace sidespan::net {
namespace {

using Bytes16 = std::array<uint8_t, 16>;

constexpr Bytes16 kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

const sockaddr_in& v4_of(const Address& address) {
  return *reinterpret_cast<const sockaddr_in*>(address.get());
}

const sockaddr_in6& v6_of(const Address& address) {
  return *reinterpret_cast<const sockaddr_in6*>(address.get());
}

// The 128-bit form, in which IPv4 is ::ffff:a.b.c.d. All zero for no address; ask family() first.
Bytes16 mapped(const Address& address) {
  Bytes16 bytes{};
  if (address.family() == AF_INET) {
    bytes = kMappedPrefix;
    std::memcpy(bytes.data() + 12, &v4_of(address).sin_addr, 4);
  } else if (address.family() == AF_INET6) {
    std::memcpy(bytes.data(), &v6_of(address).sin6_addr, 16);
  }
  return bytes;
}

bool is_mapped(const Bytes16& bytes) {
  return std::equal(bytes.begin(), bytes.begin() + 12, kMappedPrefix.begin());
}

bool starts_with_bits(const Bytes16& bytes, const Bytes16& prefix, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(whole), prefix.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff00 >> (bits % 8));
  return ((bytes[whole] ^ prefix[whole]) & mask) == 0;
}

uint32_t zone_of(const Address& address) {
  return address.family() == AF_INET6 ? v6_of(address).sin6_scope_id : 0;
}

// A zone is an interface's index or its name; 0 is no zone.
uint32_t parse_zone(std::string_view zone) {
  if (const auto index = text::parse_unsigned(zone, UINT32_MAX)) {
    return static_cast<uint32_t>(*index);
  }
  if (zone.empty() || zone.size() >= IF_NAMESIZE) return 0;
  return ::if_nametoindex(std::string(zone).c_str());
}

bool parse_bits(int family, std::string_view text, void* out) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  std::ranges::copy(text, copy.begin());
  // inet_pton takes decimal dotted quads without leading zeros only, unlike inet_aton.
  return ::inet_pton(family, copy.data(), out) == 1;
}

std::optional<Address> parse_v4(std::string_view ip, uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (!parse_bits(AF_INET, ip, &v4.sin_addr)) return std::nullopt;
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v4));
}

std::optional<Address> parse_v6(std::string_view ip, uint16_t port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const size_t percent = ip.find('%');
  if (percent != std::string_view::npos) {
    v6.sin6_scope_id = parse_zone(ip.substr(percent + 1));
    if (v6.sin6_scope_id == 0) return std::nullopt;
    ip = ip.substr(0, percent);
  }
  if (!parse_bits(AF_INET6, ip, &v6.sin6_addr)) return std::nullopt;
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6));
}

template <size_t N>
std::array<Network, N> networks(const std::array<std::string_view, N>& texts) {
  std::array<Network, N> out;
  std::ranges::transform(texts, out.begin(), [](auto text) { return *Network::parse(text); });
  return out;
}

bool in_any(const Address& address, std::span<const Network> all) {
  return std::ranges::any_of(all, [&](const Network& one) { return one.contains(address); });
}

// inet_ntop goes through printf, and every span has an address.
std::string dotted(const in_addr& address) {
  const auto bytes = std::bit_cast<std::array<uint8_t, 4>>(address);
  std::array<char, INET_ADDRSTRLEN> text;
  char* end = text.data();
  for (const uint8_t byte : bytes) {
    if (end != text.data()) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), byte).ptr;
  }
  return {text.data(), end};
}

}  // namespace

Address Address::from_sockaddr(const sockaddr* address) {
  Address out;
  if (address == nullptr) return out;
  // Field by field: what callers left in the paddings must not reach comparisons.
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    out.storage_.v4.sin_family = AF_INET;
    out.storage_.v4.sin_port = v4->sin_port;
    out.storage_.v4.sin_addr = v4->sin_addr;
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    out.storage_.v6.sin6_family = AF_INET6;
    out.storage_.v6.sin6_port = v6->sin6_port;
    out.storage_.v6.sin6_addr = v6->sin6_addr;
    out.storage_.v6.sin6_scope_id = v6->sin6_scope_id;
  }
  return out;
}

std::optional<Address> Address::parse(std::string_view ip, uint16_t port) {
  if (ip.starts_with('[')) {
    if (!ip.ends_with(']')) return std::nullopt;
    return parse_v6(ip.substr(1, ip.size() - 2), port);
  }
  return ip.find(':') == std::string_view::npos ? parse_v4(ip, port) : parse_v6(ip, port);
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  return family() == AF_INET6 ? ntohs(storage_.v6.sin6_port) : uint16_t{0};
}

Address Address::with_port(uint16_t port) const {
  Address out = *this;
  if (family() == AF_INET) out.storage_.v4.sin_port = htons(port);
  if (family() == AF_INET6) out.storage_.v6.sin6_port = htons(port);
  return out;
}

socklen_t Address::size() const {
  if (family() == AF_INET) return sizeof(sockaddr_in);
  return family() == AF_INET6 ? sizeof(sockaddr_in6) : 0;
}

std::string Address::ip() const {
  if (family() == AF_INET) return dotted(storage_.v4.sin_addr);
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (family() == AF_INET6) {
    ::inet_ntop(AF_INET6, &storage_.v6.sin6_addr, buffer.data(), buffer.size());
  }
  std::string out = buffer.data();
  if (zone_of(*this) != 0) out += '%' + std::to_string(zone_of(*this));
  return out;
}

std::string Address::to_string() const {
  if (family() == AF_UNSPEC) return "no address";
  const std::string host = family() == AF_INET6 ? '[' + ip() + ']' : ip();
  return host + ':' + std::to_string(port());
}

bool Address::operator==(const Address& other) const {
  // What is unused is zero in both.
  // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
  return std::memcmp(&storage_, &other.storage_, sizeof storage_) == 0;
}

bool Address::same_ip(const Address& other) const {
  if (!*this || !other || mapped(*this) != mapped(other)) return false;
  // The same link-local address behind two interfaces is two machines, if both sides say which.
  const uint32_t zone = zone_of(*this);
  const uint32_t other_zone = zone_of(other);
  return zone == other_zone || zone == 0 || other_zone == 0;
}

bool Address::is_loopback() const {
  static const auto kNetworks = networks<2>({"127.0.0.0/8", "::1"});
  return in_any(*this, kNetworks);
}

bool Address::is_any() const {
  static const auto kNetworks = networks<2>({"0.0.0.0", "::"});
  return in_any(*this, kNetworks);
}

bool Address::is_link_local() const {
  static const auto kNetworks = networks<2>({"169.254.0.0/16", "fe80::/10"});
  return in_any(*this, kNetworks);
}

bool Address::is_private() const {
  static const auto kNetworks =
      networks<5>({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
  return in_any(*this, kNetworks);
}

Address Address::translated() const {
  static const auto kTranslated = networks<2>({"64:ff9b::/96", "::/96"});
  if (family() != AF_INET6 || !in_any(*this, kTranslated)) return {};
  const Bytes16 bytes = mapped(*this);
  // :: and ::1 are themselves, and nothing else is reached by 0.0.0.0/8.
  if (bytes[12] == 0) return {};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = storage_.v6.sin6_port;
  std::memcpy(&v4.sin_addr, bytes.data() + 12, 4);
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&v4));
}

std::optional<Network> Network::parse(std::string_view text) {
  if (text.find_first_of("[]%") != std::string_view::npos) return std::nullopt;
  const size_t slash = text.find('/');
  const auto base = Address::parse(text.substr(0, slash), 0);
  if (!base) return std::nullopt;
  const int offset = base->family() == AF_INET ? kMappedBits : 0;
  Network out;
  out.base_ = *base;
  out.prefix_bits_ = 128;
  if (slash != std::string_view::npos) {
    const auto bits =
        text::parse_unsigned(text.substr(slash + 1), 128 - static_cast<uint64_t>(offset));
    if (!bits) return std::nullopt;
    out.prefix_bits_ = static_cast<int>(*bits) + offset;
  }
  return out;
}

bool Network::contains(const Address& address) const {
  if (!address || !base_) return false;
  const Bytes16 bytes = mapped(address);
  if (is_mapped(bytes) && prefix_bits_ < kMappedBits) return false;
  return starts_with_bits(bytes, mapped(base_), prefix_bits_);
}

Result<HostPort> parse_host_port(std::string_view text) {
  const auto refuse = [&] {
    return fail(Code::kInvalid, Side::kSelf, "\"" + std::string(text) + "\" is not host:port");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = digits.size() <= 5 ? text::parse_unsigned(digits, UINT16_MAX) : std::nullopt;
  if (!port) return refuse();
  if (host.starts_with('[')) {
    if (!Address::parse(host, 0)) return refuse();
    host = host.substr(1, host.size() - 2);
  } else if (std::ranges::any_of(host, [](char c) {
               return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
                      std::string_view(":[]/?#@\\\"").find(c) != std::string_view::npos;
             })) {
    return refuse();
  }
  return HostPort{std::string(host), static_cast<uint16_t>(*port)};
}

}  // namespace sidespan::net
