#include "app/java.h"

#include <doctest/doctest.h>

namespace sidespan::app {
namespace {

TEST_CASE("whether a JVM is wanted") {
  struct Row {
    const char* name;
    std::optional<bool> asked;
    const char* command;
    Environment own;
    bool wanted;
  };
  const Row rows[] = {
      {"nothing says so", {}, "python3", {}, false},
      {"nothing at all", {}, "", {}, false},
      {"asked for", true, "python3", {}, true},
      {"not wanted", false, "java", {{"JAVA_HOME", "/j"}}, false},
      {"java", {}, "java", {}, true},
      {"by its path", {}, "/opt/jdk/bin/java", {}, true},
      {"a build tool", {}, "./mvnw", {}, true},
      {"only the name counts", {}, "/opt/java/bin/python", {}, false},
      {"a longer name", {}, "javascript-agent", {}, false},
      {"JAVA_HOME", {}, "agent.sh", {{"JAVA_HOME", "/j"}}, true},
      {"an empty one", {}, "agent.sh", {{"JAVA_HOME", ""}}, false},
      {"options that are there", {}, "agent.sh", {{"JAVA_TOOL_OPTIONS", "-Xmx1g"}}, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(wants_java(row.asked, row.command, row.own) == row.wanted);
  }
}

TEST_CASE("NO_PROXY as Java says it") {
  struct Row {
    const char* name;
    const char* no_proxy;
    const char* hosts;
  };
  const Row rows[] = {
      {"nothing", "", ""},
      {"an address", "169.254.169.254", "169.254.169.254"},
      {"of IPv6", "fd00:ec2::254", "[fd00:ec2::254]"},
      {"a name and what is below it", "a.example", "a.example|*.a.example"},
      {"what is below it alone", ".a.example, *.b.example", "*.a.example|*.b.example"},
      {"everything", "*", "*"},
      {"a network cannot be said", "10.0.0.0/8,x", "x|*.x"},
      {"nor can a port", "x:8080", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(non_proxy_hosts(row.no_proxy) == row.hosts);
  }
}

TEST_CASE("what a JVM is told") {
  const std::string proxy =
      "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=7 -Dhttps.proxyHost=127.0.0.1 "
      "-Dhttps.proxyPort=7";
  const std::string hosts = " -Dhttp.nonProxyHosts=x|*.x";
  const std::string trust = " -Djavax.net.ssl.trustStore=/t.jks -Djavax.net.ssl.trustStoreType=JKS";
  struct Row {
    const char* name;
    std::string before;
    std::string store;
    std::string options;
  };
  const Row rows[] = {
      {"nothing before", "", "/t.jks", proxy + hosts + trust},
      {"no trust", "", "", proxy + hosts},
      {"the user's come first", "-Xmx1g", "/t.jks", "-Xmx1g " + proxy + hosts + trust},
      {"his trust store stays", "-Djavax.net.ssl.trustStore=/own", "/t.jks",
       "-Djavax.net.ssl.trustStore=/own " + proxy + hosts},
      {"and so do his exceptions", "-Dhttp.nonProxyHosts=", "/t.jks",
       "-Dhttp.nonProxyHosts= " + proxy + trust},
      {"a second time", proxy + hosts + trust, "/t.jks", proxy + hosts + trust},
      {"another's port begins as ours", proxy + "0", "", proxy + "0 " + proxy + hosts},
      {"what stands behind it counts", proxy + " -Dhttps.proxyPort=9", "",
       proxy + " -Dhttps.proxyPort=9 " + proxy + hosts},
      {"what a quote holds is said of something else", "'-Da= " + proxy + hosts + "'", "",
       "'-Da= " + proxy + hosts + "' " + proxy + hosts},
      {"a path with a blank", "", "/a b.jks",
       proxy + hosts +
           " \"-Djavax.net.ssl.trustStore=/a b.jks\" -Djavax.net.ssl.trustStoreType=JKS"},
      {"a line's end that stayed", "", "/a\r",
       proxy + hosts + " \"-Djavax.net.ssl.trustStore=/a\r\" -Djavax.net.ssl.trustStoreType=JKS"},
      {"quotes of both kinds", "", "/a\"b'c",
       proxy + hosts + R"( '-Djavax.net.ssl.trustStore=/a"b'"'"'c')" +
           " -Djavax.net.ssl.trustStoreType=JKS"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(java_tool_options(
              row.before,
              {.host = "127.0.0.1", .port = 7, .no_proxy = "x", .trust_store = row.store}) ==
          row.options);
  }
}

}  // namespace
}  // namespace sidespan::app
