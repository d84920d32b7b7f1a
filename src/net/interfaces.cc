#include "sidespan/net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>

namespace sidespan::net {

std::vector<Address> local_addresses() {
  std::vector<Address> out;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return out;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if ((one->ifa_flags & IFF_UP) == 0) continue;
    const Address address = Address::from_sockaddr(one->ifa_addr);
    if (address && std::ranges::find(out, address) == out.end()) out.push_back(address);
  }
  ::freeifaddrs(first);
  return out;
}

}  // namespace sidespan::net
