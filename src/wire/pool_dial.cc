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
               : key_.own   ? pool_.dialer.dial_own(key_.host, key_.port, std::move(then))
                            : pool_.dialer.dial(key_.host, key_.port, std::move(then));
  }
  // Whether somebody else's connection takes it. It may be gone then.
  bool join() {
    OriginStreamPtr stream = pool_.acquire(key_, owner_);
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
    if (!result) {
      pool_.remember(key_, false);
      return std::unexpected(std::move(result).error());
    }
    Entry& entry = *pool_.entries.find(pool_.add(key_, *std::move(result)));
    pool_.remember(key_, entry.h2());
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
                          result->engine->certificate_wanted(),
                          result->engine->alpn() == http::kH2Alpn};
    if (!secured.certificate_wanted) {
      Entry& entry = *pool_.entries.find(pool_.add(key_, *std::move(result)));
      entry.parked_ = true;
      pool_.remember(key_, entry.h2());
      pool_.put_idle(entry);
    }
    done(secured);
  }

  Impl& pool_;
  PoolKey key_;
  OnSecured done_;
  std::unique_ptr<Dialer::Attempt> attempt_;
};

// Or is there already, and will say how many streams it takes.
bool Pool::Impl::is_dialling(const PoolKey& key) const {
  const auto origin = origins.find(key);
  const bool greeting =
      origin != origins.end() && std::ranges::any_of(origin->second.shared, [&](SlotId id) {
        return !entries.find(id)->connection_.codec().greeted();
      });
  return greeting || std::ranges::any_of(dials, [&](const Dial* dial) {
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

void Pool::Impl::dial_ended(const PoolKey& key) {
  if (dials.empty()) return;
  if (std::ranges::find(ended, key) == ended.end()) ended.push_back(key);
  loop.at_turn_end(*this);
}

void Pool::Impl::serve_waiting(const PoolKey& key) {
  const std::vector<Dial*> waiting = dials;
  for (Dial* const dial : waiting) {
    // Whoever was served may have ended others.
    if (std::ranges::find(dials, dial) == dials.end() || dial->key() != key) continue;
    if (dial->join() || dial->running()) continue;
    if (!h2_origins.contains(key) || !is_dialling(key)) dial->start();
  }
}

std::unique_ptr<Pool::Waiting> Pool::dial(const PoolKey& key, OriginStreamOwner& owner,
                                          OnDialled done) {
  return std::make_unique<Impl::Dial>(*impl_, key, owner, std::move(done));
}

std::unique_ptr<Pool::Waiting> Pool::secure(OriginStreamPtr tunnel, const PoolKey& key,
                                            OnSecured done) {
  return std::make_unique<Impl::Securing>(*impl_, key, tunnel->detach(), std::move(done));
}

std::unique_ptr<net::Stream> Pool::take(OriginStreamPtr tunnel) {
  return tunnel->detach().stream;
}

}  // namespace sidespan::wire
