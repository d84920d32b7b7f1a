// What many connections share of TLS: whom we trust and how we present ourselves to origins
// (ClientContext), and how we speak to agents (ServerContext). TLS 1.2 and 1.3, no renegotiation,
// no compression; cipher suites are OpenSSL's own at security level 2. A context belongs to one
// thread; Trust may be shared. RFC 8446, RFC 9325.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"

struct ssl_ctx_st;     // NOLINT(readability-identifier-naming): OpenSSL's own spelling
struct x509_store_st;  // NOLINT(readability-identifier-naming)

namespace sidespan::tls {

// Whose certificates are believed.
class Trust {
 public:
  struct Options {
    bool system_roots = true;             // OpenSSL's default file and directory
    std::vector<std::string> files = {};  // PEM, beside those
    // More of them; what of these cannot be used is left out.
    std::vector<std::string> files_that_may_fail = {};
  };
  // Error kInvalid names the one of `files` that cannot be read or holds no certificate.
  static Result<std::shared_ptr<const Trust>> load(const Options& options);
  ~Trust();
  x509_store_st* store() const { return store_; }

 private:
  explicit Trust(x509_store_st* store) : store_(store) {}
  x509_store_st* store_;
};

// A certificate with its chain, and its key, as PEM text: shown to an origin that asks for one.
struct ClientCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

class ClientContext {
 public:
  struct Options {
    std::shared_ptr<const Trust> trust;
    size_t sessions_max = 256;  // kept for resumption, one for each origin
  };
  static Result<std::unique_ptr<ClientContext>> make(const Options& options);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // Shown from now on where a ClientTarget names its number, counted from 1 in the order of
  // adding. Error kInvalid says what is wrong with it.
  Result<size_t> add(const ClientCertificate& certificate);

 private:
  friend class Engine;
  struct Impl;
  explicit ClientContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class ServerContext {
 public:
  static Result<std::unique_ptr<ServerContext>> make();
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

 private:
  friend class Engine;
  explicit ServerContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace sidespan::tls
