// The environment that sends a process through a sidecar (contract section 3): printed by `env`,
// given to the command by `run`. HTTPS_PROXY is among it because CONNECT is tunnelled. Pure: the
// process environment is passed in, and each function returns a new one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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

// "http://127.0.0.1:17001": how a process of this machine reaches a listener. A listener on all
// addresses is reached by loopback.
std::string proxy_url(const net::Address& listening);

// Proxy variables in both spellings, NO_PROXY, NODE_USE_ENV_PROXY; in the order they are printed.
// NO_PROXY is the user's own value plus the cloud's metadata addresses.
Pairs proxy_variables(std::string_view proxy_url, const Environment& own);

// The whole environment of a command under `run`: `own` with proxy_variables() and, as TRACEPARENT,
// TRACESTATE and BAGGAGE, `context` in it. What was inherited of these goes. `trust`:
// trust_variables() of tls_setup.h.
std::vector<std::string> run_environment(const std::vector<std::string>& own,
                                         std::string_view proxy_url, const Pairs& trust,
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

// `sidespan env`: the text, or a fault when the egress listener is off or has no fixed port.
// `trust` as above. Error side: kSelf.
Result<std::string> environment_text(const Settings& settings, const Environment& own,
                                     const Pairs& trust, EnvironmentFormat format);

}  // namespace sidespan::app
