#include "sidespan/wire/pool.h"

#include <algorithm>
#include <ranges>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sidespan/base/slot_map.h"
#include "sidespan/base/text.h"
#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"
#include "sidespan/net/timer.h"
#include "sidespan/wire/connection.h"

namespace sidespan::wire {
namespace {

constexpr Milliseconds kSweepInterval{1000};
// An origin that says "timeout=5" counts from when it sent the answer; we leave before it does.
constexpr Milliseconds kLeaveEarly{500};
// What became idle less than this ago had nothing to read a moment ago. Later, and above all when
// this process was held up, a FIN or bytes that nobody asked for may wait behind the agent's
// request in one and the same turn: the socket itself is asked.
constexpr Milliseconds kLookedAt{1};
// Keys that are known to lead to HTTP/2; who is forgotten is dialled by each who wants it.
constexpr size_t kH2OriginsMax = 1024;

std::unique_ptr<http::Codec> codec_for(const PoolKey& key, const Dialled& dialled,
                                       const http::CodecLimits& limits) {
  const bool agreed = dialled.engine && dialled.engine->alpn() == "h2";
  const bool known = key.h2 && !key.secure;
  if (agreed || known) return http::make_h2_client(limits, key.secure ? "https" : "http");
  return http::make_h1_client(limits);
}

struct KeyHash {
  size_t operator()(const PoolKey& key) const {
    return std::hash<std::string>()(key.host) ^ (size_t{key.port} << 1U) ^
           std::hash<uint64_t>()(key.pinned_to);
  }
};

}  // namespace

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
  using Origins = std::unordered_map<PoolKey, Origin, KeyHash>;

  Impl(Pool& p, net::Loop& l, Dialer& d, Options o);
  ~Impl();

  SlotId add(const PoolKey& key, Dialled dialled);
  OriginStreamPtr open(Entry& entry, OriginStreamOwner& owner);
  // The newest that may still be used; null where there is none.
  Entry* find_idle(Origin& origin);
  void release(Entry& entry);
  void share(Entry& entry);
  void unshare(Entry& entry);
  void put_idle(Entry& entry);
  void evict_longest_idle();
  // Forgets it now, destroys it at the end of the turn: it may be the caller.
  void doom(Entry& entry);
  void drop_idle(Entry& entry);
  void sweep();
  bool is_dialling(const PoolKey& key) const;
  void remember_h2(const PoolKey& key);
  // Who waits for the same key may join, or goes on by himself, at the end of the turn.
  void dial_ended(const PoolKey& key);
  void serve_waiting(const PoolKey& key);
  void on_turn_end() override;

  Pool& pool;
  net::Loop& loop;
  Dialer& dialer;
  Options options;
  SlotMap<Entry> entries;
  Origins origins;
  size_t idle_count = 0;
  std::vector<SlotId> doomed;
  std::vector<Dial*> dials;                         // under way, or waiting for one of the same key
  std::vector<PoolKey> ended;                       // keys of dials that ended in this turn
  std::unordered_set<PoolKey, KeyHash> h2_origins;  // that took HTTP/2 when they were asked last
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
  OriginStreamPtr open(OriginStreamOwner& owner, bool was_idle);
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
  std::unordered_map<http::StreamId, std::unique_ptr<Stream>> more_;
};

class Pool::Impl::Entry::Stream final : public OriginStream {
 public:
  explicit Stream(Entry& entry) : entry_(entry) {}

  size_t send(http::Event&& event) override {
    event.stream = id_;
    return entry_.connection_.send(std::move(event));
  }
  size_t send_head(const http::Head& head) override {
    return entry_.connection_.send_head(id_, head);
  }
  size_t queued() const override { return entry_.connection_.queued(id_); }
  void consumed(size_t n) override { entry_.connection_.consumed(id_, n); }
  void tunnel() override {
    entry_.connection_.tunnel(id_);
    if (!entry_.early_.empty()) entry_.connection_.read_early(std::exchange(entry_.early_, {}));
  }
  void resume_http() override {
    entry_.connection_.resume_http(id_, {});
    --entry_.opened_;  // none that counts
  }
  void half_close() override { entry_.connection_.half_close(id_); }
  bool reused() const override { return reused_; }
  const net::Address& peer() const override { return entry_.connection_.peer(); }
  const DialPhases& phases() const override {
    static constexpr DialPhases kNone;
    return number_ > 1 ? kNone : entry_.phases_;
  }
  std::string_view protocol() const override { return entry_.h2() ? "2" : "1.1"; }
  const tls::Engine* tls() const override { return entry_.connection_.tls(); }
  void release() override { entry_.release(*this); }
  Dialled detach() override {
    return {.stream = entry_.connection_.detach(), .phases = entry_.phases_};
  }

