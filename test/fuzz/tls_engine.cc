// Whatever an agent or an origin sends instead of a handshake: an error or a wait, never more. Long
// inputs continue a handshake that went well, in place of its next record.
// Where the first line has small letters and digits alone, two engines speak, and the input is what
// happens between them. The line says who they are (see Scene), the rest what they do, in small
// letters the client and on the way to the server, in capitals the server: `w`N writes, `f`
// finishes, `a` all that is under way arrives, `d`N so much of it, `p`N all in such pieces, `h` it
// is kept for who reads later, `x`NB one byte is changed, `l`N some are lost, `r` they come twice,
// `i`N the next bytes of the input come first. Nobody is ever told what the other did not write, or
// an end that he did not make; who failed stays so; what is held is bounded by what was given; and
// where nothing was altered all arrives. Some letters stand for an origin that is OpenSSL alone and
// may ask for a certificate or refuse: the outcome is the same at any cut.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/tls/engine.h"
#include "tls/certificate.h"

using namespace sidespan;
using namespace sidespan::tls;

namespace {

constexpr std::chrono::hours kDay{24};

WallTime now() {
  return SystemClock().now().wall;
}

CertificatePtr certificate_of(const std::string& pem) {
  const BioPtr memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return next_certificate(memory);
}

// Made once. The files that Trust would read are put into its store by hand.
struct World {
  World() {
    for (const Authority* root : {authority.get(), past.get()}) {
      X509_STORE_add_cert(trust->store(), certificate_of(root->certificate_pem()).get());
    }
    trusting = context(0);
    const Leaf shown = *authority->mint("agent.example", now());
    const BioPtr memory(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(memory.get(), shown.key(), nullptr, nullptr, 0, nullptr, nullptr);
    if (trusting->add({shown.certificate_pem(), text_of(memory)}) != 1) std::abort();
  }
  std::unique_ptr<ClientContext> context(size_t sessions_max) const {
    return *ClientContext::make({.trust = trust, .sessions_max = sessions_max});
  }

  std::unique_ptr<Authority> authority = *Authority::make({}, now());
  std::unique_ptr<Authority> past = *Authority::make({}, now() - 300 * kDay);
  Leaf leaf = *authority->mint("h.example", now());
  Leaf leaf_of_address = *authority->mint("2001:db8::1", now());
  Leaf leaf_that_is_over = *past->mint("h.example", now() - 300 * kDay);
  std::shared_ptr<const Trust> trust = *Trust::load({.system_roots = false});
  std::unique_ptr<ServerContext> server = *ServerContext::make();
  std::unique_ptr<ClientContext> client =
      *ClientContext::make({.trust = *Trust::load({.system_roots = false})});
  std::unique_ptr<ClientContext> trusting;
};

const World& world() {
  static const World kWorld;
  return kWorld;
}

// Who speaks, by the letters of a line.
struct Scene {
  explicit Scene(std::string_view letters)
      : wrong_name(letters.contains('n')),
        untrusting(letters.contains('u')),
        over(letters.contains('o')),
        address(letters.contains('v')),
        tls13(letters.contains('3')),
        offers(!letters.contains('p')),
        takes(letters.contains('2')   ? "h2"
              : letters.contains('1') ? "http/1.1"
                                      : "other"),
        twice(letters.contains('t')),
        asks(letters.contains('q')),
        shows(letters.contains('c')),
        old(letters.contains('e')),
        refuses(letters.contains('s')) {}

  ClientTarget target() const {
    ClientTarget target{.host = wrong_name ? "other.example" : host(), .port = 443};
    if (offers) target.alpn = {"h2", "http/1.1"};
    target.certificate = shows && !untrusting && !twice ? 1 : 0;
    target.tls13 = tls13;
    return target;
  }
  const char* host() const { return address ? "2001:db8::1" : "h.example"; }
  const Leaf& leaf() const {
    return over ? world().leaf_that_is_over : address ? world().leaf_of_address : world().leaf;
  }
  // What is wrong with the server's certificate, if anything is; OpenSSL stops at the first.
  std::optional<Code> fault() const {
    if (untrusting) return Code::kCertificateUntrusted;
    if (wrong_name || (over && address)) return Code::kCertificateName;
    return over ? std::optional(Code::kCertificateExpired) : std::nullopt;
  }

