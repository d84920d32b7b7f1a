// Where a request may go and what goes with it: host patterns, the deny list, the header policy of
// `propagation.destinations`, base-URL routes, and the guard against calling ourselves. Pure
// values; the Exchange asks before it dials and before it injects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/error.h"
#include "sidespan/http/uri.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/ingress.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::proxy {

// A target's host as patterns see it, read once for all of them. Looks at `text`, does not keep it.
struct Host {
  explicit Host(std::string_view text);

  std::string_view name;                // without the root's dot
  std::optional<net::Address> address;  // when the name is a literal
};

// One entry of a match list: a name ("api.example.com"), a wildcard ("*.svc"), a network
// ("10.0.0.0/8", "::1"), or a word: "*", "@local", "link-local", "metadata".
class HostPattern {
 public:
  static Result<HostPattern> parse(std::string_view text);
  // By name alone; an address literal counts as an address.
  bool matches_name(const Host& host) const;
  // What leads to an address through a translator counts as that address, except for @local.
  bool matches_address(const net::Address& address) const;

 private:
  enum class Kind : uint8_t { kWildcard, kNetwork, kLocal, kLinkLocal, kMetadata };
  Kind kind_ = Kind::kWildcard;
  std::string wildcard_;
  net::Network network_;
};

// Whether any pattern matches the name or, when given, the address that would be dialled.
bool matches(const std::vector<HostPattern>& patterns, std::string_view host,
             const net::Address* address);

// Whom each of our client certificates is for, in the order in which a TLS context has them.
using ClientCertificateHosts = std::vector<std::vector<HostPattern>>;
// The one that is shown to `host`, counted from 1; 0: none.
size_t client_certificate_for(const ClientCertificateHosts& hosts, std::string_view host);

// An IPv4 address that is not written as one, like "2130706433" or "0x7f.1": who looks it up sees
// an address that no pattern was asked about.
bool is_hidden_address(std::string_view host);

// One rule of `propagation.destinations`.
struct DestinationRule {
  std::vector<HostPattern> match;
  bool traceparent = true;  // vendor formats go wherever this goes
  bool tracestate = false;
  bool baggage = false;
  std::vector<std::string> baggage_keys{"*"};  // of what may go anywhere; wildcards
  // The other side begins a trace of its own: our span is its root, linked to where it came from.
  bool restart = false;
  std::optional<Door> listener = std::nullopt;  // only for what came in by this one
};

// The first rule that matches what came in by `door`; nothing at all is sent where none does.
const DestinationRule& rule_for(const std::vector<DestinationRule>& rules, Door door,
                                std::string_view host, const net::Address* address);
// contract: @local gets all three, the rest of the world traceparent alone.
std::vector<DestinationRule> default_destinations();
std::vector<HostPattern> default_deny();  // link-local, metadata

// A base-URL route: requests whose path starts with `path` go to `to`, the rest of the path
// appended.
struct Route {
  std::string path;  // starts and ends with '/'
  http::Url to;      // path ends with '/'
};
// The target behind an origin-form `target` (longest path wins); nothing when no route matches.
std::optional<http::Url> route_for(const std::vector<Route>& routes, std::string_view target);

// Our own listening addresses, whatever the spelling of the target.
class SelfGuard {
 public:
  void add(const net::Address& listening);
  bool is_self(const net::Address& target) const;

 private:
  std::vector<net::Address> listening_;
};

}  // namespace sidespan::proxy