  Entry& entry_;
  OriginStreamOwner* owner_ = nullptr;
  http::StreamId id_ = 0;
  uint32_t number_ = 0;  // among those of the connection, from 1
  bool reused_ = false;
};

// A caller that waits for a connection to be dialled. Where HTTP/2 may come of it, whoever waits
// for the same shares the first that does, and where it is known to, only one dials.
class Pool::Impl::Dial final : public Waiting {
 public:
  Dial(Impl& pool, const PoolKey& key, OriginStreamOwner& owner, OnDialled done)
      : pool_(pool), key_(key), owner_(owner), done_(std::move(done)) {
    const bool waits = key.h2 && pool.h2_origins.contains(key) && pool.is_dialling(key);
    pool.dials.push_back(this);
    if (!waits) start();
  }
  ~Dial() override {
    if (done_) end();
  }

  const PoolKey& key() const { return key_; }
  bool running() const { return attempt_ != nullptr; }
  void start() {
    auto then = [this](Result<Dialled> result) { on_dialled(std::move(result)); };
    attempt_ = key_.through ? pool_.dialer.dial_through(key_.host, key_.port, std::move(then))
                            : pool_.dialer.dial(key_.host, key_.port, std::move(then));
  }
  // Whether somebody else's connection takes it. It may be gone then.
  bool join(Pool& pool) {
    OriginStreamPtr stream = pool.acquire(key_, owner_);
    if (!stream) return false;
    attempt_.reset();
    std::erase(pool_.dials, this);
    OnDialled done = std::exchange(done_, nullptr);
    done(std::move(stream));
    return true;
  }

 private:
  void on_dialled(Result<Dialled> result) {
    if (result && key_.secure && !result->early.empty()) {
      result = fail(Code::kTlsFailure, Side::kOrigin, key_.host + " speaks before TLS does");
    }
    if (result && key_.secure && !result->engine) {
      attempt_ =
          pool_.dialer.secure(*std::move(result), key_.tls_target(),
                              [this](Result<Dialled> secured) { on_dialled(std::move(secured)); });
      return;
    }
    OnDialled done = std::exchange(done_, nullptr);
    Result<OriginStreamPtr> stream = open(std::move(result));
    end();
    done(std::move(stream));
  }

  Result<OriginStreamPtr> open(Result<Dialled> result) {
    if (!result) pool_.h2_origins.erase(key_);
    if (!result) return std::unexpected(std::move(result).error());
    Entry& entry = *pool_.entries.find(pool_.add(key_, std::move(*result)));
    entry.h2() ? pool_.remember_h2(key_) : void(pool_.h2_origins.erase(key_));
    OriginStreamPtr stream = pool_.open(entry, owner_);
    if (stream) return stream;
    return fail(Code::kConnectionClosed, Side::kOrigin,
                key_.host + " ended the connection as soon as it was made");
  }

  void end() {
    std::erase(pool_.dials, this);
    if (key_.h2) pool_.dial_ended(key_);
  }

  Impl& pool_;
  const PoolKey key_;
  OriginStreamOwner& owner_;
  OnDialled done_;  // null: over
  std::unique_ptr<Dialer::Attempt> attempt_;
};

// A tunnel's connection on which TLS is spoken before it serves requests.
class Pool::Impl::Securing final : public Waiting {
 public:
  Securing(Impl& pool, const PoolKey& key, Dialled dialled, OnSecured done)
      : pool_(pool), key_(key), done_(std::move(done)) {
    attempt_ =
        pool.dialer.secure(std::move(dialled), key.tls_target(),
                           [this](Result<Dialled> result) { on_secured(std::move(result)); });
  }

