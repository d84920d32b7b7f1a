// Who waits for a new connection of the pool, and TLS on one that was a tunnel's.
#include <algorithm>
#include <utility>

#include "pool_impl.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::wire {
namespace {

// Keys that are known to lead to HTTP/2; who is forgotten is dialled by each who wants it.
constexpr size_t kH2OriginsMax = 1024;

}  // namespace

// A caller that waits for a connection to be dialled. Where HTTP/2 may come of it, whoever waits
// for the same shares the first that does. Where it is known to, only one dials, and the others
// follow: what they share is the attempt, until the origin has spoken, so that its end is theirs.
// Where the origin has all the connections that it may have, he stands in line for whatever is
// free first.
class Pool::Impl::Dial final : public Waiting {
 public:
  Dial(Impl& pool, const PoolKey& key, OriginStreamOwner& owner, OnDialled done, bool fresh)
      : pool_(pool),
        site_(pool.site_of(key)),
        key_(key),
        owner_(owner),
        done_(std::move(done)),
        fresh_(fresh) {
    const bool follows = follows_another();
    site_.dials.push_back(this);
    if (!follows && site_.waiting == 0) place_ = pool_.take_place(site_);
    follows ? follow() : place_ ? start() : wait();
  }
  ~Dial() override {
    if (done_) end();
  }

  const PoolKey& key() const { return key_; }
  bool running() const { return attempt_ != nullptr; }
  bool waiting() const { return late_ != nullptr; }
  // It is told so when this turn ends.
  void end_with(const Error& error) { lost_ = error; }
  // What was found out about a line before anybody in it was served.
  struct Vain {
    static constexpr size_t kKindsMax = 8;
    std::vector<const Dial*> kinds = {};  // who wait for what is not there, one of each kind
    bool no_place = false;                // and nothing makes place
    bool retired = false;                 // for whoever is the first
  };
  // Behind one of these it need not try.
  bool is_in_vain(const Vain& vain) const {
    return std::ranges::any_of(vain.kinds, [&](const Dial* other) {
      return fresh_ == other->fresh_ && key_ == other->key_;
    });
  }
  // Whether it was served, and may be gone, or has begun to dial.
  bool go_on(Vain& vain) {
    if (running() && !key_.h2) return false;
    if (join()) return true;
    if (lost_) {
      finish(std::unexpected(*std::move(lost_)));
      return true;
    }
    if (running() || follows_another()) return false;
    place_ = pool_.take_place(site_);
    if (!place_ && !vain.no_place) {
      vain.no_place = !pool_.make_place(site_);
      place_ = pool_.take_place(site_);
    }
    if (!place_) {
      wait();
      if (!std::exchange(vain.retired, true)) retire();
      if (vain.kinds.size() < Vain::kKindsMax) vain.kinds.push_back(this);
      return false;
    }
    stop_waiting();
    start();
    return true;
  }

 private:
  // Somebody dials who can be shared.
  bool follows_another() const {
    return key_.h2 && pool_.h2_origins.contains(key_) && pool_.is_dialling(site_, key_);
  }

  // For as long as an attempt of its own might take, if others are begun and given up one after the
  // other.
  void follow() {
    const Milliseconds time = pool_.attempt_time_max(key_);
    patience_ = std::make_unique<net::Timer>(pool_.loop, [this, time] {
      finish(fail(Code::kConnectTimeout, Side::kOrigin,
                  "no connection to " + key_.host + " was ready within " +
                      std::to_string(time.count()) + " ms"));
    });
    patience_->start(time);
  }

  void wait() {
    if (late_) return;
    patience_.reset();
    ++site_.waiting;
    late_ = std::make_unique<net::Timer>(pool_.loop, [this] { on_late(); });
    late_->start(pool_.dialer.connect_time_max());
    pool_.look_after(site_);  // what is idle there may make place
  }

