#include "host_name.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::tls {
namespace {

constexpr size_t kNameCharactersMax = 253;
constexpr size_t kLabelCharactersMax = 63;

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= kLabelCharactersMax &&
         std::ranges::all_of(text, [](char c) {
           return text::is_alpha(c) || text::is_digit(c) || c == '-' || c == '_';
         });
}

}  // namespace

bool is_dns_name(std::string_view text) {
  if (text.size() > kNameCharactersMax) return false;
  std::optional<std::string_view> rest = text;
  while (rest) {
    if (!is_label(text::split_first(rest, '.'))) return false;
  }
  return true;
}

std::string ip_octets(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated string
  std::array<char, sizeof(in6_addr)> octets{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return {};
  std::ranges::copy(text, copy.begin());
  if (inet_pton(AF_INET, copy.data(), octets.data()) == 1) return {octets.data(), sizeof(in_addr)};
  if (inet_pton(AF_INET6, copy.data(), octets.data()) == 1) return {octets.data(), octets.size()};
  return {};
}

std::string ip_text(std::string_view octets) {
  const bool v4 = octets.size() == sizeof(in_addr);
  if (!v4 && octets.size() != sizeof(in6_addr)) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(v4 ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

std::string ip_range(std::string_view text) {
  const size_t slash = text.find('/');
  std::string range = ip_octets(text.substr(0, slash));
  const size_t size = range.size();
  const std::optional<uint64_t> bits = slash == std::string_view::npos
                                           ? 8 * size
                                           : text::parse_unsigned(text.substr(slash + 1), 8 * size);
  if (size == 0 || !bits) return {};
  for (size_t i = 0; i < size; ++i) {
    const uint64_t of_this = std::min<uint64_t>(8, *bits - std::min<uint64_t>(*bits, 8 * i));
    const auto mask = static_cast<unsigned char>(0xFF00U >> of_this);
    range[i] = static_cast<char>(range[i] & mask);
    range.push_back(static_cast<char>(mask));
  }
  return range;
}

std::optional<HostName> parse_host_name(std::string_view text) {
  HostName name{text::lower(text), ip_octets(text)};
  if (!name.octets.empty()) return name;
  if (!is_dns_name(text)) return std::nullopt;
  const std::string_view last_label = text.substr(text.rfind('.') + 1);
  if (std::ranges::all_of(last_label, text::is_digit)) return std::nullopt;
  return name;
}

}  // namespace sidespan::tls
