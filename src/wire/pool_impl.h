// The inside of Pool. pool.cc keeps connections: idle, shared, doomed; pool_entry.cc is one of them
// with its streams; pool_dial.cc is who waits for a new one.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
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

struct Pool::Impl final : net::TurnEnd {
  class Entry;
  class Dial;
  class Securing;
  // What one origin has; kept while it has any connection.
  struct Origin {
    std::vector<SlotId> idle;    // newest last
    std::vector<SlotId> shared;  // HTTP/2, with streams, and takes more
    size_t connections = 0;
  };
  using Origins = std::unordered_map<PoolKey, Origin, PoolKeyHash>;

  Impl(net::Loop& l, Dialer& d, Options o);
  ~Impl();

  SlotId add(const PoolKey& key, Dialled dialled);
  OriginStreamPtr acquire(const PoolKey& key, OriginStreamOwner& owner);
  OriginStreamPtr open(Entry& entry, OriginStreamOwner& owner);
  // The newest that may still be used; null where there is none.
  Entry* find_idle(Origin& origin);
  void release(Entry& entry);
  void share(Entry& entry);
  void unshare(Entry& entry);
  void put_idle(Entry& entry);
  void evict_from(const Origin& latest);
  // Forgets it now, destroys it at the end of the turn: it may be the caller.
  void doom(Entry& entry);
  void drop_idle(Entry& entry);
  void sweep();

  // pool_dial.cc
  bool is_dialling(const PoolKey& key) const;
  void remember(const PoolKey& key, bool h2);
  // Who waits for the same key may join, or goes on by himself, at the end of the turn.
  void dial_ended(const PoolKey& key);
  void serve_waiting(const PoolKey& key);
  void on_turn_end() override;

  net::Loop& loop;
  Dialer& dialer;
  Options options;
  SlotMap<Entry> entries;
  Origins origins;
  size_t idle_count = 0;
  std::vector<SlotId> doomed;
  std::vector<Dial*> dials;    // under way, or waiting for one of the same key
  std::vector<PoolKey> ended;  // keys of dials that ended in this turn
  std::unordered_set<PoolKey, PoolKeyHash>
      h2_origins;  // that took HTTP/2 when they were asked last
  net::Timer sweeper;
  bool draining = false;
};

// One origin connection, with the streams that use it. HTTP/1 has one at a time, which is part of
// this; those of HTTP/2 are made and go.
class Pool::Impl::Entry final : public ConnectionOwner {
 public:
  class Stream;

  Entry(Impl& pool, SlotId id, Origins::value_type& origin, std::unique_ptr<http::Codec> codec,
        Dialled dialled);
  ~Entry();

  // Null where the connection takes no stream (now, or any more).
  OriginStreamPtr open(OriginStreamOwner& owner);
  void release(Stream& stream);
  bool busy() const { return streams_ > 0; }
  // Idle, and nothing has come that ends it.
  bool is_quiet() {
    if (connection_.is_quiet()) return true;
    connection_.catch_up();
    return !doomed_ && connection_.codec().reusable() && connection_.is_quiet();
  }
  bool h2() const { return connection_.codec().multiplexed(); }
  Secured secured() const { return {connection_.peer(), connection_.tls()->peer(), false, h2()}; }

  void wake(Connection&) override;

  Impl& pool_;
  const SlotId id_;
  Origins::value_type& origin_;
  DialPhases phases_;
  Connection connection_;
  Chain early_;  // said before there was a stream; only a tunnel has a use for it
  MonoTime idle_until_{};
  MonoTime idle_since_{};
  uint32_t streams_ = 0;  // under way
  uint32_t opened_ = 0;   // so far
  bool idle_ = false;
  bool shared_ = false;  // busy, and takes more
  bool told_closed_ = false;
  bool doomed_ = false;
  bool parked_ = false;  // idle before its first request

 private:
  Stream* find(http::StreamId id);
  void explain(http::Event& event) const;

  std::unique_ptr<Stream> only_;  // of HTTP/1; made once
  using StreamPtr = std::unique_ptr<Stream>;
  std::unordered_map<http::StreamId, StreamPtr, std::hash<http::StreamId>, std::equal_to<>,
                     SpareAllocator<std::pair<const http::StreamId, StreamPtr>, 128>>
      more_;
};

}  // namespace sidespan::wire