  bool wrong_name;
  bool untrusting;
  bool over;
  bool address;
  bool tls13;
  bool offers;
  std::string takes;
  bool twice;  // with the session of the first time
  // Of an origin that is OpenSSL alone.
  bool asks;
  bool shows;
  bool old;  // TLS 1.2 at most
  bool refuses;
};

// One of the two, what it wrote, and what of that is under way and has come to be read.
struct Speaker {
  std::unique_ptr<Engine> engine;
  std::string under_way = {};
  std::string written = {};
  std::string heard = {};  // of the other
  bool finished = false;
  std::optional<std::string> failed = std::nullopt;
  size_t kept_max = 0;
  size_t output_max = 0;
};

class Dialogue {
 public:
  Dialogue(const Scene& scene, ClientContext& context) : scene_(scene) {
    sides_[0].engine = Engine::client(context, scene.target());
    sides_[1].engine = Engine::server(*world().server, scene.leaf(), scene.takes);
    for (Speaker& side : sides_) settle(side);
  }

  void play(std::string_view script) {
    constexpr size_t kStepsMax = 64;
    script_ = script;
    for (size_t i = 0; i < kStepsMax && !script_.empty(); ++i) {
      const char c = take();
      step(text::to_lower(c), sides_[text::is_upper(c) ? 1 : 0], sides_[text::is_upper(c) ? 0 : 1]);
      for (Speaker& side : sides_) settle(side);
    }
    if (altered_) return;
    // What is still under way arrives.
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds; ++round) {
      for (const size_t i : {0U, 1U}) {
        deliver(sides_[i], sides_[1 - i], SIZE_MAX, SIZE_MAX);
        for (Speaker& side : sides_) settle(side);
      }
    }
    check_end();
  }

  bool resumed() const { return sides_[0].engine->resumed(); }
  bool whole() const {
    return !altered_ && sides_[0].engine->established() && sides_[1].engine->established();
  }

 private:
  char take() {
    if (script_.empty()) return 0;
    const char c = script_.front();
    script_.remove_prefix(1);
    return c;
  }
  size_t take_number() { return static_cast<uint8_t>(take()); }

  void step(char what, Speaker& from, Speaker& to) {
    switch (what) {
      case 'w':
        return write(from, take_number());
      case 'f':
        // Before the handshake is over it is given up.
        from.finished = from.finished || from.engine->established();
        altered_ = altered_ || !from.finished;
        return from.engine->finish();
      case 'a':
        return deliver(from, to, SIZE_MAX, SIZE_MAX);
      case 'd':
        return deliver(from, to, 1 + take_number(), SIZE_MAX);
      case 'p':
        return deliver(from, to, SIZE_MAX, 1 + take_number());
      case 'h':
        to.engine->feed(from.under_way);
        to.engine->handshake();
        to.engine->keep();
        to.kept_max += from.under_way.size();
        from.under_way.clear();
        return;
      default:
        return alter(what, from);
    }
  }

  void alter(char what, Speaker& from) {
    std::string& bytes = from.under_way;
    const std::string before = bytes;
    if (what == 'x') {
      const size_t at = take_number();
      const char by = take();
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ by);
    } else if (what == 'l') {
      bytes.erase(0, take_number());
    } else if (what == 'r') {
      if (bytes.size() <= kUnderWayMax) bytes += before;
    } else if (what == 'i') {
      const size_t wanted = take_number();
      const size_t size = std::min(wanted, script_.size());
      bytes.insert(0, script_.substr(0, size));
      script_.remove_prefix(size);
    }
    altered_ = altered_ || bytes != before;
  }

  void write(Speaker& side, size_t number) {
    constexpr size_t kWrittenMax = size_t{64} * 1024;
    Engine& engine = *side.engine;
    const size_t size = number * number;
    if (!engine.established() || side.written.size() + size > kWrittenMax) return;
    std::string text;
    for (size_t i = 0; i < size; ++i) {
      text.push_back(
          static_cast<char>((side.written.size() + i) * (&side == sides_ ? 7 : 11) % 251));
    }
    const size_t piece = number % 2 == 0 ? 700 : 6000;
    Chain plain;
    for (size_t at = 0; at < size; at += piece) {
      plain.append(Chunk::copy_of(std::string_view(text).substr(at, piece)));
    }
    engine.write(plain);
    side.output_max += size + size / 16;
    if (!side.finished && !side.failed) side.written += text;
  }

