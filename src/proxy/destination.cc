#include "sidespan/proxy/destination.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"
#include "sidespan/net/interfaces.h"

namespace sidespan::proxy {
namespace {

// Where clouds hand out credentials; the names are those of contract and vendors.
constexpr auto kMetadataAddresses =
    std::to_array<std::string_view>({"169.254.169.254", "169.254.170.2", "169.254.170.23",
                                     "fd00:ec2::254", "fd00:ec2::23", "100.100.100.200"});
constexpr std::string_view kMetadataName = "metadata.google.internal";
constexpr std::array<std::string_view, 4> kLocalNames = {"*.svc", "*.svc.*", "*.local",
                                                         "*.internal"};

std::optional<net::Address> literal(std::string_view host) {
  const bool maybe = !host.empty() && (text::is_digit(host.front()) || host.contains(':'));
  return maybe ? net::Address::parse(host, 0) : std::nullopt;
}

// Resolvers read "2130706433", "0x7f.1" and "0177.0.0.1" as IPv4 addresses: no name to trust.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return last.starts_with("0x") || text::parse_unsigned(last).has_value();
}

bool is_local_name(std::string_view host) {
  if (ends_in_number(host)) return false;
  if (!host.contains('.')) return true;
  return std::ranges::any_of(
      kLocalNames, [&](std::string_view pattern) { return text::matches_wildcard(pattern, host); });
}

bool is_metadata(const net::Address& address) {
  static const auto kAddresses = [] {
    std::array<net::Address, kMetadataAddresses.size()> all;
    std::ranges::transform(kMetadataAddresses, all.begin(),
                           [](std::string_view text) { return *net::Address::parse(text, 0); });
    return all;
  }();
  return std::ranges::any_of(kAddresses,
                             [&](const net::Address& known) { return known.same_ip(address); });
}

bool any_matches(const std::vector<HostPattern>& patterns, const Host& host,
                 const net::Address* address) {
  return std::ranges::any_of(patterns, [&](const HostPattern& pattern) {
    return pattern.matches_name(host) || (address != nullptr && pattern.matches_address(*address));
  });
}

}  // namespace

Host::Host(std::string_view text) : name(text::without_root_dot(text)), address(literal(name)) {}

size_t client_certificate_for(const ClientCertificateHosts& hosts, std::string_view host) {
  const auto found = std::ranges::find_if(
      hosts, [&](const auto& patterns) { return matches(patterns, host, nullptr); });
  return found == hosts.end() ? 0 : static_cast<size_t>(found - hosts.begin()) + 1;
}

bool is_hidden_address(std::string_view host) {
  const Host read(host);
  return !read.address && ends_in_number(read.name);
}

Result<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  if (text == "@local") {
    pattern.kind_ = Kind::kLocal;
  } else if (text == "link-local") {
    pattern.kind_ = Kind::kLinkLocal;
  } else if (text == "metadata") {
    pattern.kind_ = Kind::kMetadata;
  } else if (std::optional<net::Network> network = net::Network::parse(text)) {
    pattern.kind_ = Kind::kNetwork;
    pattern.network_ = *network;
  } else if (text.empty() || text.starts_with('@') || text.find_first_of("/: \t[]") != text.npos) {
    return fail(Code::kInvalid, Side::kSelf,
                "'" + std::string(text) + "' is no host name, wildcard, network or known word");
  } else {
    pattern.wildcard_ = text::lower(text::without_root_dot(text));
  }
  return pattern;
}

bool HostPattern::matches_name(const Host& host) const {
  if (kind_ != Kind::kWildcard && host.address) return matches_address(*host.address);
  switch (kind_) {
    case Kind::kWildcard:
      return text::matches_wildcard(wildcard_, host.name);
    case Kind::kLocal:
      return is_local_name(host.name);
    case Kind::kMetadata:
      return text::equal_ignoring_case(host.name, kMetadataName);
    case Kind::kNetwork:
    case Kind::kLinkLocal:
      return false;
  }
  return false;
}

bool HostPattern::matches_address(const net::Address& address) const {
  const net::Address translated = address.translated();
  switch (kind_) {
    case Kind::kWildcard:
      return false;
    case Kind::kNetwork:
      return network_.contains(address) || network_.contains(translated);
    case Kind::kLocal:
      return address.is_loopback() || address.is_private();
    case Kind::kLinkLocal:
      return address.is_link_local() || translated.is_link_local();
    case Kind::kMetadata:
      return is_metadata(address) || is_metadata(translated);
  }
  return false;
}

bool matches(const std::vector<HostPattern>& patterns, std::string_view host,
             const net::Address* address) {
  return any_matches(patterns, Host(host), address);
}

const DestinationRule& rule_for(const std::vector<DestinationRule>& rules, Door door,
                                std::string_view host, const net::Address* address) {
  static const DestinationRule kNothing{{}, false, false, false, {}, false};
  const Host read(host);
  const auto rule = std::ranges::find_if(rules, [&](const DestinationRule& r) {
    return r.listener.value_or(door) == door && any_matches(r.match, read, address);
  });
  return rule == rules.end() ? kNothing : *rule;
}

std::vector<DestinationRule> default_destinations() {
  return {{{*HostPattern::parse("@local")}, true, true, true, {"*"}, false},
          {{*HostPattern::parse("*")}, true, false, false, {"*"}, false}};
}

std::vector<HostPattern> default_deny() {
  return {*HostPattern::parse("link-local"), *HostPattern::parse("metadata")};
}

std::optional<http::Url> route_for(const std::vector<Route>& routes, std::string_view target) {
  const Route* best = nullptr;
  for (const Route& route : routes) {
    if (!target.starts_with(route.path)) continue;
    if (best == nullptr || route.path.size() > best->path.size()) best = &route;
  }
  if (best == nullptr) return std::nullopt;
  http::Url url = best->to;
  url.path.append(target.substr(best->path.size()));
  return url;
}

void SelfGuard::add(const net::Address& listening) {
  listening_.push_back(listening);
}

bool SelfGuard::is_self(const net::Address& target) const {
  return std::ranges::any_of(listening_, [&](const net::Address& listening) {
    if (listening.port() != target.port()) return false;
    // Connecting to the unspecified address reaches this machine.
    if (target.is_any()) return listening.is_any() || listening.is_loopback();
    if (!listening.is_any()) return listening.same_ip(target);
    if (target.is_loopback()) return true;
    return std::ranges::any_of(net::local_addresses(),
                               [&](const net::Address& own) { return own.same_ip(target); });
  });
}

}  // namespace sidespan::proxy
