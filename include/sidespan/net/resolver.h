// Names to addresses, with a small cache. Lookups are getaddrinfo (so search domains, ndots and
// /etc/hosts are honoured) on threads of the resolver's own: libuv runs two at a time, and joins
// them at exit, so that one stuck name server would hold up every other name and the end of the
// process. Equal lookups in flight are joined. Positive answers are kept `positive_ttl`, that there
// is no such host `negative_ttl`, other failures not at all. One loop, one resolver.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/error.h"
#include "sidespan/net/address.h"
#include "sidespan/net/loop.h"

namespace sidespan::net {

class Resolver {
 public:
  struct Options {
    std::chrono::milliseconds positive_ttl{30000};
    std::chrono::milliseconds negative_ttl{1000};
    size_t entries_max = 1024;  // the least recently used goes first
    size_t addresses_max = 64;  // of one name; the rest of a longer answer is ignored
    size_t lookups_max = 256;   // waited for; beyond it a lookup fails at once with kOverload
    size_t threads_max = 32;    // lookups that run at a time; the others wait in order
  };
  // Addresses in RFC 8305 order: families alternate, the resolver's first choice leads. Port 0.
  using Addresses = std::vector<Address>;
  using OnResolve = std::move_only_function<void(Result<Addresses>)>;
  // Cancels (silently) when destroyed. A lookup that nobody waits for any more is not begun; one
  // that runs cannot be stopped, and keeps its thread.
  class Query {
   public:
    virtual ~Query() = default;
  };

  Resolver(Loop& loop, Options options);
  ~Resolver();

  // A literal, `localhost` (127.0.0.1, then ::1) or a cached name is answered within the call (the
  // result is nullptr); otherwise `done` comes later. Error side: kOrigin (no such name) or kSelf
  // (no resolver reachable).
  std::unique_ptr<Query> resolve(std::string_view host, OnResolve done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sidespan::net
