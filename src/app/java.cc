#include "app/java.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"
#include "sidespan/net/address.h"

namespace sidespan::app {
namespace {

constexpr std::array<std::string_view, 20> kStarters = {
    "java",    "jshell",  "jbang", "mvn",          "mvnw",        "mvnd",      "gradle",
    "gradlew", "ant",     "sbt",   "scala",        "scala-cli",   "kotlin",    "groovy",
    "clj",     "clojure", "lein",  "spark-submit", "spark-shell", "jrunscript"};

constexpr std::string_view kTrustStore = "-Djavax.net.ssl.trustStore";
constexpr std::string_view kNonProxyHosts = "-Dhttp.nonProxyHosts=";

// The JVM splits at blanks that no quote holds together, and does not start where a quote is open.
// Of a word with quotes of both kinds the single ones stand in double ones of their own.
std::string quoted(const std::string& word) {
  if (word.find_first_of(" \t\n\v\f\r\"'") == std::string::npos) return word;
  if (word.find('"') == std::string::npos) return '"' + word + '"';
  std::string out = "'";
  for (const char c : word) c == '\'' ? out.append(R"('"'"')") : out.append(1, c);
  return out + "'";
}

std::string proxy_options(const JavaProxy& proxy) {
  std::string options;
  for (const char* const scheme : {"http", "https"}) {
    options += options.empty() ? "-D" : " -D";
    options.append(scheme).append(".proxyHost=").append(proxy.host).append(" -D");
    options.append(scheme).append(".proxyPort=").append(std::to_string(proxy.port));
  }
  return options;
}

// One name of NO_PROXY; empty where Java has no word for it.
std::string non_proxy_host(std::string_view host) {
  if (host == "*") return "*";
  if (const auto address = net::Address::parse(host, 0)) {
    return address->family() == AF_INET6 ? "[" + address->ip() + "]" : address->ip();
  }
  if (host.find_first_of(":/|") != std::string_view::npos) return "";
  if (host.starts_with("*.")) host.remove_prefix(1);
  if (host.starts_with('.')) return "*" + std::string(host);
  return std::string(host) + "|*." + std::string(host);
}

}  // namespace

bool wants_java(std::optional<bool> asked, std::string_view command, const Environment& own) {
  if (asked) return *asked;
  const std::string_view name = command.substr(command.find_last_of('/') + 1);
  return std::ranges::find(kStarters, name) != kStarters.end() ||
         !value_of(own, "JAVA_HOME").empty() || !value_of(own, kJavaOptionsName).empty();
}

std::string non_proxy_hosts(std::string_view no_proxy) {
  std::string hosts;
  for (const std::string_view member : text::list_members(no_proxy)) {
    const std::string host = non_proxy_host(member);
    if (!host.empty()) hosts.append(hosts.empty() ? "" : "|").append(host);
  }
  return hosts;
}

std::string java_tool_options(std::string_view before, const JavaProxy& proxy) {
  std::string options(before);
  const auto add = [&](const std::string& option) {
    options.append(options.empty() ? "" : " ").append(quoted(option));
  };
  // Another `env` may have said the same.
  if (before.find(proxy_options(proxy)) == std::string_view::npos) {
    options.append(options.empty() ? "" : " ").append(proxy_options(proxy));
  }
  if (before.find(kNonProxyHosts) == std::string_view::npos) {
    add(std::string(kNonProxyHosts) + non_proxy_hosts(proxy.no_proxy));
  }
  if (!proxy.trust_store.empty() && before.find(kTrustStore) == std::string_view::npos) {
    add(std::string(kTrustStore) + "=" + proxy.trust_store);
    add(std::string(kTrustStore) + "Type=JKS");
  }
  return options;
}

}  // namespace sidespan::app
