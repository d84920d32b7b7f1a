// What an engine needs to see of its context.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "openssl.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/tls/context.h"

namespace sidespan::tls {

// What peers show of themselves, in one message of the handshake. rustls and s2n stop here, too.
inline constexpr size_t kShownBytesMax = size_t{64} * 1024;

// Sessions of origins for resumption, each offered once; who was put in longest ago goes first.
// They are kept as they are written (i2d_SSL_SESSION): the ticket, the secret and the origin's own
// certificate, a tenth of what OpenSSL has of them.
class Sessions {
 public:
  explicit Sessions(size_t sessions_max) : sessions_max_(sessions_max) {}
  void put(const std::string& key, const SSL_SESSION& session);
  SslSessionPtr take(const std::string& key);

 private:
  struct Kept {
    std::string key;
    std::string session;
  };
  using Place = std::list<Kept>::iterator;
  void forget(Place kept);
  bool is_over() const;

  size_t sessions_max_;
  MemoryCharge charge_;  // of the sessions
  std::list<Kept> kept_;
  std::unordered_map<std::string_view, Place> by_key_;
};

struct Shown {
  CertificatePtr certificate;
  std::vector<CertificatePtr> chain;
  KeyPtr key;
};

struct ClientContext::Impl {
  explicit Impl(size_t sessions_max) : sessions(sessions_max) {}

  Sessions sessions;
  SslContextPtr context;
  std::vector<Shown> shown;
};

// Where an SSL has the key of its session: a std::string, its engine's.
int session_key_index();

}  // namespace sidespan::tls
