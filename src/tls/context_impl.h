// What an engine needs to see of its context.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "openssl.h"
#include "sidespan/tls/context.h"

namespace sidespan::tls {

// Sessions of origins for resumption, each offered once; who was put in longest ago goes first.
class Sessions {
 public:
  explicit Sessions(size_t sessions_max) : sessions_max_(sessions_max) {}
  void put(const std::string& key, SslSessionPtr session);
  SslSessionPtr take(const std::string& key);

 private:
  struct Kept {
    std::string key;
    SslSessionPtr session;
  };
  size_t sessions_max_;
  std::list<Kept> kept_;
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key_;
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
