#include "sidespan/tls/engine.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "context_impl.h"
#include "counted_memory.h"
#include "openssl.h"
#include "verification.h"

namespace sidespan::tls {
namespace {

// A record's payload at most (RFC 8446 section 5.1).
constexpr size_t kRecordBytes = size_t{16} * 1024;
// Pieces smaller than this are joined, so that a head and its body are one record.
constexpr size_t kJoinedBytes = size_t{4} * 1024;

// How OpenSSL puts an alert of the peer into its error queue.
constexpr int kAlertReasons = SSL_AD_REASON_OFFSET;

// Alerts by which a client says that it does not take our certificate (RFC 8446 section 6.2).
bool is_rejection(int alert) {
  constexpr std::array<int, 6> kAlerts = {
      SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
      SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,     SSL_AD_UNKNOWN_CA};
  return std::ranges::find(kAlerts, alert) != kAlerts.end();
}

// By which servers say that they wanted one, TLS 1.2 among others.
bool is_about_certificates(int alert) {
  constexpr std::array<int, 3> kAlerts = {SSL_AD_HANDSHAKE_FAILURE, SSL_AD_ACCESS_DENIED,
                                          SSL_AD_CERTIFICATE_REQUIRED};
  return is_rejection(alert) || std::ranges::find(kAlerts, alert) != kAlerts.end();
}

// ALPN's list as it is on the wire: each name with its length before it.
std::string encode_alpn(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) {
    list.push_back(static_cast<char>(protocol.size()));
    list.append(protocol);
  }
  return list;
}

const unsigned char* unsigned_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

struct Engine::Impl {
  Impl(SSL_CTX* context, bool server);
  ~Impl();

  void handshake();
  void on_established();
  void forget_chain();
  bool read(Chunk& plain);
  void seal(const Chain& plain);
  void seal(std::string_view plain);
  void on_error(int result);
  Error error_of(int reason) const;
  std::string origin() const;
  Side peer_side() const { return is_server ? Side::kAgent : Side::kOrigin; }

  // OpenSSL's view of the connection: it reads what was fed, and what it writes is output.
  static int bio_read(BIO* bio, char* to, size_t room, size_t* got);
  static int bio_write(BIO* bio, const char* from, size_t size, size_t* taken);
  static BIO_METHOD* bio_method();
  static int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* size,
                         const unsigned char* list, unsigned int list_size, void*);
  static Impl& of(SSL* ssl) { return *static_cast<Impl*>(SSL_get_app_data(ssl)); }

  std::string_view in;  // fed and not taken yet
  Chain kept;           // the same, from before
  Chain out;
  std::string host;  // client: whom the certificate must name
  uint16_t port = 0;
  std::string session_key;
  std::string alpn;  // server: what it takes
  std::optional<Error> failure;
  PeerCertificate peer;
  int64_t share = 0;  // of what OpenSSL holds
  SslPtr ssl;
  bool is_server;
  bool tls13 = false;  // nothing older
  bool established = false;
  bool peer_finished = false;
  bool finishing = false;
  bool rejected = false;
  bool certificate_wanted = false;
};

int Engine::Impl::bio_read(BIO* bio, char* to, size_t room, size_t* got) {
  auto& impl = *static_cast<Impl*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::string_view from = impl.kept.empty() ? impl.in : impl.kept.front();
  if (from.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *got = from.copy(to, room);
  impl.kept.empty() ? impl.in.remove_prefix(*got) : impl.kept.consume(*got);
  return 1;
}

int Engine::Impl::bio_write(BIO* bio, const char* from, size_t size, size_t* taken) {
  static_cast<Impl*>(BIO_get_data(bio))->out.append(std::string_view(from, size));
  *taken = size;
  return 1;
}

BIO_METHOD* Engine::Impl::bio_method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "chains");
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    BIO_meth_set_create(method, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return method;
  }();
  return kMethod;
}

int Engine::Impl::select_alpn(SSL* ssl, const unsigned char** out, unsigned char* size,
                              const unsigned char* list, unsigned int list_size, void*) {
  const std::string& wanted = of(ssl).alpn;
  for (unsigned int at = 0; at < list_size; at += 1U + list[at]) {
    const std::string_view offered(reinterpret_cast<const char*>(list + at + 1), list[at]);
    if (offered != wanted || wanted.empty()) continue;
    *out = list + at + 1;
    *size = list[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

Engine::Impl::Impl(SSL_CTX* context, bool server) : is_server(server) {
  const CountedShare counted(share);
  ssl.reset(SSL_new(context));
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, this);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), this);
}

Engine::Impl::~Impl() {
  // Whichever way a connection ended, its session may be resumed: OpenSSL would spoil that of one
  // that was not shut down.
  SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void Engine::Impl::handshake() {
  if (established || failure || finishing) return;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl.get());
  if (result == 1) return on_established();
  on_error(result);
}

void Engine::Impl::on_established() {
  established = true;
  if (is_server) return;
  peer = PeerCertificate(std::shared_ptr<x509_st>(SSL_get1_peer_certificate(ssl.get()), X509_free));
  forget_chain();
}

