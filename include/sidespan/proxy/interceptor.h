// Decides of each TLS tunnel whether it is opened, and speaks TLS to its agent where it is. One a
// process, for all workers at once: what it keeps is behind a mutex, held for a lookup, or while a
// certificate is made. Agents that refuse our certificate for a host are remembered, each by the
// execution that it says it is, and pass from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "sidespan/base/clock.h"
#include "sidespan/base/metrics.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/interception.h"
#include "sidespan/tls/client_hello.h"
#include "sidespan/tls/context.h"
#include "sidespan/tls/engine.h"
#include "sidespan/wire/pool.h"

namespace sidespan::proxy {

// `sidespan.tunnel.reason`: why nobody looks inside.
enum class Opaque : uint8_t {
  kNotTls,
  kOff,
  kBypass,
  kNotListed,
  kNoAuthority,     // there is none, or it may not name that host
  kSniMismatch,     // the hello names another host than CONNECT did
  kEncryptedHello,  // and so it does where ECH hides the true name
  kAlpn,            // no protocol we read
  kTlsVersion,      // older than we speak
  kNoEcdsa,         // it takes no certificate of our kind
  kMalformedHello,
  kPinned,             // an agent refused our certificate before
  kClientCertificate,  // the origin wants one of the agent's
};
inline constexpr size_t kOpaqueCount = 13;
std::string_view name_of(Opaque reason);

class Interceptor {
 public:
  // References outlive it.
  explicit Interceptor(const Interception& options) : options_(options) {}

  struct Decision {
    std::optional<Opaque> opaque;  // set: pass it through
    bool refuse = false;           // or not even that
    std::string name;              // else: whom the certificates of both sides must name
  };
  // What CONNECT asked for: `host` as it named it, and who did, by `sidespan.execution.id`; empty:
  // it did not say so.
  struct Asked {
    std::string_view host;
    uint16_t port;
    std::string_view execution;
  };
  // `peer`: the address that was dialled for it; none: nobody knows it.
  Decision decide(const Asked& asked, const net::Address& peer, const tls::ClientHello& hello,
                  MonoTime now);
  // A hello that cannot be read, or that never ends, may name anybody.
  bool refuses_unread_hellos() const {
    return options_.mode != Interception::Mode::kOff &&
           options_.mismatch == Interception::Mismatch::kRefuse;
  }
  // Whether a tunnel is opened unless its hello says otherwise.
  bool may_open(const Asked& asked, MonoTime now);
  // Our side of the agent's connection, with a certificate for `name`, in which `alpn` is spoken.
  // Error side: kSelf.
  Result<std::unique_ptr<tls::Engine>> terminate(std::string_view name, std::string_view alpn,
                                                 WallTime now);
  // An agent said that it does not take our certificate for the origin of `key`. True: its tunnels
  // there were opened until now, and pass from now on.
  bool rejected(const wire::PoolKey& key, std::string_view execution, MonoTime now);
  // One went without a word, within the handshake or after it, and without a request. Some refuse
  // a certificate like that; others were stopped, or had connected for nothing. It is a refusal
  // where it happens twice in a row and nobody was ever served there. True as of rejected().
  bool left(const wire::PoolKey& key, std::string_view execution, MonoTime now);
  // A request came.
  void served(const wire::PoolKey& key, std::string_view execution);
  // Any thread.
  void collect(metrics::Snapshot& snapshot) const;

 private:
  std::optional<Opaque> reason_to_pass(std::string_view host, const net::Address& peer,
                                       const tls::ClientHello& hello) const;
  // With the mutex held.
  bool pinned(const std::string& place, MonoTime now);
  bool pin(const std::string& place, MonoTime now);  // true: it was not

  const Interception& options_;
  mutable std::mutex mutex_;
  std::unique_ptr<tls::ServerContext> context_;  // made when first needed, as is the next
  std::unique_ptr<tls::LeafCache> leaves_;
  // By host, port and execution.
  std::unordered_map<std::string, MonoTime> pinned_;  // until when
  std::unordered_set<std::string> left_;
  std::unordered_set<std::string> served_;
  metrics::Counter minted_;
  metrics::Gauge kept_;
  metrics::Counter rejected_;
};

}  // namespace sidespan::proxy
