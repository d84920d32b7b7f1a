// A host, and behind a line's end a NO_PROXY: a name's case and final dot do not matter, an entry
// more never leads through the second proxy what went past it, and a JVM reads of what it is given
// the words that were meant.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/java.h"
#include "sidespan/base/text.h"
#include "sidespan/wire/second_proxy.h"

using namespace sidespan;

namespace {

void check_second_proxy(std::string_view host, std::string_view no_proxy) {
  wire::SecondProxy proxy{.host = "proxy.test", .port = 3128, .authorization = {}, .except = {}};
  const bool alone = proxy.leads_to(host);
  bool before = alone;
  for (const std::string_view member : text::list_members(no_proxy)) {
    proxy.except.emplace_back(member);
    const bool leads = proxy.leads_to(host);
    if (leads && !before) std::abort();
    before = leads;
  }
  const std::string other = text::lower(text::without_root_dot(host)) + ".";
  if (proxy.leads_to(other) != before) std::abort();
  std::ranges::reverse(proxy.except);
  if (proxy.leads_to(host) != before) std::abort();
  proxy.except = {"*"};
  if (proxy.leads_to(host)) std::abort();
  proxy.except = {std::string(text::without_root_dot(host))};
  const bool is_name = text::is_token(host) && !text::without_root_dot(host).starts_with('.') &&
                       !host.contains('*') && !text::without_root_dot(host).empty();
  if (is_name && proxy.leads_to(host)) std::abort();
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
  if (app::java_tool_options(options, proxy) != options) std::abort();
  const auto words = words_of(options);
  if (!words || words->size() != 7) std::abort();
  if ((*words)[4] != "-Dhttp.nonProxyHosts=" + hosts) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // A variable of the environment has no NUL in it.
  std::optional<std::string_view> rest = input.substr(0, input.find('\0'));
  const std::string_view host = text::split_first(rest, '\n');
  check_second_proxy(host, rest.value_or(""));
  check_java(rest.value_or(""));
  return 0;
}
