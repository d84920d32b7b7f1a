// The inside of Pool. pool.cc keeps connections: idle, shared, doomed; pool_entry.cc is one of them
// with its streams; pool_dial.cc is who waits for a new one; pool_site.cc is the line of those, and
// how many connections there are to an origin.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sidespan/base/slot_map.h"
#include "sidespan/base/spare_allocator.h"
#include "sidespan/net/timer.h"
#include "sidespan/wire/connection.h"
#include "sidespan/wire/pool.h"

namespace sidespan::wire {

struct PoolKeyHash {
  size_t operator()(const PoolKey& key) const {
    return std::hash<std::string>()(key.host) ^ (size_t{key.port} << 1U) ^
           std::hash<uint64_t>()(key.pinned_to);
  }
};

// What connections by different keys have in common where they go to the same server.
struct SiteName {
  std::string host;
  uint16_t port = 0;
  // What an agent's server asks of itself while it serves must not wait for that to end.
  bool own = false;

  bool operator==(const SiteName&) const = default;
};

struct SiteNameHash {
  size_t operator()(const SiteName& name) const {
    return std::hash<std::string>()(name.host) ^ (size_t{name.port} << 1U);
  }
};

struct Pool::Impl final : net::TurnEnd {
  class Entry;
  class Dial;
  class Securing;
  using Site = OriginPlace::Site;
  using Origins = std::unordered_map<PoolKey, Origin, PoolKeyHash>;

  Impl(net::Loop& l, Dialer& d, Options o);
  ~Impl();

  SlotId add(const PoolKey& key, Dialled dialled, OriginPlace place);
  OriginStreamPtr acquire(Origin& origin, OriginStreamOwner& owner, bool repeatable);
  // The same, whoever waits. `fresh`: HTTP/1 by a connection that was used will not do.
  OriginStreamPtr open_one(Origin& origin, OriginStreamOwner& owner, bool fresh, bool repeatable);
  OriginStreamPtr open(Entry& entry, OriginStreamOwner& owner);
  // The newest that may still be used; null where there is none.
  Entry* find_idle(Origin& origin, bool repeatable);
  void release(Entry& entry);
  void share(Entry& entry);
  void unshare(Entry& entry);
  void put_idle(Entry& entry);
  void evict_from(const Origin& latest);
  // Forgets it now, destroys it at the end of the turn: it may be the caller.
  void doom(Entry& entry);
  void destroy(Entry& entry);
  void forget_unused(Origins::value_type& origin);
  // `visit(origin)` for each that has connections, which may be few of those that are known.
  template <class Visit>
  void visit_connected(Visit&& visit) const;
  void drop_idle(Entry& entry);
  void sweep();

  // pool_dial.cc
  bool is_dialling(const Site& site, const PoolKey& key) const;
  void remember(const PoolKey& key, bool h2);
  // An attempt to speak with the origin came to nothing. Who waits for it is told the same where it
  // was late, since he waited as long, or was ended by us; else each goes on by himself.
  void lose_attempt(Site& site, const PoolKey& key, const Error& error);
  Milliseconds attempt_time_max(const PoolKey& key) const;
  // Whether somebody was served, or began to dial.
  bool serve_first(Site& site);

  // pool_site.cc
  Site& site_of(const PoolKey& key);
  // Something of it may have become free: who waits for it may join, or goes on by himself, at the
  // end of the turn.
  void look_after(Site& site);
  void serve_waiting(Site& site);
  // None where all are taken.
  OriginPlace take_place(Site& site);
  // Whether an idle connection was closed for another one to come.
  bool make_place(Site& site);
  // The idle one that is missed least, of the site's and `other`; null where none may go.
  Entry* least_missed(const Site& site, Entry* other) const;
  // Of the connections that are shared by `key`'s neighbours, one that takes no more streams from
  // now on, so that it may end; none where there is none.
  std::optional<SlotId> retire(Site& site, const PoolKey& key);
  void forget_unused(Site& site);
  void on_turn_end() override;

