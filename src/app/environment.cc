#include "app/environment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/json/writer.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::app {
namespace {

// Programs differ in the spelling they read: curl takes http_proxy in lower case only, others the
// upper one first, gRPC has a name of its own.
constexpr std::array<std::string_view, 7> kProxyNames = {"HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
                                                         "https_proxy", "ALL_PROXY",  "all_proxy",
                                                         "grpc_proxy"};
constexpr std::array<std::string_view, 2> kNoProxyNames = {"NO_PROXY", "no_proxy"};
// By address alone: EC2, ECS, EKS, Google and Azure.
constexpr std::array<std::string_view, 6> kMetadataHosts = {
    "169.254.169.254", "169.254.170.2", "169.254.170.23",
    "fd00:ec2::254",   "fd00:ec2::23",  "metadata.google.internal"};

bool is_http_proxy(std::string_view value) {
  const bool bare = value.find("://") == std::string_view::npos;
  const Result<http::Url> url = http::parse_url((bare ? "http://" : "") + std::string(value));
  return url && url->scheme == "http";
}

std::string_view name_of_entry(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

std::string sh_quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out.push_back(c);
    }
  }
  return out + "'";
}

// Readers of dotenv files agree on bare words and, nearly, on double quotes; some (docker
// --env-file) know no quotes at all, so what can be bare is.
std::string dotenv_quoted(std::string_view value) {
  constexpr std::string_view kBare = "_-./:,@%+=*[]";
  const bool bare = std::ranges::all_of(value, [&](char c) {
    return text::is_alpha(c) || text::is_digit(c) || kBare.find(c) != std::string_view::npos;
  });
  if (bare) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\' || c == '$' || c == '`') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string json_object(const Pairs& variables) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  for (const auto& [name, value] : variables) writer.member(name, value);
  writer.end_object();
  return out + "\n";
}

}  // namespace

std::string_view value_of(const Environment& own, std::string_view name) {
  const auto variable = own.find(name);
  return variable == own.end() ? std::string_view() : std::string_view(variable->second);
}

Environment to_environment(const std::vector<std::string>& entries) {
  Environment environment;
  for (const std::string& entry : entries) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

std::span<const std::string_view> proxy_names() {
  return kProxyNames;
}

std::span<const std::string_view> no_proxy_names() {
  return kNoProxyNames;
}

std::span<const std::string_view> metadata_hosts() {
  return kMetadataHosts;
}

net::Address reachable(const net::Address& listening) {
  if (!listening.is_any()) return listening;
  const char* loopback = listening.family() == AF_INET6 ? "::1" : "127.0.0.1";
  return net::Address::parse(loopback, listening.port()).value_or(listening);
}

std::string proxy_url(const net::Address& listening) {
  return "http://" + reachable(listening).to_string();
}

std::string no_proxy(const Environment& own) {
  std::vector<std::string_view> hosts;
  const auto add = [&](std::string_view host) {
    if (std::ranges::find(hosts, host) == hosts.end()) hosts.push_back(host);
  };
  for (const std::string_view name : kNoProxyNames) {
    const std::string_view value = text::trim(value_of(own, name));
    // Programs read it so only where it stands alone.
    if (value == "*") return "*";
    for (const std::string_view host : text::list_members(value)) add(host);
  }
  for (const std::string_view host : kMetadataHosts) add(host);
  std::string list;
  for (const std::string_view host : hosts) list.append(list.empty() ? "" : ",").append(host);
  return list;
}

Pairs proxy_variables(std::string_view proxy_url, const Environment& own) {
  Pairs variables;
  for (const std::string_view name : kProxyNames) variables.emplace_back(name, proxy_url);
  const std::string hosts = no_proxy(own);
  for (const std::string_view name : kNoProxyNames) variables.emplace_back(name, hosts);
  variables.emplace_back(kNodeProxyName, "1");
  return variables;
}

std::vector<std::string> run_environment(const std::vector<std::string>& own,
                                         std::string_view proxy_url, const Pairs& further,
                                         const trace::Context& context) {
  Pairs variables = proxy_variables(proxy_url, to_environment(own));
  variables.insert(variables.end(), further.begin(), further.end());
  std::vector<std::string> entries = own;
  std::erase_if(entries, [&](const std::string& entry) {
    return std::ranges::any_of(
        variables, [&](const auto& variable) { return variable.first == name_of_entry(entry); });
  });
  for (const auto& [name, value] : variables) {
    entries.emplace_back(name).append("=").append(value);
  }

  const trace::PropagatorRegistry registry;
  const std::vector<std::string> formats = {"tracecontext", "baggage"};
  trace::EnvironmentCarrier carrier(std::move(entries));
  trace::CompositePropagator(registry, formats).inject(context, {}, carrier);
  return carrier.entries();
}

std::optional<trace::SpanContext> inherited_context(const std::vector<std::string>& own) {
  const trace::PropagatorRegistry registry;
  trace::Context context;
  if (!registry.find("tracecontext")->extract(trace::EnvironmentCarrier(own), context)) {
    return std::nullopt;
  }
  return context.span;
}

std::optional<InheritedProxy> inherited_proxy(const Environment& own) {
  // In the order in which programs look for one that takes any URL.
  constexpr std::array<std::string_view, 6> kNames = {"https_proxy", "HTTPS_PROXY", "http_proxy",
                                                      "HTTP_PROXY",  "all_proxy",   "ALL_PROXY"};
  for (const std::string_view name : kNames) {
    const std::string_view value = text::trim(value_of(own, name));
    if (!value.empty() && is_http_proxy(value)) return {{std::string(name), std::string(value)}};
  }
  return std::nullopt;
}

std::string inherited_no_proxy(const Environment& own) {
  for (const std::string_view name : {"no_proxy", "NO_PROXY"}) {
    const std::string_view value = text::trim(value_of(own, name));
    if (!value.empty()) return std::string(value);
  }
  return "";
}

std::vector<RunWarning> run_warnings(const Environment& own) {
  std::vector<RunWarning> warnings;
  std::string proxies;
  for (const std::string_view name : kProxyNames) {
    const std::string_view value = value_of(own, name);
    if (value.empty() || is_http_proxy(value)) continue;
    proxies.append(proxies.empty() ? "" : ", ").append(name);
  }
  if (!proxies.empty() && !inherited_proxy(own)) {
    warnings.push_back({proxies +
                            ": a second proxy must be one for HTTP, http://...; calls of this run "
                            "go to their origins directly",
                        true});
  }
  for (const std::string_view name : kNoProxyNames) {
    if (text::trim(value_of(own, name)) != "*") continue;
    warnings.push_back({std::string(name) +
                            " is *: most programs will make all calls directly, and "
                            "these leave no span",
                        false});
  }
  return warnings;
}

std::string format_variables(const Pairs& variables, EnvironmentFormat format) {
  if (format == EnvironmentFormat::kJson) return json_object(variables);
  std::string out;
  for (const auto& [name, value] : variables) {
    out += format == EnvironmentFormat::kSh ? "export " + name + "=" + sh_quoted(value)
                                            : name + "=" + dotenv_quoted(value);
    out += "\n";
  }
  return out;
}

Result<net::Address> egress_of_sidecar(const Settings& settings) {
  if (!settings.listen.egress) {
    return fail(Code::kInvalid, Side::kSelf,
                "listen.egress is off, so there is nothing to go through");
  }
  const net::Address& listening = settings.listen.egress.addresses.front();
  if (listening.port() == 0) {
    return fail(Code::kInvalid, Side::kSelf,
                "listen.egress has port 0, so its address is known only once it listens");
  }
  return reachable(listening);
}

}  // namespace sidespan::app