  // What is shared would take new streams for ever, and the turn of the first in line would never
  // come. Who was before it may have got the one that ended.
  void retire() {
    const Entry* const ending = retired_ ? pool_.entries.find(*retired_) : nullptr;
    if (ending == nullptr || ending->shared_) retired_ = pool_.retire(site_, key_);
  }

  void stop_waiting() {
    if (!late_) return;
    late_.reset();
    --site_.waiting;
    Entry* const retired = retired_ ? pool_.entries.find(*retired_) : nullptr;
    if (retired == nullptr || !retired->busy() || retired->doomed_) return;
    pool_.share(*retired);
    pool_.look_after(site_);
  }

  void on_late() {
    pool_.refused.add();
    finish(fail(Code::kOverload, Side::kSelf,
                "no connection to " + key_.host + " became free within " +
                    std::to_string(pool_.dialer.connect_time_max().count()) +
                    " ms, and limits.origin_connections allows no more",
                true));
  }

  // It has a time of its own from now on.
  void start() {
    patience_.reset();
    auto then = [this](Result<Dialled> result) { on_dialled(std::move(result)); };
    attempt_ = key_.through ? pool_.dialer.dial_through(key_.host, key_.port, key_.sidespans,
                                                        std::move(then))
               : key_.own   ? pool_.dialer.dial_own(key_.host, key_.port, std::move(then))
                            : pool_.dialer.dial(key_.host, key_.port, std::move(then));
  }

  // Whether somebody else's connection takes it. It may be gone then.
  bool join() {
    const auto origin = pool_.origins.find(key_);
    if (origin == pool_.origins.end()) return false;
    OriginStreamPtr stream = pool_.open_one(origin->second, owner_, fresh_, false);
    if (!stream) return false;
    finish(std::move(stream));
    return true;
  }

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
    Result<OriginStreamPtr> stream = open(std::move(result));
    attempt_.reset();  // nobody may take it for one to follow
    if (!stream) pool_.lose_attempt(site_, key_, stream.error());
    finish(std::move(stream));
  }

  // The last thing done here: the callback may destroy this object.
  void finish(Result<OriginStreamPtr> stream) {
    OnDialled done = std::exchange(done_, nullptr);
    end();
    done(std::move(stream));
  }

  Result<OriginStreamPtr> open(Result<Dialled> result) {
    if (!result) return std::unexpected(std::move(result).error());
    Entry& entry = *pool_.entries.find(pool_.add(key_, *std::move(result), std::move(place_)));
    OriginStreamPtr stream = pool_.open(entry, owner_);
    if (stream) return stream;
    return fail(Code::kConnectionClosed, Side::kOrigin,
                key_.host + " ended the connection as soon as it was made");
  }

  void end() {
    stop_waiting();
    patience_.reset();
    attempt_.reset();  // it would call who is over
    std::erase(site_.dials, this);
    if (key_.h2) pool_.look_after(site_);
    const OriginPlace given_up = std::move(place_);
    if (!given_up) pool_.forget_unused(site_);
  }

  Impl& pool_;
  Site& site_;  // not once it is over
  const PoolKey key_;
  OriginStreamOwner& owner_;
  OnDialled done_;  // null: over
  OriginPlace place_;
  std::unique_ptr<Dialer::Attempt> attempt_;
  std::unique_ptr<net::Timer> late_;      // null: it does not stand in line
  std::unique_ptr<net::Timer> patience_;  // null: it does not follow
  std::optional<Error> lost_;             // of what it followed
  std::optional<SlotId> retired_;         // so that its turn comes
  const bool fresh_;
};

// A tunnel's connection on which TLS is spoken before it serves requests.
class Pool::Impl::Securing final : public Waiting {
 public:
  Securing(Impl& pool, const PoolKey& key, std::pair<Dialled, OriginPlace> tunnel, OnSecured done)
      : pool_(pool), key_(key), done_(std::move(done)), place_(std::move(tunnel.second)) {
    attempt_ =
        pool.dialer.secure(std::move(tunnel.first), key.tls_target(),
                           [this](Result<Dialled> result) { on_secured(std::move(result)); });
  }

