#include "semconv/forwarded.h"

#include <algorithm>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kTextMax = 255;  // as a name in DNS

// What may stand in an address, a name or an obfuscated identifier, with a port.
bool is_plain(std::string_view text) {
  constexpr std::string_view kPunctuation = ".:-_[]%";
  return text.size() <= kTextMax && std::ranges::all_of(text, [&](char c) {
           return text::is_alpha(c) || text::is_digit(c) || kPunctuation.contains(c);
         });
}

std::string_view plain(std::string_view text) {
  return is_plain(text) ? text : std::string_view();
}

// "192.0.2.1:80", "[2001:db8::1]:80" and "2001:db8::1" without port and brackets.
std::string_view without_port(std::string_view node) {
  if (node.starts_with('[')) {
    const size_t end = node.find(']');
    return end == std::string_view::npos ? std::string_view() : node.substr(1, end - 1);
  }
  const bool one_colon = std::ranges::count(node, ':') == 1;
  return one_colon ? node.substr(0, node.find(':')) : node;
}

std::string_view client_of(std::string_view node) {
  const std::string_view client = without_port(plain(node));
  return text::equal_ignoring_case(client, "unknown") ? std::string_view() : client;
}

// A quoted text with an escape in it is none that we want.
std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// Its first element: "for=192.0.2.1;proto=https;host=example.com".
Forwarded read_element(std::string_view element) {
  Forwarded found;
  std::optional<std::string_view> rest = element;
  while (rest) {
    const std::string_view pair = text::trim(text::split_first(rest, ';'));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = unquoted(pair.substr(equals + 1));
    if (text::equal_ignoring_case(name, "for")) found.client = client_of(value);
    if (text::equal_ignoring_case(name, "host")) found.host = plain(value);
    if (text::equal_ignoring_case(name, "proto")) found.scheme = plain(value);
  }
  return found;
}

std::string_view first_of(const http::Headers& headers, std::string_view name) {
  const std::string_view value = headers.find(name).value_or("");
  return text::trim(value.substr(0, value.find(',')));
}

}  // namespace

Forwarded read_forwarded(const http::Headers& headers) {
  Forwarded found = read_element(first_of(headers, "forwarded"));
  if (found.client.empty()) found.client = client_of(first_of(headers, "x-forwarded-for"));
  if (found.host.empty()) found.host = plain(first_of(headers, "x-forwarded-host"));
  if (found.scheme.empty()) found.scheme = plain(first_of(headers, "x-forwarded-proto"));
  return found;
}

}  // namespace sidespan::semconv
