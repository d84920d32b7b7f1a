#include "sidespan/wire/second_proxy.h"

#include <algorithm>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::wire {
namespace {

bool is_below(std::string_view host, std::string_view name) {
  if (!host.ends_with(name)) return false;
  const size_t before = host.size() - name.size();
  return before == 0 || host[before - 1] == '.';
}

// "[::1]:80" and "::1" are "::1", "10.0.0.1:80" is "10.0.0.1".
std::string_view without_port(std::string_view entry) {
  if (entry.starts_with('[')) return entry.substr(1, entry.find(']') - 1);
  const size_t colon = entry.find(':');
  return colon == entry.rfind(':') ? entry.substr(0, colon) : entry;
}

// What curl, Go and Python agree on: a leading dot or "*." says nothing more, a port is not looked
// at.
bool matches(std::string_view entry, std::string_view host,
             const std::optional<net::Address>& address) {
  if (entry == "*") return true;
  if (address) {
    const std::optional<net::Network> network = net::Network::parse(without_port(entry));
    return network && network->contains(*address);
  }
  std::string name = text::lower(without_port(entry));
  if (name.starts_with("*.")) name.erase(0, 2);
  if (name.starts_with('.')) name.erase(0, 1);
  return !name.empty() && is_below(host, name);
}

}  // namespace

bool SecondProxy::leads_to(std::string_view origin) const {
  if (host.empty()) return false;
  const std::string name = text::lower(text::without_root_dot(origin));
  const std::optional<net::Address> address = net::Address::parse(name, 0);
  if (address && address->is_loopback()) return false;
  if (is_below(name, "localhost")) return false;
  return std::ranges::none_of(
      except, [&](const std::string& entry) { return matches(entry, name, address); });
}

Error second_proxy_error(Error dialling) {
  dialling.what = std::string(kSecondProxyWords) + " cannot be reached: " + dialling.what;
  dialling.side = Side::kSelf;
  return dialling;
}

}  // namespace sidespan::wire