  void deliver(Speaker& from, Speaker& to, size_t all, size_t piece) {
    const std::string bytes = from.under_way.substr(0, all);
    from.under_way.erase(0, bytes.size());
    const size_t heard = to.heard.size();
    // Little room and much, in turn.
    Chunk plain(piece % 2 == 0 ? 16 : 4096);
    for (size_t at = 0; at == 0 || at < bytes.size();) {
      const std::string_view part = std::string_view(bytes).substr(at, piece);
      to.engine->feed(part);
      while (to.engine->read(plain)) {
        if (!to.engine->established() || plain.size() == 0) std::abort();
        to.heard += plain.view();
      }
      if (part.empty()) break;
      at += part.size();
    }
    if (!from.written.starts_with(to.heard)) std::abort();
    if (to.failed && to.heard.size() > heard) std::abort();
  }

  // After each step.
  void settle(Speaker& side) {
    const Engine& engine = *side.engine;
    const bool is_client = &side == sides_;
    const Speaker& other = sides_[is_client ? 1 : 0];
    if (is_client && engine.established() && scene_.fault()) std::abort();
    if (engine.established() && engine.peer_finished() && !other.finished) std::abort();
    if (side.failed && (!engine.failure() || engine.failure()->what != *side.failed)) std::abort();
    if (engine.failure()) {
      if (engine.failure()->side != (is_client ? Side::kOrigin : Side::kAgent)) std::abort();
      if (engine.failure()->what.empty()) std::abort();
      side.failed = engine.failure()->what;
    }
    if (engine.rejected_by_peer() && (is_client || !side.failed)) std::abort();
    if (engine.certificate_wanted()) std::abort();  // ours ask nobody
    if (static_cast<bool>(engine.peer()) != (is_client && engine.established())) std::abort();
    if (engine.established() && engine.version() != "1.3") std::abort();
    // What OpenSSL makes of as many certificates as it takes, or a hello's room; afterwards a
    // record of either way, and what the connection keeps.
    const size_t own_max = size_t{engine.established() ? 64U : 1024U} * 1024;
    constexpr size_t kHandshakeMax = size_t{8} * 1024;
    if (engine.output_bytes() > kHandshakeMax + std::exchange(side.output_max, 0)) std::abort();
    if (engine.memory_bytes() > own_max + engine.output_bytes() + side.kept_max) std::abort();
    side.under_way += side.engine->take_output().to_string();
    altered_ = altered_ || side.under_way.size() > kUnderWayMax;
    if (altered_) side.under_way.resize(std::min(side.under_way.size(), kUnderWayMax));
  }

  void check_end() {
    const Engine& client = *sides_[0].engine;
    const Engine& server = *sides_[1].engine;
    if (scene_.fault()) {
      if (!sides_[0].failed || !sides_[1].failed || !server.rejected_by_peer()) std::abort();
      if (client.failure()->code != *scene_.fault()) std::abort();
      return;
    }
    if (!client.established() || !server.established()) std::abort();
    if (client.alpn() != server.alpn() || client.resumed() != server.resumed()) std::abort();
    const bool common = scene_.offers && scene_.takes != "other";
    if (client.alpn() != (common ? scene_.takes : "")) std::abort();
    if (!client.peer().covers(scene_.host()) || client.peer().covers("other.example")) std::abort();
    for (const size_t i : {0U, 1U}) {
      const Speaker& side = sides_[i];
      const Speaker& other = sides_[1 - i];
      if (side.failed || side.heard != other.written) std::abort();
      if (side.engine->peer_finished() != other.finished || side.engine->has_unread()) std::abort();
    }
  }

  static constexpr size_t kUnderWayMax = size_t{256} * 1024;
  const Scene& scene_;
  Speaker sides_[2];
  std::string_view script_;
  bool altered_ = false;
};

// One that asks for a certificate, speaks TLS 1.2 at most, or refuses whatever protocols are
// offered.
SslPtr origin_of(const Scene& scene, BIO* in, BIO* out) {
  static const SslContextPtr kContext(SSL_CTX_new(TLS_server_method()));
  static const SslContextPtr kRefusing = [] {
    SslContextPtr context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_alpn_select_cb(
        context.get(),
        [](SSL*, const unsigned char**, unsigned char*, const unsigned char*, unsigned, void*) {
          return SSL_TLSEXT_ERR_ALERT_FATAL;
        },
        nullptr);
    return context;
  }();
  SslPtr ssl(SSL_new((scene.refuses ? kRefusing : kContext).get()));
  const Leaf& leaf = scene.leaf();
  SSL_use_cert_and_key(ssl.get(), leaf.certificate(), leaf.key(), leaf.chain(), 1);
  if (scene.old) SSL_set_max_proto_version(ssl.get(), TLS1_2_VERSION);
  if (scene.asks) {
    SSL_set_verify(ssl.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                   [](int, X509_STORE_CTX*) { return 1; });
  }
  BIO_up_ref(in);
  BIO_up_ref(out);
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_accept_state(ssl.get());
  return ssl;
}

