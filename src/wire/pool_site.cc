// How many connections one origin has, and who gets the next. All of them count, by whatever key:
// it is the server that has to bear them. Those that are pinned to an agent's connection (NTLM,
// Negotiate) count like all others, in use or idle, since nobody else can be served by them.
#include <algorithm>
#include <utility>

#include "pool_impl.h"

namespace sidespan::wire {
namespace {

// The next request of a login that is bound to its connection, or the first of the tunnel that the
// connection was made for, comes at once. Without it a login begins anew, and might for ever.
constexpr Milliseconds kSpokenFor{1000};

}  // namespace

OriginPlace::OriginPlace(Site& site) : site_(&site) {
  ++site.taken;
}

OriginPlace::~OriginPlace() {
  if (site_ == nullptr) return;
  --site_->taken;
  site_->pool.look_after(*site_);
  site_->pool.forget_unused(*site_);
}

Pool::Impl::Site& Pool::Impl::site_of(const PoolKey& key) {
  const SiteName name{key.host, key.port, key.own};
  std::unique_ptr<Site>& site = sites[name];
  if (!site) site.reset(new Site{*this, name});
  return *site;
}

void Pool::Impl::look_after(Site& site) {
  if (site.dials.empty()) return;
  if (!std::exchange(site.changed, true)) changed.push_back(&site);
  // Behind the connections: a stream that was reset is there until that is written.
  loop.cancel_turn_end(*this);
  loop.at_turn_end(*this);
}

void Pool::Impl::serve_waiting(Site& site) {
  site.changed = false;
  site.serving = true;
  // Whoever is served may end others, or bring some: from the first again.
  while (serve_first(site)) {
  }
  site.serving = false;
  forget_unused(site);
}

OriginPlace Pool::Impl::take_place(Site& site) {
  if (site.taken >= options.connections_per_origin_max) return {};
  return OriginPlace(site);
}

bool Pool::Impl::make_place(Site& site) {
  Entry* const chosen = least_missed(site, nullptr);
  if (chosen == nullptr) return false;
  destroy(*chosen);
  return true;
}

// The longest idle; last, those that somebody may come back for.
Pool::Impl::Entry* Pool::Impl::least_missed(const Site& site, Entry* other) const {
  const MonoTime now = loop.now().mono;
  const auto rank_of = [](const Entry& entry) {
    const bool spoken_for = entry.origin_.first.pinned_to != 0 || entry.opened_ == 0;
    return std::pair(spoken_for, entry.idle_since_);
  };
  Entry* chosen = other;
  for (const auto* origin : site.origins) {
    for (Entry* const entry : origin->second.idle) {
      const auto rank = rank_of(*entry);
      const bool too_soon = rank.first && now - entry->idle_since_ < kSpokenFor;
      if (too_soon || (chosen != nullptr && rank >= rank_of(*chosen))) continue;
      chosen = entry;
    }
  }
  return chosen;
}

// The one with the fewest.
std::optional<SlotId> Pool::Impl::retire(Site& site, const PoolKey& key) {
  Entry* chosen = nullptr;
  for (const auto* origin : site.origins) {
    if (origin->first == key) continue;
    for (Entry* const entry : origin->second.shared) {
      if (chosen == nullptr || entry->streams_ < chosen->streams_) chosen = entry;
    }
  }
  if (chosen == nullptr) return std::nullopt;
  unshare(*chosen);
  return chosen->id_;
}

void Pool::Impl::forget_unused(Site& site) {
  const bool used = site.taken > 0 || !site.dials.empty() || !site.origins.empty();
  if (used || site.changed || site.serving) return;
  sites.erase(site.name);
}

}  // namespace sidespan::wire
