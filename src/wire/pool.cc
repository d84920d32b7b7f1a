#include "sidespan/wire/pool.h"

#include <algorithm>
#include <utility>

#include "pool_impl.h"
#include "sidespan/base/text.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::wire {
namespace {

constexpr Milliseconds kSweepInterval{1000};
// An origin that says "timeout=5" counts from when it sent the answer; we leave before it does.
constexpr Milliseconds kLeaveEarly{500};
// What became idle less than this ago had nothing to read a moment ago. Later, and above all when
// this process was held up, a FIN or bytes that nobody asked for may wait behind the agent's
// request in one and the same turn: the socket itself is asked. So it is from the beginning where a
// FIN would cost the request, or the origin may send the body of what has none.
constexpr Milliseconds kLookedAt{1};

std::unique_ptr<http::Codec> codec_for(const PoolKey& key, const Dialled& dialled,
                                       const http::CodecLimits& limits) {
  const bool agreed = dialled.engine && dialled.engine->alpn() == http::kH2Alpn;
  const bool known = key.h2 && !key.secure;
  if (agreed || known) return http::make_h2_client(limits, key.secure ? "https" : "http");
  return http::make_h1_client(limits);
}

}  // namespace

Pool::Impl::Impl(net::Loop& l, Dialer& d, Options o)
    : loop(l), dialer(d), options(o), sweeper(l, [this] { sweep(); }) {}

Pool::Impl::~Impl() {
  loop.cancel_turn_end(*this);
}

SlotId Pool::Impl::add(const PoolKey& key, Dialled dialled, OriginPlace place) {
  Origins::value_type& origin = *origins.try_emplace(key, *this).first;
  if (++origin.second.connections == 1) {
    origin.second.site = &site_of(key);
    origin.second.site->origins.push_back(&origin);
  }
  std::unique_ptr<http::Codec> codec = codec_for(key, dialled, options.codec);
  return entries.emplace([&](SlotId id) {
    return std::make_unique<Entry>(*this, id, origin, std::move(codec), std::move(dialled),
                                   std::move(place));
  });
}

OriginStreamPtr Pool::Impl::acquire(Origin& origin, OriginStreamOwner& owner, bool repeatable) {
  if (origin.connections == 0) return nullptr;
  // They came before.
  if (origin.site->waiting > 0) return nullptr;
  return open_one(origin, owner, false, repeatable);
}

OriginStreamPtr Pool::Impl::open_one(Origin& origin, OriginStreamOwner& owner, bool fresh,
                                     bool repeatable) {
  for (Entry* const entry : origin.shared) {
    if (OriginStreamPtr stream = entry->open(owner)) return stream;
  }
  Entry* entry = find_idle(origin, repeatable);
  if (entry == nullptr || (fresh && !entry->h2() && entry->opened_ > 0)) return nullptr;
  return open(*entry, owner);
}

// Null where the connection takes no stream after all.
OriginStreamPtr Pool::Impl::open(Entry& entry, OriginStreamOwner& owner) {
  drop_idle(entry);
  OriginStreamPtr stream = entry.open(owner);
  if (!stream) {
    doom(entry);
  } else if (entry.h2()) {
    share(entry);
  }
  return stream;
}

void Pool::Impl::share(Entry& entry) {
  if (std::exchange(entry.shared_, true)) return;
  entry.origin_.second.shared.push_back(&entry);
}

void Pool::Impl::unshare(Entry& entry) {
  if (std::exchange(entry.shared_, false)) std::erase(entry.origin_.second.shared, &entry);
}

Pool::Impl::Entry* Pool::Impl::find_idle(Origin& origin, bool repeatable) {
  const MonoTime now = loop.now().mono;
  while (!origin.idle.empty()) {
    Entry& newest = *origin.idle.back();
    const bool looked_at =
        repeatable && !newest.may_say_more_ && now - newest.idle_since_ < kLookedAt;
    if (newest.idle_until_ > now && (looked_at || newest.is_quiet())) return &newest;
    doom(newest);
  }
  return nullptr;
}

