// TLS on one connection as a pure machine, with a codec's verbs: feed what came from the peer,
// write what is to go to it, take the output. No sockets, no clock but OpenSSL's own for
// certificates. wire::Connection puts one between a socket and a codec. While nothing is under way
// OpenSSL's buffers are given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/buffer.h"
#include "sidespan/base/error.h"
#include "sidespan/tls/authority.h"
#include "sidespan/tls/context.h"

namespace sidespan::tls {

// Whom a client wants, and how.
struct ClientTarget {
  std::string host;   // DNS name (sent as SNI) or IP literal: the certificate must name it
  uint16_t port = 0;  // tells sessions to be resumed apart, no more
  std::vector<std::string> alpn = {};  // the best first; empty: none is offered
  size_t certificate = 0;              // of ClientContext::add; 0: none
  bool tls13 = false;                  // nothing older

  bool operator==(const ClientTarget&) const = default;
};

// What a peer showed, verified, and kept for later questions. Copies share it.
class PeerCertificate {
 public:
  PeerCertificate() = default;
  explicit PeerCertificate(std::shared_ptr<x509_st> certificate)
      : certificate_(std::move(certificate)) {}
  // Is it for this host, too? By its subjectAltName alone (RFC 9110 section 4.3.4).
  bool covers(std::string_view host) const;
  explicit operator bool() const { return certificate_ != nullptr; }

 private:
  std::shared_ptr<x509_st> certificate_;
};

class Engine {
 public:
  // The client's first bytes wait as output at once. Contexts and leaves may go afterwards, but a
  // ClientContext that keeps sessions outlives its engines.
  static std::unique_ptr<Engine> client(ClientContext& context, const ClientTarget& target);
  // Takes `alpn` where the client offers it, else none.
  static std::unique_ptr<Engine> server(const ServerContext& context, const Leaf& leaf,
                                        std::string_view alpn);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Bytes from the peer. The view is used until read() has returned false, or keep() was called.
  void feed(std::string_view bytes);
  // Goes on with the handshake, as far as what was fed leads.
  void handshake();
  // The same; then what was decrypted, as much as there is room for in `plain`, emptied before (one
  // without room gets some). False: nothing more, all that was fed is taken.
  bool read(Chunk& plain);
  // Copies what is left of the bytes fed.
  void keep();
  // Encrypts; once established.
  void write(const Chain& plain);
  // close_notify after what was written; write() no more.
  void finish();
  Chain take_output();
  bool has_output() const { return output_bytes() > 0; }
  size_t output_bytes() const;
  // Of what was fed something was not read yet, which may be the beginning of a record.
  bool has_unread() const;

  // The handshake is over, and well.
  bool established() const;
  // The peer said close_notify: it sends nothing more.
  bool peer_finished() const;
  // Dead: the handshake failed or a record was not what it must be. An alert for the peer may wait
  // as output. The side is that of the peer, its mistake or its wish.
  const std::optional<Error>& failure() const;
  // The peer refused our certificate with an alert: it does not know, or does not want, who signed
  // it.
  bool rejected_by_peer() const;
  // The server wants a certificate of the client, and none was shown.
  bool certificate_wanted() const;

  // Once established.
  std::string_view alpn() const;     // empty: none
  std::string_view version() const;  // "1.2", "1.3"; static storage
  bool resumed() const;
  const PeerCertificate& peer() const;

  // What it holds, all of which is in the memory ledger already.
  size_t memory_bytes() const;

 private:
  friend class ClientContext;
  friend class ServerContext;
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  static void prepare(ssl_ctx_st* context, bool server);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::tls
