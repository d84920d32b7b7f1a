#include "sidespan/tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <cstdlib>
#include <iterator>
#include <utility>

#include "context_impl.h"
#include "counted_memory.h"
#include "openssl.h"
#include "sidespan/tls/authority.h"
#include "sidespan/tls/engine.h"

namespace sidespan::tls {
namespace {

constexpr int kSecurityLevel = 2;
// A ticket and a certificate have 1 to 4 KiB together, more only where a certificate names hundreds
// of hosts.
constexpr size_t kSessionBytesMax = size_t{8} * 1024;
// Sessions, of the ledger's limit, a worker.
constexpr size_t kSessionsShare = 64;

std::unexpected<Error> invalid(std::string what) {
  ERR_clear_error();
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

std::unexpected<Error> no_context() {
  return fail(Code::kSystem, Side::kSelf, "OpenSSL makes no context: " + take_error());
}

SslContextPtr make_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(context.get(), kSecurityLevel);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_max_cert_list(context.get(), kShownBytesMax);
  return context;
}

// What OpenSSL takes for the system's file: its variable decides, where it is set.
std::string_view default_file() {
  const char* const named = ::secure_getenv(X509_get_default_cert_file_env());
  return named != nullptr ? named : X509_get_default_cert_file();
}

// TLS 1.3 clients may offer a session once only (RFC 8446 appendix C.4): what is taken is gone.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* sessions = static_cast<Sessions*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto* key = static_cast<const std::string*>(SSL_get_ex_data(ssl, session_key_index()));
  if (key != nullptr) sessions->put(*key, *session);
  return 0;  // it stays OpenSSL's
}

}  // namespace

int session_key_index() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

void Sessions::put(const std::string& key, const SSL_SESSION& session) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  const int size = ::i2d_SSL_SESSION(&session, nullptr);
  if (size <= 0 || static_cast<size_t>(size) > kSessionBytesMax) return;
  std::string written(static_cast<size_t>(size), '\0');
  auto* to = reinterpret_cast<unsigned char*>(written.data());
  ::i2d_SSL_SESSION(&session, &to);
  charge_.set(charge_.bytes() + written.size());
  kept_.push_front({key, std::move(written)});
  by_key_.emplace(kept_.front().key, kept_.begin());
  while (is_over()) forget(std::prev(kept_.end()));
}

SslSessionPtr Sessions::take(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const std::string& written = found->second->session;
  const auto* from = reinterpret_cast<const unsigned char*>(written.data());
  SslSessionPtr session(::d2i_SSL_SESSION(nullptr, &from, static_cast<long>(written.size())));
  forget(found->second);
  // What the origin showed then is not looked at again, except for its end.
  const X509* shown = session ? SSL_SESSION_get0_peer(session.get()) : nullptr;
  if (shown == nullptr || X509_cmp_current_time(X509_get0_notAfter(shown)) < 0) return nullptr;
  return session;
}

void Sessions::forget(Place kept) {
  charge_.set(charge_.bytes() - kept->session.size());
  by_key_.erase(kept->key);
  wipe(kept->session);
  kept_.erase(kept);
}

bool Sessions::is_over() const {
  return kept_.size() > sessions_max_ || exceeds_part(charge_.bytes(), kSessionsShare);
}

Result<std::shared_ptr<const Trust>> Trust::load(const Options& options) {
  StorePtr store(X509_STORE_new());
  if (!store) return no_context();
  if (options.system_roots && X509_STORE_set_default_paths(store.get()) != 1) {
    return invalid("the system's certificates cannot be read: " + take_error());
  }
  for (const std::string& file : options.files) {
    if (X509_STORE_load_file(store.get(), file.c_str()) != 1) {
      return invalid(file + " holds no certificate that can be read: " + take_error());
    }
  }
  for (const std::string& file : options.files_that_may_fail) {
    // Reading it takes longer than all else at start.
    const bool is_default = options.system_roots && file == default_file();
    if (!is_default && X509_STORE_load_file(store.get(), file.c_str()) != 1) ERR_clear_error();
  }
  return std::shared_ptr<const Trust>(new Trust(store.release()));
}

Trust::~Trust() {
  X509_STORE_free(store_);
}

ClientContext::ClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ClientContext::~ClientContext() = default;

Result<std::unique_ptr<ClientContext>> ClientContext::make(const Options& options) {
  auto impl = std::make_unique<Impl>(options.sessions_max);
  impl->context = make_context(TLS_client_method());
  if (!impl->context) return no_context();
  SSL_CTX* context = impl->context.get();
  SSL_CTX_set1_cert_store(context, options.trust->store());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context, &impl->sessions);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  Engine::prepare(context, false);
  return std::unique_ptr<ClientContext>(new ClientContext(std::move(impl)));
}

Result<size_t> ClientContext::add(const ClientCertificate& certificate) {
  const BioPtr text(BIO_new_mem_buf(certificate.certificate_pem.data(),
                                    static_cast<int>(certificate.certificate_pem.size())));
  const BioPtr key_text(
      BIO_new_mem_buf(certificate.key_pem.data(), static_cast<int>(certificate.key_pem.size())));
  Shown shown;
  shown.certificate = next_certificate(text);
  if (!shown.certificate) return invalid("no client certificate in PEM: " + take_error());
  while (CertificatePtr next = next_certificate(text)) shown.chain.push_back(std::move(next));
  ERR_clear_error();
  shown.key.reset(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_pass_phrase, nullptr));
  if (!shown.key) return invalid("no unencrypted private key in PEM: " + take_error());
  if (X509_check_private_key(shown.certificate.get(), shown.key.get()) != 1) {
    return invalid("the key is not that of the client certificate");
  }
  impl_->shown.push_back(std::move(shown));
  return impl_->shown.size();
}

Result<std::unique_ptr<ServerContext>> ServerContext::make() {
  SslContextPtr context = make_context(TLS_server_method());
  if (!context) return no_context();
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Tickets alone: nothing is kept here for agents that went.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  Engine::prepare(context.get(), true);
  return std::unique_ptr<ServerContext>(new ServerContext(context.release()));
}

ServerContext::~ServerContext() {
  SSL_CTX_free(context_);
}

}  // namespace sidespan::tls
