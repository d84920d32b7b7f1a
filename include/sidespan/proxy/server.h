// The proxy of one worker: accepts agents' connections, serves each request by an Exchange, and
// says when nothing is busy any more. One loop, one thread; metrics may be read from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sidespan/base/log.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/metrics.h"
#include "sidespan/base/random.h"
#include "sidespan/lineage/ingress_watch.h"
#include "sidespan/lineage/registry.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"
#include "sidespan/proxy/ingress.h"
#include "sidespan/proxy/interceptor.h"
#include "sidespan/proxy/options.h"
#include "sidespan/semconv/mcp_calls.h"
#include "sidespan/trace/span.h"
#include "sidespan/wire/pool.h"

namespace sidespan::proxy {

// What all servers of a process have in common. Outlives them.
struct Shared {
  std::atomic<size_t>& connections;  // of agents
  const MemoryLedger& memory;
  semconv::McpCalls& mcp_calls;
  lineage::Registry* lineage;  // null: only a request's head says whose call it is
  lineage::IngressWatch& ingress;
  Interceptor& interceptor;
};

class Server {
 public:
  // `pool` must check addresses with check_address(). All references outlive the server.
  Server(net::Loop& loop, wire::Pool& pool, Random random, trace::SpanSink& sink, Log& log,
         const std::shared_ptr<const Options>& options, const Shared& shared);
  ~Server();

  void accept(std::unique_ptr<net::Stream> stream, Door door);

  // Goes on serving, new connections too: the agent's last calls must get out. Answers say
  // Connection: close from now on; idle connections stay, since the agent may be about to use one.
  // On the ingress those end.
  // Ask busy() to know when it is over. `agents_gone`: who has sent FIN waits for nothing any more.
  void drain(bool agents_gone);
  // Ends everything now; exchanges under way get their span with `sidespan.end` = drain.
  void abort();
  // Ends idle connections while that mark is reached, those to origins first, of both the longest
  // idle: a few, so that who asks again gets more. Whether there were any. Not from inside a call
  // of the server's.
  bool make_room(MemoryMark mark);
  // Resets who holds most, and so on, until that has freed so many bytes; those whom `dialer` makes
  // TLS for are among them. Whether there was anybody. Not from inside a call of the server's.
  bool reset_largest(size_t bytes, wire::Dialer& dialer);
  // Exchanges under way; in a drain also connections that still have something to send.
  size_t busy() const;
  size_t connections() const;  // agent connections

  // Any thread.
  uint64_t requests() const;  // ended so far
  // What the marks of the memory ledger have brought about so far.
  struct MemoryReactions {
    uint64_t taps_off = 0;  // answers that were not looked at, or not to their end
    uint64_t refused = 0;   // requests
    uint64_t reset = 0;     // agents' connections, or what was left of one to an origin
  };
  MemoryReactions memory_reactions() const;
  void collect(metrics::Snapshot& snapshot) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The checks to give to the Dialer: our own listeners and `deny`; for the agent's own server our
// listeners alone.
std::optional<Error> check_address(const Options& options, const SelfGuard& self,
                                   std::string_view host, const net::Address& address);
std::optional<Error> check_self(const SelfGuard& self, std::string_view host,
                                const net::Address& address);

}  // namespace sidespan::proxy
