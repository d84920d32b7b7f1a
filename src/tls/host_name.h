// What names a host in a hello or a certificate: a DNS name or an IP address. Text in, no look-ups.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidespan::tls {

// At most 253 characters, labels of 1 to 63 letters, digits, '-' and '_', no final dot. No other
// byte, so no wildcard and no NUL either; international names as their A-labels.
bool is_dns_name(std::string_view text);

// The 4 or 16 octets of a literal, network order; empty where `text` is none. Without brackets or
// zone; IPv4 in four decimal parts only.
std::string ip_octets(std::string_view text);

// The other way round; empty where there are neither 4 nor 16.
std::string ip_text(std::string_view octets);

// "10.0.0.0/8" or a literal: its octets and those of the mask, as name constraints have them; empty
// where `text` is none.
std::string ip_range(std::string_view text);

struct HostName {
  std::string text;    // lower case
  std::string octets;  // of an IP address; empty: `text` is a DNS name
};

// Names whose last label is a number are refused: some programs read them as IPv4 addresses.
std::optional<HostName> parse_host_name(std::string_view text);

}  // namespace sidespan::tls
