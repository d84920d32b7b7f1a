#include "app/agent_variables.h"

#include <unistd.h>

#include "app/java.h"
#include "app/trust_files.h"

namespace sidespan::app {
namespace {

// Alone it would take from a JVM what it has built in.
std::string java_store(const std::string& trust) {
  if (trust.empty() || system_roots_file().empty()) return "";
  const std::string store = trust + "/" + kJavaStoreName;
  return ::access(store.c_str(), R_OK) == 0 ? store : "";
}

}  // namespace

Pairs agent_variables(const net::Address& egress, const std::string& trust, Pairs trust_variables,
                      const Environment& own, bool java) {
  if (!java) return trust_variables;
  const JavaProxy proxy{.host = egress.ip(),
                        .port = egress.port(),
                        .no_proxy = no_proxy(own),
                        .trust_store = java_store(trust)};
  trust_variables.emplace_back(kJavaOptionsName,
                               java_tool_options(value_of(own, kJavaOptionsName), proxy));
  return trust_variables;
}

}  // namespace sidespan::app