  net::Loop& loop;
  Dialer& dialer;
  Options options;
  std::unordered_map<SiteName, std::unique_ptr<Site>, SiteNameHash> sites;
  Origins origins;
  SlotMap<Entry> entries;
  size_t idle_count = 0;
  std::vector<SlotId> doomed;
  std::vector<Site*> changed;  // in this turn
  std::unordered_set<PoolKey, PoolKeyHash>
      h2_origins;  // that spoke HTTP/2 when they were asked last
  net::Timer sweeper;
  metrics::Counter refused;
  bool draining = false;
};

// What one key of an origin has; kept while it has any connection, or somebody asks again.
struct Pool::Origin {
  explicit Origin(Impl& of) : pool(of) {}

  Impl& pool;
  std::vector<Impl::Entry*> idle = {};    // newest last
  std::vector<Impl::Entry*> shared = {};  // HTTP/2, with streams, and takes more
  size_t connections = 0;
  size_t known = 0;            // by so many
  Impl::Site* site = nullptr;  // while there are connections
};

// One server with all its connections, and who waits for one; kept while there are any of those.
struct OriginPlace::Site {
  Pool::Impl& pool;
  const SiteName name;
  std::vector<Pool::Impl::Origins::value_type*> origins = {};
  std::vector<Pool::Impl::Dial*> dials = {};  // in order of coming: under way, or waiting
  size_t taken = 0;                           // places
  size_t waiting = 0;    // of `dials`, those for a place or whatever is free first
  bool changed = false;  // is among the pool's
  bool serving = false;
};

template <class Visit>
void Pool::Impl::visit_connected(Visit&& visit) const {
  for (const auto& [name, site] : sites) {
    for (const Origins::value_type* const origin : site->origins) visit(origin->second);
  }
}

// One origin connection, with the streams that use it. HTTP/1 has one at a time, which is part of
// this; those of HTTP/2 are made and go.
class Pool::Impl::Entry final : public ConnectionOwner {
 public:
  class Stream;

  Entry(Impl& pool, SlotId id, Origins::value_type& origin, std::unique_ptr<http::Codec> codec,
        Dialled dialled, OriginPlace place);
  ~Entry();

  // Null where the connection takes no stream (now, or any more).
  OriginStreamPtr open(OriginStreamOwner& owner);
  void release(Stream& stream);
  bool busy() const { return streams_ > 0; }
  // Idle, and nothing has come that ends it. What belongs to the connection alone may come in more
  // than one piece: TLS tickets, then SETTINGS, just as somebody asks.
  bool is_quiet() {
    constexpr int kReadsMax = 8;
    for (int reads = 0; !connection_.is_quiet(); ++reads) {
      if (reads == kReadsMax || !connection_.catch_up()) return false;
      if (doomed_ || !connection_.codec().reusable()) return false;
    }
    return true;
  }
  bool h2() const { return h2_; }
  Secured secured() const { return {connection_.peer(), connection_.tls()->peer(), false, h2()}; }

  void wake(Connection&) override;
  size_t room(const Connection& connection) const override;
  bool reads_on() const override { return true; }

  Impl& pool_;
  const SlotId id_;
  Origins::value_type& origin_;
  DialPhases phases_;
  OriginPlace place_;
  Connection connection_;
  Chain early_;  // said before there was a stream; only a tunnel has a use for it
  MonoTime idle_until_{};
  MonoTime idle_since_{};
  uint32_t streams_ = 0;  // under way
  uint32_t opened_ = 0;   // so far
  const bool h2_;
  bool idle_ = false;
  bool may_say_more_ = false;  // what nobody asked for, after its last answer
  bool shared_ = false;        // busy, and takes more
  bool told_closed_ = false;
  bool learned_ = false;
  bool doomed_ = false;
  bool parked_ = false;  // idle before its first request

 private:
  Stream* find(http::StreamId id);
  // What the origin speaks, once it has shown that.
  void learn();
  void explain(http::Reset& reset) const;

  std::unique_ptr<Stream> only_;  // of HTTP/1; made once
  using StreamPtr = std::unique_ptr<Stream>;
  std::unordered_map<http::StreamId, StreamPtr, std::hash<http::StreamId>, std::equal_to<>,
                     SpareAllocator<std::pair<const http::StreamId, StreamPtr>, 128>>
      more_;
};

}  // namespace sidespan::wire