 private:
  void on_secured(Result<Dialled> result) {
    OnSecured done = std::move(done_);
    if (!result) return done(std::unexpected(std::move(result).error()));
    const Secured secured{result->stream->peer(), result->engine->peer(),
                          result->engine->certificate_wanted(), result->engine->alpn() == "h2"};
    if (!secured.certificate_wanted) {
      Entry& entry = *pool_.entries.find(pool_.add(key_, *std::move(result)));
      entry.parked_ = true;
      pool_.put_idle(entry);
    }
    done(secured);
  }

  Impl& pool_;
  PoolKey key_;
  OnSecured done_;
  std::unique_ptr<Dialer::Attempt> attempt_;
};

Pool::Impl::Impl(Pool& p, net::Loop& l, Dialer& d, Options o)
    : pool(p), loop(l), dialer(d), options(o), sweeper(l, [this] { sweep(); }) {}

Pool::Impl::~Impl() {
  loop.cancel_turn_end(*this);
}

SlotId Pool::Impl::add(const PoolKey& key, Dialled dialled) {
  Origins::value_type& origin = *origins.try_emplace(key).first;
  ++origin.second.connections;
  std::unique_ptr<http::Codec> codec = codec_for(key, dialled, options.codec);
  return entries.emplace([&](SlotId id) {
    return std::make_unique<Entry>(*this, id, origin, std::move(codec), std::move(dialled));
  });
}

Pool::Impl::Entry::Entry(Impl& pool, SlotId id, Origins::value_type& origin,
                         std::unique_ptr<http::Codec> codec, Dialled dialled)
    : pool_(pool),
      id_(id),
      origin_(origin),
      phases_(dialled.phases),
      connection_(std::move(dialled.stream), std::move(dialled.engine), std::move(codec), *this),
      early_(std::move(dialled.early)) {}

Pool::Impl::Entry::~Entry() = default;

OriginStreamPtr Pool::Impl::Entry::open(OriginStreamOwner& owner, bool was_idle) {
  const http::StreamId id = connection_.open();
  if (id == 0) return nullptr;
  std::unique_ptr<Stream>& stream = h2() ? more_[id] : only_;
  if (!stream) stream = std::make_unique<Stream>(*this);
  stream->owner_ = &owner;
  stream->id_ = id;
  stream->number_ = ++opened_;
  stream->reused_ = was_idle && (opened_ > 1 || parked_);
  ++streams_;
  return OriginStreamPtr(stream.get());
}

void Pool::Impl::Entry::release(Stream& stream) {
  --streams_;
  stream.owner_ = nullptr;
  const http::StreamId id = stream.id_;
  if (h2()) {
    // What is left of it, as of an upload that was answered early, keeps nothing.
    connection_.send({id, http::Reset{{Code::kConnectionClosed, Side::kSelf, false, "over"}}});
    more_.erase(id);
  }
  pool_.release(*this);
}

Pool::Impl::Entry::Stream* Pool::Impl::Entry::find(http::StreamId id) {
  if (!h2()) return only_.get();
  const auto found = more_.find(id);
  return found == more_.end() ? nullptr : found->second.get();
}

void Pool::Impl::Entry::wake(Connection&) {
  while (std::optional<http::Event> event = connection_.next()) {
    explain(*event);
    Stream* const stream = find(event->stream);
    if (stream != nullptr && stream->owner_ != nullptr) {
      stream->owner_->on_origin_event(std::move(*event));
    }
  }
  // A connection that broke after the answer was whole has no event of its own for that.
  OriginStreamOwner* const owner = only_ ? only_->owner_ : nullptr;
  if (owner != nullptr && connection_.closed() && !std::exchange(told_closed_, true)) {
    owner->on_origin_event({0, http::Reset{{Code::kConnectionClosed, Side::kOrigin, false,
                                            "the origin closed the connection"}}});
  }
  const bool unfit = idle_ && !connection_.codec().reusable();
  if (!busy() && (connection_.closed() || unfit)) pool_.doom(*this);
}

