#include "app/authority_scope.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "sidespan/base/text.h"
#include "sidespan/net/address.h"

namespace sidespan::app {
namespace {

// A name that a constraint can say; it permits what is below it, too.
std::optional<std::string> constraint_of(std::string_view entry) {
  if (entry.starts_with("*.")) entry.remove_prefix(2);
  const std::string name = text::lower(text::without_root_dot(entry));
  const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
    return text::is_alpha(c) || text::is_digit(c) || c == '.' || c == '-' || c == '_';
  });
  // The words of patterns that are no names.
  const bool word = name == "link-local" || name == "metadata";
  return plain && !word ? std::optional(name) : std::nullopt;
}

void make_canonical(std::vector<std::string>& list) {
  std::ranges::sort(list);
  const auto repeated = std::ranges::unique(list);
  list.erase(repeated.begin(), repeated.end());
}

// FNV-1a: the same in every build, since it names a directory.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string listed(const tls::Scope& scope) {
  std::string text;
  for (const auto* list : {&scope.names, &scope.networks}) {
    for (const std::string& entry : *list) text.append(text.empty() ? "" : " ").append(entry);
  }
  return text;
}

}  // namespace

tls::Scope authority_scope(const TlsSettings& settings) {
  if (settings.interception.mode != proxy::Interception::Mode::kListed ||
      !settings.authority_certificate.empty()) {
    return {};
  }
  tls::Scope scope;
  for (const std::string& entry : settings.intercept_hosts) {
    if (net::Network::parse(entry)) {
      scope.networks.push_back(text::lower(entry));
    } else if (std::optional<std::string> name = constraint_of(entry)) {
      scope.names.push_back(*std::move(name));
    } else {
      return {};
    }
  }
  if (!scope.networks.empty()) scope.names.clear();
  make_canonical(scope.names);
  make_canonical(scope.networks);
  return scope;
}

std::string directory_of(const tls::Scope& scope) {
  if (!scope.limited()) return "";
  std::string name = "listed-";
  text::append_hex(name, hash_of(listed(scope)));
  return name;
}

std::string text_of(const tls::Scope& scope) {
  return scope.limited() ? listed(scope) : "any host";
}

}  // namespace sidespan::app
