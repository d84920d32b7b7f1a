// What a worker knows about the origins its requests go to, so that what depends on nothing but
// options, name and address is worked out once and not for every request: whether the name may be
// called, what its destination may see, how its durations are counted, what spans say of it.
// Bounded; an entry stays while an exchange uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "proxy_metrics.h"
#include "sidespan/http/uri.h"
#include "sidespan/net/address.h"
#include "sidespan/proxy/options.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/wire/pool.h"

namespace sidespan::proxy {

class KnownOrigin {
 public:
  KnownOrigin(const Options& options, const http::Authority& authority, uint16_t port, bool secure);
  // The agent's own server, by `options.ingress`: nothing is denied, and no second proxy leads to
  // it.
  explicit KnownOrigin(const Options& options);

  // `egress.deny`, by name alone; the address is tested when it is dialled.
  bool denied() const { return denied_; }
  // Connections to it that belong to no agent's in particular. Plain HTTP that goes by the second
  // proxy shares those to that.
  const wire::PoolKey& key() const { return key_; }
  // What the worker's pool has by it.
  wire::Pool::Known& pooled() { return pooled_; }
  // The second proxy wants the whole URL.
  bool absolute() const { return through_ && !key_.secure; }
  // The same origin for a tunnel: never by absolute-form.
  const wire::PoolKey& tunnel_key() const { return tunnel_key_; }
  // The value of Host: no port where it is the scheme's own.
  const std::string& authority() const { return authority_; }

  // By TLS it takes nothing but HTTP/2, as far as is known: it refused to be asked by HTTP/1.1.
  bool h2_alone() const { return h2_alone_; }
  void refused_h1() { h2_alone_ = true; }

  // What may be sent to it at that address; none: nobody knows it.
  const DestinationRule& rule(const net::Address& peer);
  // Whether it gets context, as far as that is known before it is dialled.
  bool takes_context() const;
  // What spans say of that address; null: there is none.
  const trace::Attributes::Packed* peer(const net::Address& peer);
  // What spans say of calls to it by such a URL.
  const semconv::KnownTarget& target(const http::Url& url);
  // What spans of calls say alike that have that target and that peer, which were asked for last.
  semconv::KnownCalls& alike() { return alike_; }
  void record_duration(ProxyMetrics& metrics, const ProxyMetrics::Attempt& attempt, double seconds);

 private:
  friend class OriginBook;
  void look_at(const net::Address& peer);
  const DestinationRule& find_rule(const net::Address* peer) const;

  const Options& options_;
  bool through_;  // the second proxy
  wire::PoolKey tunnel_key_;
  wire::PoolKey key_;
  wire::Pool::Known pooled_;
  std::string authority_;
  bool denied_;
  bool h2_alone_ = false;
  uint32_t users_ = 0;

  // Of the address that was asked about last.
  net::Address peer_;
  std::optional<trace::Attributes::Packed> peer_told_;
  const DestinationRule* rule_ = nullptr;

  std::optional<semconv::KnownTarget> target_;
  semconv::KnownCalls alike_;

  // Of the attempt that was counted last.
  std::string method_;
  int status_ = 0;
  std::string reason_;
  metrics::Histogram* durations_ = nullptr;
};

class OriginBook {
 public:
  // Keeps an entry where it is.
  class Use {
   public:
    Use() = default;
    explicit Use(KnownOrigin& origin) : origin_(&origin) { ++origin.users_; }
    Use(Use&& other) noexcept : origin_(std::exchange(other.origin_, nullptr)) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(origin_, other.origin_);
      return *this;
    }
    ~Use() {
      if (origin_ != nullptr) --origin_->users_;
    }
    explicit operator bool() const { return origin_ != nullptr; }
    KnownOrigin* operator->() const { return origin_; }
    KnownOrigin& operator*() const { return *origin_; }

   private:
    KnownOrigin* origin_ = nullptr;
  };

  explicit OriginBook(const Options& options) : options_(options) {}

  // There must be an ingress.
  Use agents_server();
  // The entry of `authority`, made where there is none. `port`: the effective one. `secure`: by
  // TLS.
  Use find(const http::Authority& authority, uint16_t port, bool secure);
  // The same for a request's target, which the codec let through as an absolute URL. Most begin
  // with a text, up to their path, that was met before; only others are parsed. Fills `url`. Error
  // side: kAgent.
  Result<Use> find(std::string_view target, http::Url& url);
  size_t size() const { return origins_.size(); }

  static constexpr size_t kOriginsMax = 1024;

 private:
  struct Name {
    std::string host;
    std::optional<uint16_t> port;  // as written
    uint16_t effective_port;
    bool secure;
  };
  struct NameView {
    std::string_view host;
    std::optional<uint16_t> port;
    uint16_t effective_port;
    bool secure;
  };
  // Looks up without making a Name.
  struct Hash {
    using is_transparent = void;
    size_t operator()(const NameView& name) const;
    size_t operator()(const Name& name) const;
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.effective_port == b.effective_port && a.secure == b.secure && a.port == b.port &&
             a.host == b.host;
    }
  };
  // "http://host:port" as written, with what it means.
  struct Beginning {
    std::string_view scheme;
    http::Authority authority;
    KnownOrigin& origin;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Beginnings = std::unordered_map<std::string, Beginning, TextHash, std::equal_to<>>;

  // That which `target` begins with up to its path; null: none of them.
  const Beginnings::value_type* beginning_of(std::string_view target);
  void forget_beginnings();
  void forget_unused();
  void remember(std::string_view target, const http::Url& url, const Use& origin);

  const Options& options_;
  std::optional<KnownOrigin> agents_server_;
  std::unordered_map<Name, KnownOrigin, Hash, Equal> origins_;
  Beginnings beginnings_;
  const Beginnings::value_type* recent_ = nullptr;  // of them, used last
};

}  // namespace sidespan::proxy