// The origin is verified, and of all that it showed its own certificate alone is asked for again;
// those that vouch for it OpenSSL has beside these. The rest, as much as kShownBytesMax and several
// times that once it is read, would stay for as long as the connection.
void Engine::Impl::forget_chain() {
  STACK_OF(X509)* const shown = SSL_get_peer_cert_chain(ssl.get());
  while (sk_X509_num(shown) > 1) X509_free(sk_X509_pop(shown));
}

bool Engine::Impl::read(Chunk& plain) {
  plain.clear();
  handshake();
  if (!established) return false;
  if (plain.room() == 0) plain = Chunk(kRecordBytes);
  while (!failure && !peer_finished && plain.room() > 0) {
    const std::span<char> spare = plain.spare();
    size_t got = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl.get(), spare.data(), spare.size(), &got);
    if (result != 1) {
      on_error(result);
      break;
    }
    plain.use(got);
  }
  return plain.size() > 0;
}

void Engine::Impl::seal(const Chain& plain) {
  std::array<char, kRecordBytes> joined;
  size_t size = 0;
  const auto pass_on = [&] {
    if (size > 0) seal(std::string_view(joined.data(), std::exchange(size, 0)));
  };
  plain.visit([&](std::string_view piece) {
    if (size + piece.size() > joined.size()) pass_on();
    if (piece.size() >= kJoinedBytes) {
      pass_on();
      return seal(piece);
    }
    piece.copy(joined.data() + size, piece.size());
    size += piece.size();
  });
  pass_on();
}

void Engine::Impl::seal(std::string_view plain) {
  while (!plain.empty() && !failure) {
    size_t taken = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl.get(), plain.data(), plain.size(), &taken);
    if (result != 1) return on_error(result);
    plain.remove_prefix(taken);
  }
}

void Engine::Impl::on_error(int result) {
  switch (SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return;
    case SSL_ERROR_ZERO_RETURN:
      peer_finished = true;
      return;
    default: {
      const int reason = ERR_GET_REASON(ERR_peek_error());
      rejected = is_server && is_rejection(reason - kAlertReasons);
      failure = error_of(reason);
      ERR_clear_error();
    }
  }
}

// "example.com:443".
std::string Engine::Impl::origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + (port == 0 ? "" : ":" + std::to_string(port));
}