// The codec knows only that the bytes ended.
void Pool::Impl::Entry::explain(http::Event& event) const {
  const tls::Engine* const tls = connection_.tls();
  auto* reset = std::get_if<http::Reset>(&event.what);
  if (reset != nullptr && tls != nullptr && tls->failure()) reset->error = *tls->failure();
}

// Null where the connection takes no stream after all.
OriginStreamPtr Pool::Impl::open(Entry& entry, OriginStreamOwner& owner) {
  const bool was_idle = entry.idle_;
  drop_idle(entry);
  OriginStreamPtr stream = entry.open(owner, was_idle);
  if (!stream) {
    doom(entry);
  } else if (entry.h2()) {
    share(entry);
  }
  return stream;
}

void Pool::Impl::share(Entry& entry) {
  if (std::exchange(entry.shared_, true)) return;
  entry.origin_.second.shared.push_back(entry.id_);
}

void Pool::Impl::unshare(Entry& entry) {
  if (std::exchange(entry.shared_, false)) std::erase(entry.origin_.second.shared, entry.id_);
}

Pool::Impl::Entry* Pool::Impl::find_idle(Origin& origin) {
  const MonoTime now = loop.now().mono;
  while (!origin.idle.empty()) {
    Entry& newest = *entries.find(origin.idle.back());
    const bool looked_at = now - newest.idle_since_ < kLookedAt;
    if (newest.idle_until_ > now && (looked_at || newest.is_quiet())) return &newest;
    doom(newest);
  }
  return nullptr;
}

void Pool::Impl::drop_idle(Entry& entry) {
  if (!std::exchange(entry.idle_, false)) return;
  std::vector<SlotId>& same = entry.origin_.second.idle;
  // The newest is what is taken most.
  same.erase(std::ranges::find(std::views::reverse(same), entry.id_).base() - 1);
  if (--idle_count == 0) sweeper.stop();
}

void Pool::Impl::release(Entry& entry) {
  if (entry.doomed_ || entry.busy()) return;
  unshare(entry);
  const http::Codec& codec = entry.connection_.codec();
  if (!entry.connection_.closed() && codec.reusable() && !draining) return put_idle(entry);
  // A tunnel's last bytes may still be on their way to the origin.
  const bool whole = codec.done() && !codec.ends_abruptly();
  if (whole && entry.connection_.has_unsent()) return entry.connection_.finish();
  doom(entry);
}

void Pool::Impl::put_idle(Entry& entry) {
  const std::optional<Milliseconds> asked = entry.connection_.codec().keep_alive();
  const Milliseconds time =
      asked ? std::min(options.idle_time_max, *asked - kLeaveEarly) : options.idle_time_max;
  std::vector<SlotId>& same = entry.origin_.second.idle;
  if (time <= Milliseconds(0) || same.size() >= options.idle_per_origin_max) return doom(entry);
  entry.idle_since_ = loop.now().mono;
  entry.idle_until_ = entry.idle_since_ + time;
  entry.idle_ = true;
  same.push_back(entry.id_);
  if (++idle_count > options.idle_max) evict_longest_idle();
  if (!sweeper.active()) sweeper.start(kSweepInterval, true);
}

void Pool::Impl::evict_longest_idle() {
  Entry* oldest = nullptr;
  for (const auto& [key, origin] : origins) {
    if (origin.idle.empty()) continue;
    Entry* first = entries.find(origin.idle.front());
    if (oldest == nullptr || first->idle_since_ < oldest->idle_since_) oldest = first;
  }
  if (oldest != nullptr) doom(*oldest);
}

void Pool::Impl::doom(Entry& entry) {
  if (std::exchange(entry.doomed_, true)) return;
  drop_idle(entry);
  unshare(entry);
  doomed.push_back(entry.id_);
  loop.at_turn_end(*this);
}