void Pool::Impl::drop_idle(Entry& entry) {
  if (!std::exchange(entry.idle_, false)) return;
  --idle_count;
  std::vector<Entry*>& same = entry.origin_.second.idle;
  // What is taken most.
  if (same.back() == &entry) return same.pop_back();
  std::erase(same, &entry);
}

void Pool::Impl::release(Entry& entry) {
  if (entry.doomed_) return;
  // Who waits for it to take one stream more, or to say how many it takes.
  if (entry.h2()) look_after(*entry.origin_.second.site);
  if (entry.busy()) return;
  unshare(entry);
  const http::Codec& codec = entry.connection_.codec();
  // What was given up before it said a word may never say one.
  const bool clean = !entry.connection_.closed() && codec.reusable() && codec.greeted();
  // The last bytes of a tunnel, or of a request that was answered early, may still be on their way
  // to the origin.
  const bool left = !entry.h2() && entry.connection_.has_unsent();
  if (clean && !draining && !left) return put_idle(entry);
  const bool whole = clean || (codec.done() && !codec.ends_abruptly());
  if (whole && left) return entry.connection_.finish();
  doom(entry);
}

void Pool::Impl::put_idle(Entry& entry) {
  Milliseconds time = options.idle_time_max;
  const http::Codec::AtRest rest = entry.connection_.codec().at_rest();
  const std::optional<Milliseconds> asked = rest.keep_alive;
  if (asked && *asked - kLeaveEarly < time) time = *asked - kLeaveEarly;
  std::vector<Entry*>& same = entry.origin_.second.idle;
  if (time <= Milliseconds(0) || options.idle_per_origin_max == 0) return doom(entry);
  entry.idle_since_ = loop.now().mono;
  entry.may_say_more_ = rest.may_say_more;
  entry.idle_until_ = entry.idle_since_ + time;
  entry.idle_ = true;
  same.push_back(&entry);
  if (entry.origin_.second.site->waiting > 0) look_after(*entry.origin_.second.site);
  if (++idle_count > options.idle_max) evict_from(entry.origin_.second);
  if (!sweeper.active()) sweeper.start(kSweepInterval, true);
}

// Where one idles that is too much: whose connections are more than stay gives one of them up, the
// last to come if it is so itself. Else it is the longest idle of all.
void Pool::Impl::evict_from(const Origin& latest) {
  if (latest.idle.size() > options.idle_per_origin_max) {
    return doom(*latest.idle.front());
  }
  Entry* chosen = nullptr;
  std::pair<bool, MonoTime> least;  // within what stays, and idle since when
  visit_connected([&](const Origin& origin) {
    if (origin.idle.empty()) return;
    Entry* const first = origin.idle.front();
    const std::pair rank{origin.idle.size() <= options.idle_per_origin_max, first->idle_since_};
    if (chosen != nullptr && rank >= least) return;
    chosen = first;
    least = rank;
  });
  if (chosen != nullptr) doom(*chosen);
}

void Pool::Impl::doom(Entry& entry) {
  if (std::exchange(entry.doomed_, true)) return;
  drop_idle(entry);
  unshare(entry);
  doomed.push_back(entry.id_);
  loop.at_turn_end(*this);
}

void Pool::Impl::destroy(Entry& entry) {
  Origins::value_type& origin = entry.origin_;
  Site& site = *origin.second.site;
  drop_idle(entry);
  entries.erase(entry.id_);
  if (--origin.second.connections > 0) return;
  std::erase(site.origins, &origin);
  origin.second.site = nullptr;
  forget_unused(origin);
  forget_unused(site);
}

void Pool::Impl::forget_unused(Origins::value_type& origin) {
  if (origin.second.connections == 0 && origin.second.known == 0) origins.erase(origin.first);
}

// Of those that are too many to one origin, who was needed a moment ago may be so again: who has a
// hundred calls at a time lets go of all their connections within one turn, too.
void Pool::Impl::sweep() {
  const MonoTime now = loop.now().mono;
  std::vector<Entry*> expired;
  visit_connected([&](const Origin& origin) {
    const size_t most = options.idle_per_origin_max;
    size_t excess = origin.idle.size() - std::min(origin.idle.size(), most);
    // Of those that were spoken for some may be closed for others by now.
    if (origin.site->waiting > 0) look_after(*origin.site);
    for (Entry* const entry : origin.idle) {
      const bool over = excess > 0 && entry->idle_since_ + kSweepInterval <= now;
      if (over) --excess;
      if (over || entry->idle_until_ <= now) expired.push_back(entry);
    }
  });
  for (Entry* entry : expired) doom(*entry);
  if (idle_count > 0) sweeper.start(kSweepInterval, true);
}

