// From a name and a port to a connected stream: resolve, check every address, connect by happy
// eyeballs (RFC 8305). The address that was checked is the address that is dialled. TLS is a second
// step, on a stream that is there. Durations of the phases come back with the stream, for the span.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/net/address.h"
#include "sidespan/net/resolver.h"
#include "sidespan/net/stream.h"
#include "sidespan/tls/engine.h"
#include "sidespan/wire/second_proxy.h"

namespace sidespan::wire {

// May this address (with its port) be dialled? An Error says why not: kDenied, kLoop.
using AddressCheck =
    std::function<std::optional<Error>(std::string_view host, const net::Address&)>;

struct DialPhases {
  std::optional<Nanoseconds> dns;      // absent: a literal or a cached name
  std::optional<Nanoseconds> connect;  // of the attempt that won
  std::optional<Nanoseconds> tls;
};

struct Dialled {
  std::unique_ptr<net::Stream> stream;
  std::unique_ptr<tls::Engine> engine = {};  // established; null: plain
  DialPhases phases = {};
  Chain early = {};  // what the origin said before anybody asked, through a second proxy
};

class Dialer {
 public:
  struct Options {
    Milliseconds connect_time_max{5000};  // resolve and connect together
    Milliseconds attempt_delay{
        250};  // before the next address is tried beside (RFC 8305 section 5)
    Milliseconds handshake_time_max{10'000};
    net::Resolver::Options resolver;
    SecondProxy second_proxy;
    int descriptors_kept = 0;  // of what the process may have, left to others
  };
  using OnDial = std::move_only_function<void(Result<Dialled>)>;
  // Cancels (silently) when destroyed.
  class Attempt {
   public:
    virtual ~Attempt() = default;
  };

  // `tls` may be null: then there is no second step. `own_check`: for dial_own().
  Dialer(net::Loop& loop, const Options& options, AddressCheck check,
         tls::ClientContext* tls = nullptr, AddressCheck own_check = {});
  ~Dialer();

  Milliseconds connect_time_max() const;
  Milliseconds handshake_time_max() const;

  // `done` comes later, never within the call.
  std::unique_ptr<Attempt> dial(const std::string& host, uint16_t port, OnDial done);
  // The same to the agent's own server.
  std::unique_ptr<Attempt> dial_own(const std::string& host, uint16_t port, OnDial done);
  // The same through the second proxy, which there must be, for a request that has passed so many
  // sidespans.
  std::unique_ptr<Attempt> dial_through(const std::string& host, uint16_t port, size_t passed,
                                        OnDial done);
  // TLS on what was dialled and carried no byte yet. The same of `done`, which is told kOverload
  // where memory is short.
  std::unique_ptr<Attempt> secure(Dialled dialled, const tls::ClientTarget& target, OnDial done);

  // TLS handshakes under way.
  struct Securing {
    SlotId id;
    size_t bytes;  // that it holds
  };
  std::vector<Securing> securing() const;
  // Its `done` is told kOverload, within the call. False: it is over already.
  bool give_up(SlotId securing);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::wire
