#include "sidespan/wire/dialer.h"

#include <cassert>
#include <utility>
#include <vector>

#include "handshake.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/http/uri.h"
#include "sidespan/net/timer.h"
#include "through.h"

namespace sidespan::wire {

struct Dialer::Impl {
  class Race;

  net::Loop& loop;
  Options options;
  AddressCheck check;
  AddressCheck own_check;
  net::Resolver resolver;
  tls::ClientContext* tls;
  Handshake::List securing = {};
};

// One dial: addresses tried in order, each next one a little later beside those that still try; the
// first to connect wins.
class Dialer::Impl::Race final : public Dialer::Attempt {
 public:
  Race(Impl& dialer, const AddressCheck& check, std::string host, uint16_t port, OnDial done)
      : dialer_(dialer),
        check_(check),
        host_(std::move(host)),
        port_(port),
        done_(std::move(done)),
        next_attempt_(dialer.loop, [this] { on_next(); }),
        limit_(dialer.loop, [this] { on_limit(); }),
        started_(dialer.loop.precise_now().mono) {
    limit_.start(dialer.options.connect_time_max);
    query_ = dialer.resolver.resolve(
        host_, [this](Result<net::Resolver::Addresses> result) { on_resolved(std::move(result)); });
    asked_ = query_ != nullptr;
  }

 private:
  struct Connect {
    MonoTime started;
    std::unique_ptr<net::Stream::Connecting> pending;
  };

  void on_resolved(Result<net::Resolver::Addresses> result) {
    if (asked_) phases_.dns = dialer_.loop.precise_now().mono - started_;
    if (!result) {
      failure_ = std::move(result).error();
    } else {
      admit(*result);
    }
    next_attempt_.start(Milliseconds(0));
  }

  void admit(const net::Resolver::Addresses& addresses) {
    for (const net::Address& address : addresses) {
      const net::Address target = address.with_port(port_);
      std::optional<Error> refused = check_ ? check_(host_, target) : std::nullopt;
      if (refused) {
        if (!refusal_) refusal_ = std::move(*refused);
      } else {
        targets_.push_back(target);
      }
    }
  }

  void on_next() {
    if (next_ == targets_.size()) return finish_if_lost();
    const size_t index = next_++;
    connects_.push_back({dialer_.loop.precise_now().mono, nullptr});
    connects_[index].pending = net::Stream::connect(
        dialer_.loop, targets_[index],
        [this, index](auto result) { on_connected(index, std::move(result)); },
        dialer_.options.descriptors_kept);
    if (next_ < targets_.size()) next_attempt_.start(dialer_.options.attempt_delay);
  }

  void on_connected(size_t index, Result<std::unique_ptr<net::Stream>> result) {
    if (result) {
      phases_.connect = dialer_.loop.precise_now().mono - connects_[index].started;
      return finish(Dialled{.stream = std::move(*result), .phases = phases_});
    }
    failure_ = std::move(result).error();
    connects_[index].pending.reset();
    // A refusal need not wait for its turn.
    next_attempt_.stop();
    on_next();
  }

  void finish_if_lost() {
    for (const Connect& connect : connects_) {
      if (connect.pending) return;
    }
    // That another address did not answer is not why the name cannot be reached.
    if (refusal_) failure_ = std::move(refusal_);
    if (!failure_)
      failure_ = Error{Code::kDnsFailure, Side::kOrigin, false, host_ + " has no address"};
    finish(std::unexpected(std::move(*failure_)));
  }

  void on_limit() {
    finish(fail(targets_.empty() ? Code::kDnsFailure : Code::kConnectTimeout, Side::kOrigin,
                (targets_.empty() ? "looking up " : "connecting to ") + host_ +
                    " took longer than " +
                    std::to_string(dialer_.options.connect_time_max.count()) + " ms"));
  }

  // The last thing done here: the callback may destroy this object.
  void finish(Result<Dialled> result) {
    limit_.stop();
    next_attempt_.stop();
    query_.reset();
    connects_.clear();  // those that lost
    OnDial done = std::move(done_);
    done(std::move(result));
  }

  Impl& dialer_;
  const AddressCheck& check_;
  std::string host_;
  uint16_t port_;
  OnDial done_;
  net::Timer next_attempt_;
  net::Timer limit_;
  MonoTime started_;
  DialPhases phases_;
  std::unique_ptr<net::Resolver::Query> query_;
  std::vector<net::Address> targets_;
  std::vector<Connect> connects_;
  size_t next_ = 0;
  bool asked_ = false;  // literals and cached names are answered within the call, and have no phase
  std::optional<Error> refusal_;  // of the address check
  std::optional<Error> failure_;
};

Dialer::Dialer(net::Loop& loop, const Options& options, AddressCheck check, tls::ClientContext* tls,
               AddressCheck own_check)
    : impl_(new Impl{loop, options, std::move(check), std::move(own_check),
                     net::Resolver(loop, options.resolver), tls}) {}

Dialer::~Dialer() = default;

Milliseconds Dialer::connect_time_max() const {
  return impl_->options.connect_time_max;
}

Milliseconds Dialer::handshake_time_max() const {
  return impl_->options.handshake_time_max;
}

std::unique_ptr<Dialer::Attempt> Dialer::dial(const std::string& host, uint16_t port, OnDial done) {
  return std::make_unique<Impl::Race>(*impl_, impl_->check, host, port, std::move(done));
}

std::unique_ptr<Dialer::Attempt> Dialer::dial_own(const std::string& host, uint16_t port,
                                                  OnDial done) {
  return std::make_unique<Impl::Race>(*impl_, impl_->own_check, host, port, std::move(done));
}

std::unique_ptr<Dialer::Attempt> Dialer::dial_through(const std::string& host, uint16_t port,
                                                      size_t passed, OnDial done) {
  std::string authority = http::Authority{host, port}.to_string();
  const Options& options = impl_->options;
  return std::make_unique<Through>(*this, impl_->loop, options.second_proxy, std::move(authority),
                                   passed, options.connect_time_max, std::move(done));
}

std::unique_ptr<Dialer::Attempt> Dialer::secure(Dialled dialled, const tls::ClientTarget& target,
                                                OnDial done) {
  assert(impl_->tls != nullptr);
  // A thousand may become connected within one turn, and what they were to hold is known too late.
  std::unique_ptr<tls::Engine> engine =
      memory::full() ? nullptr : tls::Engine::client(*impl_->tls, target);
  return std::make_unique<Handshake>(impl_->loop, impl_->securing, std::move(dialled),
                                     std::move(engine), target.host,
                                     impl_->options.handshake_time_max, std::move(done));
}

std::vector<Dialer::Securing> Dialer::securing() const {
  std::vector<Securing> found;
  found.reserve(impl_->securing.size());
  impl_->securing.for_each(
      [&](SlotId id, const Handshake* each) { found.push_back({id, each->held()}); });
  return found;
}

bool Dialer::give_up(SlotId securing) {
  Handshake* const* const found = impl_->securing.find(securing);
  if (found == nullptr) return false;
  (*found)->give_up();
  return true;
}

}  // namespace sidespan::wire