void check_outcome(const Scene& scene, const Engine& client, std::string_view heard) {
  const auto failed = [&](Code code, std::string_view words) {
    if (!client.failure() || client.failure()->code != code || !heard.empty()) std::abort();
    if (!client.failure()->what.contains(words)) std::abort();
  };
  if (scene.old && scene.tls13) return failed(Code::kTlsFailure, "speaks TLS 1.2 at most");
  if (scene.refuses && scene.offers) return failed(Code::kNoProtocol, "refused the TLS handshake");
  if (scene.fault()) return failed(*scene.fault(), "certificate");
  if (client.version() != (scene.old ? "1.2" : "1.3")) std::abort();
  const bool shown = scene.target().certificate > 0;
  if (client.certificate_wanted() != (scene.asks && !shown)) std::abort();
  if (scene.asks && !shown) return failed(Code::kCertificateRequired, "tls.client_certificates");
  if (client.failure() || !client.established() || heard != "heard") std::abort();
}

// Each byte of `cuts` is how much of what it says the client reads at once.
void check_origin(const Scene& scene, ClientContext& context, std::string_view cuts) {
  const BioPtr to_origin(BIO_new(BIO_s_mem()));
  const BioPtr to_client(BIO_new(BIO_s_mem()));
  const SslPtr origin = origin_of(scene, to_origin.get(), to_client.get());
  const auto client = Engine::client(context, scene.target());
  std::string heard;
  bool answered = false;
  size_t cut = 0;
  constexpr int kFlights = 4;
  for (int flight = 0; flight < kFlights; ++flight) {
    const std::string said = client->take_output().to_string();
    BIO_write(to_origin.get(), said.data(), static_cast<int>(said.size()));
    if (SSL_do_handshake(origin.get()) == 1 && !std::exchange(answered, true)) {
      SSL_write(origin.get(), "heard", 5);
    }
    std::string answer = text_of(to_client);
    BIO_reset(to_client.get());
    for (std::string_view rest = answer; !rest.empty();) {
      const size_t size =
          cuts.empty() ? rest.size() : 1 + static_cast<uint8_t>(cuts[cut++ % cuts.size()]);
      const std::string_view piece = rest.substr(0, size);
      rest.remove_prefix(piece.size());
      client->feed(piece);
      Chunk plain;
      while (client->read(plain)) heard += plain.view();
    }
  }
  ERR_clear_error();
  check_outcome(scene, *client, heard);
}

void check_dialogue(const Scene& scene, std::string_view script) {
  const std::unique_ptr<ClientContext> own = scene.twice ? world().context(4) : nullptr;
  ClientContext& context = scene.untrusting ? *world().client : own ? *own : *world().trusting;
  if (scene.asks || scene.old || scene.refuses) return check_origin(scene, context, script);
  Dialogue first(scene, context);
  first.play(script);
  if (!scene.twice) return;
  Dialogue second(scene, context);
  second.play(script);
  if (first.whole() && second.whole() && !second.resumed()) std::abort();
}

void read_all(Engine& engine, std::string_view bytes) {
  engine.feed(bytes);
  Chunk plain;
  while (engine.read(plain)) {
    if (!engine.established()) std::abort();
  }
  engine.take_output();
}

// In place of a handshake, and of the record after a hello.
void check_strange(std::string_view bytes) {
  const World& all = world();
  const auto server = Engine::server(*all.server, all.leaf, "http/1.1");
  read_all(*server, bytes);
  const auto client = Engine::client(*all.client, {.host = "h.example", .alpn = {"http/1.1"}});
  const std::string hello = client->take_output().to_string();
  read_all(*client, bytes);
  if (client->established()) std::abort();  // nobody is trusted

  const auto greeted = Engine::server(*all.server, all.leaf, "http/1.1");
  read_all(*greeted, hello);
  read_all(*greeted, bytes);
  if (greeted->established()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::optional<std::string_view> script = bytes;
  const std::string_view letters = text::split_first(script, '\n');
  const bool is_scene = script && std::ranges::all_of(letters, [](char c) {
                          return text::is_lower(c) || text::is_digit(c);
                        });
  is_scene ? check_dialogue(Scene(letters), *script) : check_strange(bytes);
  return 0;
}
