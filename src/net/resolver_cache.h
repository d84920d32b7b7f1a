// What Resolver remembers, and the order in which addresses are tried. Pure: the time is given.
#pragma once

#include <list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sidespan/base/clock.h"
#include "sidespan/net/resolver.h"

namespace sidespan::net {

// RFC 8305 section 4: families alternate, the family of the first address leads, the order within a
// family stays. Repeated addresses are left out, and all beyond `addresses_max`.
Resolver::Addresses interleave(std::span<const Address> addresses, size_t addresses_max);

// Answers by name, and that it has none; the least recently used goes first. A name server that
// does not answer, or a system that has no descriptor left, says nothing of the name: that is not
// kept, not even for a moment, since whoever waits for a name at the same time shares a lookup.
class ResolverCache {
 public:
  using Answer = Result<Resolver::Addresses>;

  explicit ResolverCache(size_t entries_max) : entries_max_(entries_max) {}

  // Null when not known (any more). Valid until the next call.
  const Answer* find(std::string_view host, MonoTime now);
  void put(std::string_view host, Answer answer, MonoTime expires);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string host;
    Answer answer;
    MonoTime expires;
  };
  using Entries = std::list<Entry>;

  void erase(Entries::iterator entry);

  size_t entries_max_;
  Entries entries_;                                                  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_host_;  // views into entries_
};

}  // namespace sidespan::net
