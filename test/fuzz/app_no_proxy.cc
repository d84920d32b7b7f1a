// A host, and behind a line's end a NO_PROXY: a name's case and final dot do not matter, an entry
// more never leads through the second proxy what went past it, and a JVM reads of what it is given
// the words that were meant, those that the user has there already before ours. Which client a
// command is, a JVM among them, is told by its own name, wherever it lies, else by its first bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/client_kind.h"
#include "app/java.h"
#include "sidespan/base/text.h"
#include "sidespan/wire/second_proxy.h"

using namespace sidespan;

namespace {

void check_second_proxy(std::string_view host, std::string_view no_proxy) {
  wire::SecondProxy proxy{.host = "proxy.test", .port = 3128, .authorization = {}, .except = {}};
  const bool alone = proxy.leads_to(host, 443);
  bool before = alone;
  for (const std::string_view member : text::list_members(no_proxy)) {
    proxy.except.emplace_back(member);
    const bool leads = proxy.leads_to(host, 443);
    if (leads && !before) std::abort();
    before = leads;
  }
  const std::string other = text::lower(text::without_root_dot(host)) + ".";
  if (proxy.leads_to(other, 443) != before) std::abort();
  std::ranges::reverse(proxy.except);
  if (proxy.leads_to(host, 443) != before) std::abort();
  proxy.except = {"*"};
  if (proxy.leads_to(host, 443)) std::abort();
  proxy.except = {std::string(text::without_root_dot(host))};
  const bool is_name = text::is_token(host) && !text::without_root_dot(host).starts_with('.') &&
                       !host.contains('*') && !text::without_root_dot(host).empty();
  if (is_name && proxy.leads_to(host, 443)) std::abort();
}

// As a JVM splits JAVA_TOOL_OPTIONS; nothing: a quote does not end, and it does not start.
std::optional<std::vector<std::string>> words_of(std::string_view options) {
  std::vector<std::string> words;
  const auto is_blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  size_t at = 0;
  for (;;) {
    while (at < options.size() && is_blank(options[at])) ++at;
    if (at == options.size()) return words;
    std::string& word = words.emplace_back();
    while (at < options.size() && !is_blank(options[at])) {
      const char c = options[at++];
      if (c != '"' && c != '\'') {
        word += c;
        continue;
      }
      const size_t end = options.find(c, at);
      if (end == options.npos) return std::nullopt;
      word += options.substr(at, end - at);
      at = end + 1;
    }
  }
}

void check_java(std::string_view no_proxy) {
  const std::string hosts = app::non_proxy_hosts(no_proxy);
  if (!hosts.empty()) {
    std::optional<std::string_view> rest = hosts;
    while (rest) {
      if (text::split_first(rest, '|').empty()) std::abort();
    }
  }
  const app::JavaProxy proxy{
      .host = "127.0.0.1", .port = 15001, .no_proxy = std::string(no_proxy), .trust_store = "/a b"};
  const std::string options = app::java_tool_options("", proxy);
  const auto words = words_of(options);
  if (!words || words->size() != 7) std::abort();
  if ((*words)[4] != "-Dhttp.nonProxyHosts=" + hosts) std::abort();
}

// What a user has in JAVA_TOOL_OPTIONS stays, to the byte, and is not said again.
void check_options_before(std::string_view before) {
  const app::JavaProxy proxy{
      .host = "127.0.0.1", .port = 15001, .no_proxy = "a, *.b", .trust_store = "/trust"};
  const std::string options = app::java_tool_options(before, proxy);
  if (!options.starts_with(before)) std::abort();
  const auto own = words_of(before);
  const auto all = words_of(options);
  // Where the user's quote stays open no JVM starts, and nothing of ours can end it.
  if (!own) return;
  if (app::java_tool_options(options, proxy) != options) std::abort();
  if (!all || all->size() < own->size() || all->size() > own->size() + 7) std::abort();
  if (!std::equal(own->begin(), own->end(), all->begin())) std::abort();
  // The last one counts.
  for (const std::string_view ours : {"-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=15001",
                                      "-Dhttps.proxyHost=127.0.0.1", "-Dhttps.proxyPort=15001"}) {
    const std::string_view start = ours.substr(0, ours.find('=') + 1);
    const auto last = std::find_if(all->rbegin(), all->rend(),
                                   [&](const std::string& w) { return w.starts_with(start); });
    if (last == all->rend() || *last != ours) std::abort();
  }
}

void check_command(std::string_view command) {
  const bool wanted = app::wants_java(std::nullopt, command, {});
  const std::string_view name = command.substr(command.find_last_of('/') + 1);
  if (app::wants_java(std::nullopt, "/opt/bin/" + std::string(name), {}) != wanted) std::abort();
  if (wanted && (name.empty() || !text::is_token(name))) std::abort();
  for (const bool asked : {false, true}) {
    if (app::wants_java(asked, command, {{"JAVA_HOME", "/java"}}) != asked) std::abort();
  }
  if (!app::wants_java(std::nullopt, command, {{"JAVA_HOME", "/java"}})) std::abort();
  if (app::wants_java(std::nullopt, command, {{"JAVA_HOME", ""}}) != wanted) std::abort();
}

void check_client(std::string_view command, std::string_view first_bytes) {
  const app::ClientKind kind = app::client_kind(command, first_bytes);
  const std::string elsewhere = "/opt/bin/" + std::string(command);
  if (app::client_kind(elsewhere, first_bytes) != kind) std::abort();
  const app::ClientKind named = app::client_kind(command, "");
  if (named != app::ClientKind::kUnknown && named != kind) std::abort();
  if (named != app::ClientKind::kJava && app::wants_java({}, command, {})) std::abort();
  if (app::proxy_advice(kind).empty() || app::trust_advice(kind).empty()) std::abort();
  // Of a script the first line alone counts.
  const std::string script = "#!" + std::string(first_bytes);
  const std::string line = script.substr(0, script.find('\n'));
  if (app::client_kind(command, script) != app::client_kind(command, line)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // A variable of the environment has no NUL in it.
  std::optional<std::string_view> rest = input.substr(0, input.find('\0'));
  const std::string_view host = text::split_first(rest, '\n');
  check_second_proxy(host, rest.value_or(""));
  check_java(rest.value_or(""));
  check_options_before(rest.value_or(""));
  check_command(host);
  check_client(host, rest.value_or(""));
  return 0;
}