void Pool::Impl::sweep() {
  const MonoTime now = loop.now().mono;
  std::vector<Entry*> expired;
  for (const auto& [key, origin] : origins) {
    for (const SlotId id : origin.idle) {
      if (entries.find(id)->idle_until_ <= now) expired.push_back(entries.find(id));
    }
  }
  for (Entry* entry : expired) doom(*entry);
  if (idle_count > 0) sweeper.start(kSweepInterval, true);
}

bool Pool::Impl::is_dialling(const PoolKey& key) const {
  return std::ranges::any_of(
      dials, [&](const Dial* dial) { return dial->running() && dial->key() == key; });
}

void Pool::Impl::remember_h2(const PoolKey& key) {
  if (h2_origins.size() >= kH2OriginsMax) h2_origins.clear();
  h2_origins.insert(key);
}

void Pool::Impl::dial_ended(const PoolKey& key) {
  if (dials.empty()) return;
  ended.push_back(key);
  loop.at_turn_end(*this);
}

void Pool::Impl::serve_waiting(const PoolKey& key) {
  const std::vector<Dial*> waiting = dials;
  for (Dial* const dial : waiting) {
    // Whoever was served may have ended others.
    if (std::ranges::find(dials, dial) == dials.end() || dial->key() != key) continue;
    if (dial->join(pool) || dial->running()) continue;
    if (!h2_origins.contains(key) || !is_dialling(key)) dial->start();
  }
}

void Pool::Impl::on_turn_end() {
  for (const PoolKey& key : std::exchange(ended, {})) serve_waiting(key);
  for (const SlotId id : std::exchange(doomed, {})) {
    Origins::value_type& origin = entries.find(id)->origin_;
    entries.erase(id);
    if (--origin.second.connections == 0) origins.erase(origin.first);
  }
}

Pool::Pool(net::Loop& loop, Dialer& dialer, Options options)
    : impl_(std::make_unique<Impl>(*this, loop, dialer, options)) {}

Pool::~Pool() = default;

OriginStreamPtr Pool::acquire(const PoolKey& key, OriginStreamOwner& owner) {
  const auto origin = impl_->origins.find(key);
  if (origin == impl_->origins.end()) return nullptr;
  for (const SlotId id : origin->second.shared) {
    if (OriginStreamPtr stream = impl_->entries.find(id)->open(owner, false)) return stream;
  }
  Impl::Entry* entry = impl_->find_idle(origin->second);
  return entry == nullptr ? nullptr : impl_->open(*entry, owner);
}

std::unique_ptr<Pool::Waiting> Pool::dial(const PoolKey& key, OriginStreamOwner& owner,
                                          OnDialled done) {
  return std::make_unique<Impl::Dial>(*impl_, key, owner, std::move(done));
}

std::unique_ptr<Pool::Waiting> Pool::secure(OriginStreamPtr tunnel, const PoolKey& key,
                                            OnSecured done) {
  return std::make_unique<Impl::Securing>(*impl_, key, tunnel->detach(), std::move(done));
}

std::optional<Pool::Secured> Pool::secured(const PoolKey& key) {
  const auto origin = impl_->origins.find(key);
  if (origin == impl_->origins.end()) return std::nullopt;
  for (const SlotId id : origin->second.shared) {
    const Impl::Entry& entry = *impl_->entries.find(id);
    if (entry.connection_.codec().reusable()) return entry.secured();
  }
  const Impl::Entry* entry = impl_->find_idle(origin->second);
  if (entry == nullptr) return std::nullopt;
  return entry->secured();
}

std::string PoolKey::verified_name() const {
  return std::string(text::without_root_dot(server_name.empty() ? host : server_name));
}

tls::ClientTarget PoolKey::tls_target() const {
  tls::ClientTarget target{.host = verified_name(), .port = port, .certificate = certificate};
  if (h2) target.alpn.emplace_back("h2");
  target.alpn.emplace_back("http/1.1");
  return target;
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

void Pool::drain() {
  impl_->draining = true;
  std::vector<SlotId> all;
  for (const auto& [key, origin] : impl_->origins) {
    all.insert(all.end(), origin.idle.begin(), origin.idle.end());
  }
  for (const SlotId id : all) impl_->doom(*impl_->entries.find(id));
}

}  // namespace sidespan::wire
