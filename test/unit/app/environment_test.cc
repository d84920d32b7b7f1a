#include "app/environment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "sidespan/trace/w3c.h"

namespace sidespan::app {
namespace {

constexpr const char* kMetadata =
    "169.254.169.254,169.254.170.2,169.254.170.23,fd00:ec2::254,fd00:ec2::23,"
    "metadata.google.internal";

std::string get(const std::vector<std::string>& entries, const std::string& name) {
  std::string found;
  for (const std::string& entry : entries) {
    if (entry.starts_with(name + "=")) found += entry.substr(name.size() + 1) + "|";
  }
  return found;
}

trace::Context context_of(const char* traceparent) {
  trace::Context context;
  context.span = *trace::parse_traceparent(traceparent);
  return context;
}

TEST_CASE("entries as a map") {
  const Environment environment = to_environment({"A=1", "B=", "A=2", "C=a=b", "=x", "no"});
  CHECK(environment == Environment{{"A", "1"}, {"B", ""}, {"C", "a=b"}});
}

TEST_CASE("how a listener is reached") {
  CHECK(proxy_url(*net::Address::parse("127.0.0.1", 17001)) == "http://127.0.0.1:17001");
  CHECK(proxy_url(*net::Address::parse("::1", 1)) == "http://[::1]:1");
  CHECK(proxy_url(*net::Address::parse("0.0.0.0", 2)) == "http://127.0.0.1:2");
  CHECK(proxy_url(*net::Address::parse("::", 3)) == "http://[::1]:3");
  CHECK(proxy_url(*net::Address::parse("10.1.2.3", 4)) == "http://10.1.2.3:4");
}

TEST_CASE("what is set, and in which order") {
  std::string names;
  for (const auto& [name, value] : proxy_variables("http://127.0.0.1:1", {})) names += name + " ";
  CHECK(names ==
        "HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy grpc_proxy NO_PROXY "
        "no_proxy NODE_USE_ENV_PROXY ");
}

TEST_CASE("the user's own exceptions stay, the cloud's are added") {
  const std::string metadata = kMetadata;
  struct Row {
    const char* name;
    Environment own;
    std::string no_proxy;
  };
  const Row rows[] = {
      {"none", {}, metadata},
      {"one spelling", {{"NO_PROXY", "a.example, .b"}}, "a.example,.b," + metadata},
      {"the other", {{"no_proxy", "c"}}, "c," + metadata},
      {"nothing by proxy", {{"NO_PROXY", " * "}}, "*"},
      {"both", {{"NO_PROXY", "a,b"}, {"no_proxy", "b,c"}}, "a,b,c," + metadata},
      {"one that is ours too",
       {{"NO_PROXY", "169.254.169.254,x"}},
       "169.254.169.254,x,169.254.170.2,169.254.170.23,fd00:ec2::254,fd00:ec2::23,"
       "metadata.google.internal"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Pairs variables = proxy_variables("http://127.0.0.1:1", row.own);
    for (const auto& [name, value] : variables) {
      if (name == "NO_PROXY" || name == "no_proxy") CHECK(value == row.no_proxy);
    }
  }
}

TEST_CASE("the environment of a run") {
  const std::vector<std::string> own = {"PATH=/bin",       "HTTP_PROXY=http://u:p@corp:1",
                                        "https_proxy=x",   "HTTP_PROXY=again",
                                        "NO_PROXY=a",      "NODE_USE_ENV_PROXY=0",
                                        "TRACEPARENT=old", "TRACESTATE=old",
                                        "BAGGAGE=old",     "odd"};
  trace::Context context = context_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  CHECK(context.span.tracestate.set("a", "b"));
  CHECK(context.baggage.set("k", "v w"));
  const auto entries = run_environment(own, "http://127.0.0.1:5", {}, context);
  CHECK(entries.front() == "PATH=/bin");
  CHECK(std::ranges::find(entries, "odd") != entries.end());
  for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY",
                           "all_proxy", "grpc_proxy"}) {
    CAPTURE(name);
    CHECK(get(entries, name) == "http://127.0.0.1:5|");
  }
  CHECK(get(entries, "NODE_USE_ENV_PROXY") == "1|");
  CHECK(get(entries, "no_proxy").starts_with("a,169.254.169.254,"));
  CHECK(get(entries, "TRACEPARENT") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01|");
  CHECK(get(entries, "TRACESTATE") == "a=b|");
  CHECK(get(entries, "BAGGAGE") == "k=v%20w|");
}

TEST_CASE("what was inherited of a context that has less goes") {
  const auto entries =
      run_environment({"TRACEPARENT=old", "TRACESTATE=old", "BAGGAGE=old"}, "http://127.0.0.1:5",
                      {}, context_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
  CHECK(get(entries, "TRACEPARENT") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00|");
  CHECK(get(entries, "TRACESTATE").empty());
  CHECK(get(entries, "BAGGAGE").empty());
}

TEST_CASE("the context a process was started in") {
  const auto context = inherited_context(
      {"A=b", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
       "TRACESTATE=a=b"});
  REQUIRE(context.has_value());
  CHECK(context->sampled());
  CHECK(context->tracestate.get("a") == "b");
  CHECK_FALSE(inherited_context({}));
  CHECK_FALSE(inherited_context({"TRACEPARENT=nonsense"}));
  CHECK_FALSE(
      inherited_context({"traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}));
}

TEST_CASE("what a run sets aside is said, without its value") {
  CHECK(run_warnings({{"PATH", "/bin"}, {"NO_PROXY", "a"}, {"HTTP_PROXY", ""}}).empty());
  CHECK(run_warnings({{"HTTP_PROXY", "http://corp"}, {"ALL_PROXY", "socks5://corp"}}).empty());
  const auto warnings = run_warnings({{"HTTP_PROXY", "socks5://u:geheim@corp"},
                                      {"https_proxy", "https://corp"},
                                      {"no_proxy", "*"}});
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].text.starts_with("HTTP_PROXY, https_proxy: "));
  CHECK(warnings[1].text.starts_with("no_proxy is *: "));
  CHECK(warnings[0].changes_calls);
  CHECK_FALSE(warnings[1].changes_calls);
  CHECK(warnings[0].text.find("geheim") == std::string::npos);
}

TEST_CASE("the proxy that a command would have used") {
  CHECK_FALSE(inherited_proxy({{"NO_PROXY", "a"}, {"HTTP_PROXY", ""}}).has_value());
  CHECK_FALSE(inherited_proxy({{"ALL_PROXY", "socks5://s"}}).has_value());
  CHECK(inherited_proxy({{"HTTP_PROXY", "http://a"}})->url == "http://a");
  CHECK(inherited_proxy({{"HTTP_PROXY", "http://a"}, {"https_proxy", "b:1"}})->url == "b:1");
  CHECK(inherited_proxy({{"https_proxy", "socks5://s"}, {"http_proxy", "c"}})->variable ==
        "http_proxy");
  CHECK(inherited_no_proxy({{"NO_PROXY", "a,b"}, {"no_proxy", " "}}) == "a,b");
}

TEST_CASE("formats and their quotes") {
  const Pairs variables = {
      {"A", "http://127.0.0.1:1"}, {"B", "it's $HOME \"x\" \\ `y`\nz"}, {"C", ""}};
  CHECK(format_variables(variables, EnvironmentFormat::kSh) ==
        "export A='http://127.0.0.1:1'\n"
        "export B='it'\\''s $HOME \"x\" \\ `y`\nz'\n"
        "export C=''\n");
  CHECK(format_variables(variables, EnvironmentFormat::kDotenv) ==
        "A=http://127.0.0.1:1\n"
        "B=\"it's \\$HOME \\\"x\\\" \\\\ \\`y\\`\\nz\"\n"
        "C=\n");
  CHECK(format_variables(variables, EnvironmentFormat::kJson) ==
        "{\"A\":\"http://127.0.0.1:1\",\"B\":\"it's $HOME \\\"x\\\" \\\\ `y`\\nz\",\"C\":\"\"}\n");
}

TEST_CASE("env needs a listener that can be named") {
  Settings settings;
  CHECK(egress_of_sidecar(settings).error().what.starts_with("listen.egress is off"));
  settings.listen.egress.addresses = {*net::Address::parse("127.0.0.1", 0)};
  CHECK(egress_of_sidecar(settings).error().what.starts_with("listen.egress has port 0"));
  settings.listen.egress.addresses = {*net::Address::parse("0.0.0.0", 17001),
                                      *net::Address::parse("::", 17001)};
  CHECK(egress_of_sidecar(settings)->to_string() == "127.0.0.1:17001");
}

}  // namespace
}  // namespace sidespan::app
