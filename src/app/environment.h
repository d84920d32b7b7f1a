// The environment that sends a process through a sidecar (contract section 3): printed by `env`,
// given to the command by `run`. HTTPS_PROXY is among it because CONNECT is tunnelled. Pure: the
// process environment is passed in, and each function returns a new one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/settings.h"
#include "sidespan/net/address.h"
#include "sidespan/trace/context.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::app {

using Environment = std::map<std::string, std::string, std::less<>>;

// "NAME=value" entries as a map. Of a name that comes twice the first counts, as with getenv().
Environment to_environment(const std::vector<std::string>& entries);

// Empty where it is not set.
std::string_view value_of(const Environment& own, std::string_view name);

// How a process of this machine reaches a listener: one on all addresses is reached by loopback.
net::Address reachable(const net::Address& listening);
// The same as a proxy: "http://127.0.0.1:17001".
std::string proxy_url(const net::Address& listening);

// HTTP_PROXY and its kin, in both spellings; NO_PROXY in both.
std::span<const std::string_view> proxy_names();
std::span<const std::string_view> no_proxy_names();
inline constexpr std::string_view kNodeProxyName = "NODE_USE_ENV_PROXY";
// Where clouds hand out credentials: what we put into NO_PROXY.
std::span<const std::string_view> metadata_hosts();

// The value of NO_PROXY for an agent: the user's own plus the cloud's metadata addresses; `*`
// stays.
std::string no_proxy(const Environment& own);

// Proxy variables in both spellings, NO_PROXY, NODE_USE_ENV_PROXY; in the order they are printed.
Pairs proxy_variables(std::string_view proxy_url, const Environment& own);

// The whole environment of a command under `run`: `own` with proxy_variables() and, as TRACEPARENT,
// TRACESTATE and BAGGAGE, `context` in it. What was inherited of these goes. `further`: the
// variables of trust_files.h and java.h.
std::vector<std::string> run_environment(const std::vector<std::string>& own,
                                         std::string_view proxy_url, const Pairs& further,
                                         const trace::Context& context);

// The span that this process itself was started in (TRACEPARENT, TRACESTATE), for lineage and for
// the parent of a run. Nothing when there is none, or when it is not valid.
std::optional<trace::SpanContext> inherited_context(const std::vector<std::string>& own);

// The proxy that a command under `run` would have used, for `egress.via`: nothing where none is
// named, or only ones that are no HTTP proxies.
struct InheritedProxy {
  std::string variable;
  std::string url;  // may hold a password
};
std::optional<InheritedProxy> inherited_proxy(const Environment& own);
// What it would have reached without; empty: nothing.
std::string inherited_no_proxy(const Environment& own);

// A sentence for each inherited variable that `run` sets aside: a second proxy must be one for
// HTTP, and NO_PROXY=* leaves nothing to trace. Values are not repeated: they may hold a password.
struct RunWarning {
  std::string text;
  bool changes_calls;  // the run's calls go elsewhere than the command's would alone
};
std::vector<RunWarning> run_warnings(const Environment& own);

enum class EnvironmentFormat : uint8_t {
  kSh,      // export NAME='value'
  kJson,    // one object
  kDotenv,  // NAME=value, quoted only where it must be
};
std::string format_variables(const Pairs& variables, EnvironmentFormat format);

// Where a running sidecar's egress is reached; a fault when it is off or has no fixed port. Error
// side: kSelf.
Result<net::Address> egress_of_sidecar(const Settings& settings);

}  // namespace sidespan::app
