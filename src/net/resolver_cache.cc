#include "resolver_cache.h"

#include <algorithm>
#include <utility>

namespace sidespan::net {

Resolver::Addresses interleave(std::span<const Address> addresses, size_t addresses_max) {
  Resolver::Addresses leading;
  Resolver::Addresses other;
  for (const Address& address : addresses) {
    auto& family = address.family() == addresses.front().family() ? leading : other;
    const bool known = std::ranges::find(family, address) != family.end();
    if (!known && family.size() < addresses_max) family.push_back(address);
  }
  Resolver::Addresses out;
  const size_t rounds = std::max(leading.size(), other.size());
  for (size_t i = 0; i < rounds; ++i) {
    if (i < leading.size()) out.push_back(leading[i]);
    if (i < other.size()) out.push_back(other[i]);
  }
  if (out.size() > addresses_max) out.resize(addresses_max);
  return out;
}

const ResolverCache::Answer* ResolverCache::find(std::string_view host, MonoTime now) {
  const auto found = by_host_.find(host);
  if (found == by_host_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->expires <= now) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->answer;
}

void ResolverCache::put(std::string_view host, Answer answer, MonoTime expires) {
  if (entries_max_ == 0 || (!answer && answer.error().retryable)) return;
  if (const auto found = by_host_.find(host); found != by_host_.end()) erase(found->second);
  while (entries_.size() >= entries_max_) erase(std::prev(entries_.end()));
  entries_.push_front({std::string(host), std::move(answer), expires});
  by_host_.emplace(entries_.front().host, entries_.begin());
}

void ResolverCache::erase(Entries::iterator entry) {
  by_host_.erase(entry->host);
  entries_.erase(entry);
}

}  // namespace sidespan::net