 private:
  void on_secured(Result<Dialled> result) {
    OnSecured done = std::move(done_);
    if (!result) return done(std::unexpected(std::move(result).error()));
    const Secured secured{result->stream->peer(), result->engine->peer(),
                          result->engine->certificate_wanted(),
                          result->engine->alpn() == http::kH2Alpn};
    if (!secured.certificate_wanted) {
      const SlotId id = pool_.add(key_, *std::move(result), std::move(place_));
      Entry& entry = *pool_.entries.find(id);
      entry.parked_ = true;
      pool_.put_idle(entry);
    }
    done(secured);
  }

  Impl& pool_;
  PoolKey key_;
  OnSecured done_;
  OriginPlace place_;
  std::unique_ptr<Dialer::Attempt> attempt_;
};

// Or is there already, and will say how many streams it takes.
bool Pool::Impl::is_dialling(const Site& site, const PoolKey& key) const {
  const auto origin = origins.find(key);
  const bool greeting =
      origin != origins.end() && std::ranges::any_of(origin->second.shared, [](const Entry* entry) {
        return !entry->connection_.codec().greeted();
      });
  return greeting || std::ranges::any_of(site.dials, [&](const Dial* dial) {
           return dial->running() && dial->key() == key;
         });
}

void Pool::Impl::remember(const PoolKey& key, bool h2) {
  if (!h2) {
    h2_origins.erase(key);
    return;
  }
  if (h2_origins.size() >= kH2OriginsMax) h2_origins.clear();
  h2_origins.insert(key);
}

void Pool::Impl::lose_attempt(Site& site, const PoolKey& key, const Error& error) {
  // What we gave up says nothing of the origin, and would be given up the next time, too. A second
  // proxy's failures are this side's as well, but one may be another's no more.
  const bool ours = error.side == Side::kSelf && error.code == Code::kOverload;
  if (!ours) remember(key, false);
  // A lookup has a time that all share, too.
  const bool late = error.code == Code::kConnectTimeout || error.code == Code::kTimeout ||
                    error.code == Code::kDnsFailure;
  if (!(ours || late) || is_dialling(site, key)) return;
  for (Dial* const dial : site.dials) {
    const bool follows = dial->key() == key && !dial->running() && !dial->waiting();
    if (follows) dial->end_with(error);
  }
  look_after(site);
}

// From the dial to the origin's first word.
Milliseconds Pool::Impl::attempt_time_max(const PoolKey& key) const {
  const Milliseconds handshake = key.secure ? dialer.handshake_time_max() : Milliseconds(0);
  return dialer.connect_time_max() + handshake + options.codec.head_time_max;
}

bool Pool::Impl::serve_first(Site& site) {
  Dial::Vain vain;
  for (Dial* const dial : site.dials) {
    if (dial->waiting() && dial->is_in_vain(vain)) continue;
    if (dial->go_on(vain)) return true;
  }
  return false;
}

std::unique_ptr<Pool::Waiting> Pool::dial(const PoolKey& key, OriginStreamOwner& owner,
                                          OnDialled done, bool fresh) {
  return std::make_unique<Impl::Dial>(*impl_, key, owner, std::move(done), fresh);
}

std::unique_ptr<Pool::Waiting> Pool::secure(OriginStreamPtr tunnel, const PoolKey& key,
                                            OnSecured done) {
  return std::make_unique<Impl::Securing>(*impl_, key, tunnel->detach(), std::move(done));
}

Pool::Taken Pool::take(OriginStreamPtr tunnel) {
  auto [dialled, place] = tunnel->detach();
  return {std::move(dialled.stream), std::move(place)};
}

}  // namespace sidespan::wire
