// The environment of a JVM (contract section 3): it reads neither proxy variables nor PEM files,
// only properties, and JAVA_TOOL_OPTIONS hands these to every JVM that is started below. Each says
// so in a line on stderr, which is why it is set only where a JVM is wanted. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/environment.h"

namespace sidespan::app {

inline constexpr std::string_view kJavaOptionsName = "JAVA_TOOL_OPTIONS";

// --java and --no-java decide. Else a JVM is wanted where `command` (a path; may be empty) is that
// of a program that starts one, or where JAVA_HOME or JAVA_TOOL_OPTIONS is set.
bool wants_java(std::optional<bool> asked, std::string_view command, const Environment& own);

// Names as NO_PROXY has them, as http.nonProxyHosts has them. Networks and ports cannot be said
// there and are left out.
std::string non_proxy_hosts(std::string_view no_proxy);

struct JavaProxy {
  std::string host;
  uint16_t port = 0;
  std::string no_proxy;
  std::string trust_store;  // a JKS file; empty: the JVM trusts what it does
};
// The value of JAVA_TOOL_OPTIONS: what the user has there comes first. A trust store and
// nonProxyHosts of his stay, since both may be more than ours; of a proxy the last one counts.
std::string java_tool_options(std::string_view before, const JavaProxy& proxy);

}  // namespace sidespan::app