Error Engine::Impl::error_of(int reason) const {
  if (!is_server && !established && SSL_get_verify_result(ssl.get()) != X509_V_OK) {
    return verification_error(ssl.get(), host, origin());
  }
  const std::string whose = is_server ? "the agent" : origin();
  const int alert = reason - kAlertReasons;
  if (certificate_wanted && is_about_certificates(alert)) {
    return {Code::kCertificateRequired, Side::kOrigin, false,
            origin() + " wants a client certificate, and tls.client_certificates has none for it"};
  }
  if (tls13 && (reason == SSL_R_UNSUPPORTED_PROTOCOL || alert == SSL_AD_PROTOCOL_VERSION)) {
    return {Code::kTlsFailure, Side::kOrigin, false,
            origin() + " speaks TLS 1.2 at most, and the agent takes nothing below TLS 1.3"};
  }
  if (reason > kAlertReasons) {
    // Who has never heard of TLS 1.3 finds no cipher suite of its own.
    const bool may_be_old = tls13 && alert == SSL_AD_HANDSHAKE_FAILURE;
    const bool no_protocol = alert == SSL_AD_NO_APPLICATION_PROTOCOL;
    return {no_protocol ? Code::kNoProtocol : Code::kTlsFailure, peer_side(), false,
            whose + " refused the TLS handshake" +
                (may_be_old ? ", the agent taking nothing below TLS 1.3: " : ": ") +
                SSL_alert_desc_string_long(alert)};
  }
  if (!is_server && reason == SSL_R_WRONG_VERSION_NUMBER) {
    return {Code::kTlsFailure, Side::kOrigin, false, origin() + " does not speak TLS"};
  }
  if (reason == SSL_R_EXCESSIVE_MESSAGE_SIZE && SSL_get_state(ssl.get()) == TLS_ST_CR_CERT) {
    return {Code::kTlsFailure, Side::kOrigin, false,
            origin() + " shows more than " + std::to_string(kShownBytesMax / 1024) +
                " KiB of certificates, and sidespan takes no more"};
  }
  const char* text = ERR_reason_error_string(ERR_peek_error());
  return {Code::kTlsFailure, peer_side(), false,
          "TLS with " + whose + " failed: " + (text == nullptr ? "unknown error" : text)};
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() = default;

std::unique_ptr<Engine> Engine::client(ClientContext& context, const ClientTarget& target) {
  auto impl = std::make_unique<Impl>(context.impl_->context.get(), false);
  const CountedShare counted(impl->share);
  SSL* ssl = impl->ssl.get();
  impl->host = target.host;
  impl->port = target.port;
  impl->tls13 = target.tls13;
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(
      verify, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(verify, target.host.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(verify, target.host.data(), target.host.size());
    SSL_set_tlsext_host_name(ssl, target.host.c_str());
  }
  const std::string alpn = encode_alpn(target.alpn);
  if (!alpn.empty())
    SSL_set_alpn_protos(ssl, unsigned_of(alpn), static_cast<unsigned>(alpn.size()));
  if (target.certificate > 0) {
    const Shown& shown = context.impl_->shown.at(target.certificate - 1);
    SSL_use_certificate(ssl, shown.certificate.get());
    SSL_use_PrivateKey(ssl, shown.key.get());
    for (const CertificatePtr& link : shown.chain) SSL_add1_chain_cert(ssl, link.get());
  }
  impl->session_key = target.host + ":" + std::to_string(target.port) + " " + alpn + " " +
                      std::to_string(target.certificate);
  SSL_set_ex_data(ssl, session_key_index(), &impl->session_key);
  if (const SslSessionPtr session = context.impl_->sessions.take(impl->session_key)) {
    SSL_set_session(ssl, session.get());
  }
  if (target.tls13) SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
  SSL_set_connect_state(ssl);
  impl->handshake();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

std::unique_ptr<Engine> Engine::server(const ServerContext& context, const Leaf& leaf,
                                       std::string_view alpn) {
  auto impl = std::make_unique<Impl>(context.context_, true);
  const CountedShare counted(impl->share);
  SSL* ssl = impl->ssl.get();
  impl->alpn = alpn;
  SSL_use_cert_and_key(ssl, leaf.certificate(), leaf.key(), leaf.chain(), 1);
  // A session is resumed only under the certificate it began with.
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  X509_digest(leaf.certificate(), EVP_sha256(), digest.data(), &size);
  SSL_set_session_id_context(ssl, digest.data(), std::min<unsigned>(size, SSL_MAX_SID_CTX_LENGTH));
  SSL_set_accept_state(ssl);
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

void Engine::feed(std::string_view bytes) {
  impl_->in = bytes;
}

bool Engine::read(Chunk& plain) {
  const CountedShare counted(impl_->share);
  return impl_->read(plain);
}

void Engine::handshake() {
  const CountedShare counted(impl_->share);
  impl_->handshake();
}

void Engine::keep() {
  impl_->kept.append(std::exchange(impl_->in, {}));
}

void Engine::write(const Chain& plain) {
  assert(impl_->established);
  const CountedShare counted(impl_->share);
  if (!impl_->failure && !impl_->finishing) impl_->seal(plain);
}

void Engine::prepare(ssl_ctx_st* context, bool server) {
  if (server) return SSL_CTX_set_alpn_select_cb(context, Impl::select_alpn, nullptr);
  // Asked only where no certificate was set.
  SSL_CTX_set_client_cert_cb(context, [](SSL* ssl, X509**, EVP_PKEY**) {
    Impl::of(ssl).certificate_wanted = true;
    // Resumed, the origin would not ask again, and we would not know that it wanted one.
    SSL_set_ex_data(ssl, session_key_index(), nullptr);
    return 0;
  });
}

void Engine::finish() {
  if (std::exchange(impl_->finishing, true) || impl_->failure || !impl_->established) return;
  const CountedShare counted(impl_->share);
  ERR_clear_error();
  SSL_shutdown(impl_->ssl.get());
}

Chain Engine::take_output() {
  return std::exchange(impl_->out, {});
}

size_t Engine::output_bytes() const {
  return impl_->out.size();
}

bool Engine::established() const {
  return impl_->established;
}

bool Engine::peer_finished() const {
  return impl_->peer_finished;
}

const std::optional<Error>& Engine::failure() const {
  return impl_->failure;
}

bool Engine::rejected_by_peer() const {
  return impl_->rejected;
}

bool Engine::certificate_wanted() const {
  return impl_->certificate_wanted;
}

std::string_view Engine::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(impl_->ssl.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view Engine::version() const {
  return SSL_version(impl_->ssl.get()) == TLS1_3_VERSION ? "1.3" : "1.2";
}

bool Engine::resumed() const {
  return SSL_session_reused(impl_->ssl.get()) == 1;
}

const PeerCertificate& Engine::peer() const {
  return impl_->peer;
}

bool Engine::has_unread() const {
  // Where it has the header of a record, and that alone, it says so by its state.
  constexpr std::string_view kReadsHeader = "RH";
  SSL* const ssl = impl_->ssl.get();
  return !impl_->kept.empty() || SSL_has_pending(ssl) == 1 ||
         SSL_rstate_string(ssl) != kReadsHeader;
}

size_t Engine::memory_bytes() const {
  // It may have freed what others had made: a certificate of which it was the last to let go.
  return static_cast<size_t>(std::max(impl_->share, int64_t{0})) + impl_->out.size() +
         impl_->kept.size();
}

bool PeerCertificate::covers(std::string_view host) const {
  if (!certificate_) return false;
  const std::string name(host);
  if (X509_check_ip_asc(certificate_.get(), name.c_str(), 0) == 1) return true;
  return X509_check_host(certificate_.get(), name.data(), name.size(),
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

}  // namespace sidespan::tls
