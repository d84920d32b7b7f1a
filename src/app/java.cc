#include "app/java.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/net/address.h"

namespace sidespan::app {
namespace {

constexpr std::array<std::string_view, 20> kStarters = {
    "java",    "jshell",  "jbang", "mvn",          "mvnw",        "mvnd",      "gradle",
    "gradlew", "ant",     "sbt",   "scala",        "scala-cli",   "kotlin",    "groovy",
    "clj",     "clojure", "lein",  "spark-submit", "spark-shell", "jrunscript"};

// Also where it has a type alone: Windows-ROOT is a store without a file.
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

// As the JVM takes them apart: quotes of either kind hold blanks together, and are no part of a
// word.
std::vector<std::string> words_of(std::string_view options) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  std::vector<std::string> words;
  char quote = 0;
  bool within = false;
  for (const char c : options) {
    if (quote == 0 && kBlanks.find(c) != std::string_view::npos) {
      within = false;
      continue;
    }
    if (!std::exchange(within, true)) words.emplace_back();
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::array<std::string, 4> proxy_options(const JavaProxy& proxy) {
  const std::string port = std::to_string(proxy.port);
  return {"-Dhttp.proxyHost=" + proxy.host, "-Dhttp.proxyPort=" + port,
          "-Dhttps.proxyHost=" + proxy.host, "-Dhttps.proxyPort=" + port};
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
  const std::vector<std::string> said = words_of(before);
  const auto begins_one = [&](std::string_view start) {
    return std::ranges::any_of(said, [&](const std::string& w) { return w.starts_with(start); });
  };
  // Another `env` may have said the same, and something else may stand behind that.
  const auto counts = [&](const std::string& option) {
    const std::string start = option.substr(0, option.find('=') + 1);
    const auto backwards = said | std::views::reverse;
    const auto last =
        std::ranges::find_if(backwards, [&](const std::string& w) { return w.starts_with(start); });
    return last != backwards.end() && *last == option;
  };
  const std::array<std::string, 4> ours = proxy_options(proxy);
  if (!std::ranges::all_of(ours, counts)) std::ranges::for_each(ours, add);
  if (!begins_one(kNonProxyHosts)) {
    add(std::string(kNonProxyHosts) + non_proxy_hosts(proxy.no_proxy));
  }
  if (!proxy.trust_store.empty() && !begins_one(kTrustStore)) {
    add(std::string(kTrustStore) + "=" + proxy.trust_store);
    add(std::string(kTrustStore) + "Type=JKS");
  }
  return options;
}

}  // namespace sidespan::app
