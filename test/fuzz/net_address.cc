// What reads as an address is written back as the same one, is in a network of itself, and survives
// host:port; a host without its port is shorter than what it came from.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/net/address.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = Address::parse(text, 80)) {
    if (Address::parse(address->ip(), 80) != address || !address->same_ip(*address)) std::abort();
    const auto parts = parse_host_port(address->to_string());
    if (!parts || Address::parse(parts->host, parts->port) != address) std::abort();
    const auto network = Network::parse(text);
    if (network && !network->contains(*address)) std::abort();
  }
  if (const auto network = Network::parse(text)) network->contains(*Address::parse("::1", 0));
  if (const auto parts = parse_host_port(text); parts && parts->host.size() >= size) std::abort();
  return 0;
}