// First what goes, which makes place.
void Pool::Impl::on_turn_end() {
  for (const SlotId id : std::exchange(doomed, {})) destroy(*entries.find(id));
  for (Site* const site : std::exchange(changed, {})) serve_waiting(*site);
}

Pool::Pool(net::Loop& loop, Dialer& dialer, Options options)
    : impl_(std::make_unique<Impl>(loop, dialer, options)) {}

Pool::~Pool() = default;

Pool::Known::~Known() {
  if (origin_ == nullptr) return;
  --origin_->second.known;
  origin_->second.pool.forget_unused(*origin_);
}

OriginStreamPtr Pool::acquire(const PoolKey& key, OriginStreamOwner& owner, bool repeatable) {
  const auto origin = impl_->origins.find(key);
  if (origin == impl_->origins.end()) return nullptr;
  return impl_->acquire(origin->second, owner, repeatable);
}

OriginStreamPtr Pool::acquire(const PoolKey& key, Known& known, OriginStreamOwner& owner,
                              bool repeatable) {
  if (known.origin_ == nullptr) {
    known.origin_ = &*impl_->origins.try_emplace(key, *impl_).first;
    ++known.origin_->second.known;
  }
  return impl_->acquire(known.origin_->second, owner, repeatable);
}

std::optional<Pool::Secured> Pool::secured(const PoolKey& key) {
  const auto origin = impl_->origins.find(key);
  if (origin == impl_->origins.end()) return std::nullopt;
  for (const Impl::Entry* const entry : origin->second.shared) {
    if (entry->connection_.codec().reusable()) return entry->secured();
  }
  const Impl::Entry* entry = impl_->find_idle(origin->second, false);
  if (entry == nullptr) return std::nullopt;
  return entry->secured();
}

std::string PoolKey::verified_name() const {
  return std::string(text::without_root_dot(server_name.empty() ? host : server_name));
}

tls::ClientTarget PoolKey::tls_target() const {
  tls::ClientTarget target{
      .host = verified_name(), .port = port, .certificate = certificate, .tls13 = tls13};
  if (h2) target.alpn.emplace_back(http::kH2Alpn);
  target.alpn.emplace_back(http::kH1Alpn);
  return target;
}

const metrics::Counter& Pool::refused() const {
  return impl_->refused;
}

size_t Pool::idle() const {
  return impl_->idle_count;
}

size_t Pool::busy() const {
  return impl_->entries.size() - impl_->idle_count - impl_->doomed.size();
}

std::vector<Pool::Leftover> Pool::leftovers() const {
  std::vector<Leftover> found;
  impl_->entries.for_each([&](SlotId id, const Impl::Entry& entry) {
    const bool over = !entry.busy() && !entry.idle_ && !entry.doomed_;
    if (over) found.push_back({id, entry.connection_.held()});
  });
  return found;
}

void Pool::reset(SlotId leftover) {
  Impl::Entry* entry = impl_->entries.find(leftover);
  if (entry == nullptr) return;
  entry->connection_.abort();
  impl_->doom(*entry);
}

bool Pool::close_idle() {
  if (impl_->idle_count == 0) return false;
  Impl::Entry* chosen = nullptr;
  for (const auto& [name, site] : impl_->sites) chosen = impl_->least_missed(*site, chosen);
  if (chosen != nullptr) impl_->destroy(*chosen);
  return chosen != nullptr;
}

void Pool::drain() {
  impl_->draining = true;
  std::vector<Impl::Entry*> all;
  for (const auto& [key, origin] : impl_->origins) {
    all.insert(all.end(), origin.idle.begin(), origin.idle.end());
  }
  for (Impl::Entry* const entry : all) impl_->doom(*entry);
}

}  // namespace sidespan::wire
