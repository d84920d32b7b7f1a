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

// A leading dot or "*." says nothing more than the name.
bool matches(std::string_view member, std::string_view host, uint16_t port,
             const std::optional<net::Address>& address) {
  const NoProxyMember entry = split_no_proxy(member);
  if (!entry.port.empty() && text::parse_unsigned(entry.port) != port) return false;
  if (entry.host == "*") return true;
  if (address) {
    const std::optional<net::Network> network = net::Network::parse(entry.host);
    return network && network->contains(*address);
  }
  std::string name = text::lower(entry.host);
  if (name.starts_with("*.")) name.erase(0, 2);
  if (name.starts_with('.')) name.erase(0, 1);
  return !name.empty() && is_below(host, name);
}

}  // namespace

NoProxyMember split_no_proxy(std::string_view member) {
  const size_t bracket = member.starts_with('[') ? member.find(']') : std::string_view::npos;
  if (bracket != std::string_view::npos) {
    const std::string_view rest = member.substr(bracket + 1);
    if (rest.empty() || rest.starts_with(':')) {
      return {member.substr(1, bracket - 1), rest.substr(std::min<size_t>(rest.size(), 1))};
    }
    return {member, {}};  // a network in brackets is none
  }
  const size_t colon = member.find(':');
  if (colon == std::string_view::npos || colon != member.rfind(':')) return {member, {}};
  return {member.substr(0, colon), member.substr(colon + 1)};
}

bool SecondProxy::leads_to(std::string_view origin, uint16_t to_port) const {
  if (host.empty()) return false;
  const std::string name = text::lower(text::without_root_dot(origin));
  const std::optional<net::Address> address = net::Address::parse(name, 0);
  if (address && address->is_loopback()) return false;
  if (is_below(name, "localhost")) return false;
  return std::ranges::none_of(
      except, [&](const std::string& entry) { return matches(entry, name, to_port, address); });
}

Error second_proxy_error(Error dialling) {
  dialling.what = std::string(kSecondProxyWords) + " cannot be reached: " + dialling.what;
  dialling.side = Side::kSelf;
  return dialling;
}

}  // namespace sidespan::wire
