#include "origin_book.h"

#include <functional>
#include <utility>

namespace sidespan::proxy {

namespace {

wire::PoolKey key_for(const Options& options, const wire::PoolKey& tunnel, bool secure) {
  wire::PoolKey key = tunnel;
  if (secure) {
    key.secure = key.h2 = true;
    key.certificate = client_certificate_for(options.client_certificates, key.host);
  } else if (key.through) {
    key = {.host = options.second_proxy.host, .port = options.second_proxy.port};
  }
  return key;
}

}  // namespace

KnownOrigin::KnownOrigin(const Options& options, const http::Authority& authority, uint16_t port,
                         bool secure)
    : options_(options),
      through_(options.second_proxy.leads_to(authority.host, port)),
      tunnel_key_{.host = std::string(authority.host), .port = port, .through = through_},
      key_(key_for(options, tunnel_key_, secure)),
      authority_(authority.to_string()),
      denied_(matches(options.deny, authority.host, nullptr) ||
              (through_ && is_hidden_address(authority.host))) {}

KnownOrigin::KnownOrigin(const Options& options)
    : options_(options),
      through_(false),
      tunnel_key_{.host = options.ingress.host, .port = options.ingress.port, .own = true},
      key_(tunnel_key_),
      authority_(http::Authority{options.ingress.host, options.ingress.port}.to_string()),
      denied_(false) {}

void KnownOrigin::look_at(const net::Address& peer) {
  peer_ = peer;
  peer_told_.reset();
  alike_.clear();
  if (peer) peer_told_ = semconv::known_peer(peer.ip(), peer.port(), options_.spans);
  rule_ = &find_rule(peer ? &peer : nullptr);
}

const DestinationRule& KnownOrigin::find_rule(const net::Address* peer) const {
  const Door door = tunnel_key_.own ? Door::kIngress : Door::kEgress;
  return rule_for(options_.destinations, door, tunnel_key_.host, peer);
}

const DestinationRule& KnownOrigin::rule(const net::Address& peer) {
  if (rule_ == nullptr || peer != peer_) look_at(peer);
  return *rule_;
}

bool KnownOrigin::takes_context() const {
  return (rule_ != nullptr ? *rule_ : find_rule(nullptr)).traceparent;
}

const trace::Attributes::Packed* KnownOrigin::peer(const net::Address& peer) {
  if (rule_ == nullptr || peer != peer_) look_at(peer);
  return peer_told_ ? &*peer_told_ : nullptr;
}

const semconv::KnownTarget& KnownOrigin::target(const http::Url& url) {
  if (!target_ || target_->scheme != url.scheme) {
    target_.emplace(url, options_.spans);
    alike_.clear();
  }
  return *target_;
}

void KnownOrigin::record_duration(ProxyMetrics& metrics, const ProxyMetrics::Attempt& attempt,
                                  double seconds) {
  const bool same = durations_ != nullptr && attempt.status == status_ &&
                    attempt.reason == reason_ && attempt.method == method_;
  if (!same) {
    durations_ = &metrics.durations_of(attempt);
    method_ = attempt.method;
    status_ = attempt.status;
    reason_ = attempt.reason;
  }
  durations_->record(seconds);
}

size_t OriginBook::Hash::operator()(const NameView& name) const {
  return std::hash<std::string_view>()(name.host) ^ name.effective_port;
}

size_t OriginBook::Hash::operator()(const Name& name) const {
  return (*this)(NameView{name.host, name.port, name.effective_port, name.secure});
}

OriginBook::Use OriginBook::agents_server() {
  if (!agents_server_) agents_server_.emplace(options_);
  return Use(*agents_server_);
}

OriginBook::Use OriginBook::find(const http::Authority& authority, uint16_t port, bool secure) {
  const auto found = origins_.find(NameView{authority.host, authority.port, port, secure});
  if (found != origins_.end()) return Use(found->second);
  if (origins_.size() >= kOriginsMax) forget_unused();
  Name name{std::string(authority.host), authority.port, port, secure};
  return Use(
      origins_.try_emplace(std::move(name), options_, authority, port, secure).first->second);
}

Result<OriginBook::Use> OriginBook::find(std::string_view target, http::Url& url) {
  if (const Beginnings::value_type* const known = beginning_of(target)) {
    url.scheme = known->second.scheme;
    url.authority = known->second.authority;
    url.path = target.substr(known->first.size());
    return Use(known->second.origin);
  }
  Result<http::Url> parsed = http::parse_url(target);
  if (!parsed) return std::unexpected(std::move(parsed).error());
  url = *std::move(parsed);
  Use origin = find(url.authority, url.port(), url.scheme == "https");
  remember(target, url, origin);
  return origin;
}

// An agent mostly stays with one origin, and a comparison is cheaper than a hash.
const OriginBook::Beginnings::value_type* OriginBook::beginning_of(std::string_view target) {
  if (recent_ != nullptr && target.starts_with(recent_->first) &&
      target.substr(recent_->first.size()).starts_with('/')) {
    return recent_;
  }
  // Behind "http://" or "https://", which a letter at least follows.
  const size_t path = target.find('/', 8);
  if (path == std::string_view::npos) return nullptr;
  const auto known = beginnings_.find(target.substr(0, path));
  if (known == beginnings_.end()) return nullptr;
  return recent_ = &*known;
}

void OriginBook::remember(std::string_view target, const http::Url& url, const Use& origin) {
  // A secret is no beginning, and a path that was not written cannot be cut off.
  if (!url.userinfo.empty() || !url.path_given) return;
  if (beginnings_.size() >= kOriginsMax) forget_beginnings();
  beginnings_.try_emplace(std::string(target.substr(0, target.size() - url.path.size())),
                          Beginning{url.scheme, url.authority, *origin});
}

void OriginBook::forget_beginnings() {
  beginnings_.clear();
  recent_ = nullptr;
}

// What is used is as many as exchanges are under way.
void OriginBook::forget_unused() {
  forget_beginnings();
  std::erase_if(origins_, [](const auto& entry) { return entry.second.users_ == 0; });
}

}  // namespace sidespan::proxy
