#include "sidespan/proxy/interceptor.h"

#include <algorithm>
#include <utility>

#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::proxy {
namespace {

// An execution's id is visible ASCII (credential.h), a host has no blank.
std::string place_of(std::string_view name, uint16_t port, std::string_view execution) {
  return std::string(name) + ":" + std::to_string(port) + " " + std::string(execution);
}

std::string place_of(const wire::PoolKey& key, std::string_view execution) {
  return place_of(key.verified_name(), key.port, execution);
}

}  // namespace

std::string_view name_of(Opaque reason) {
  switch (reason) {
    case Opaque::kNotTls:
      return "not_tls";
    case Opaque::kOff:
      return "off";
    case Opaque::kBypass:
      return "bypass";
    case Opaque::kNotListed:
      return "not_listed";
    case Opaque::kNoAuthority:
      return "no_authority";
    case Opaque::kSniMismatch:
      return "sni_mismatch";
    case Opaque::kEncryptedHello:
      return "encrypted_hello";
    case Opaque::kAlpn:
      return "alpn";
    case Opaque::kTlsVersion:
      return "tls_version";
    case Opaque::kNoEcdsa:
      return "no_ecdsa";
    case Opaque::kMalformedHello:
      return "malformed_hello";
    case Opaque::kPinned:
      return "pinned";
    case Opaque::kClientCertificate:
      return "client_certificate";
  }
  return "not_tls";
}

std::optional<Opaque> Interceptor::reason_to_pass(std::string_view host, const net::Address& peer,
                                                  const tls::ClientHello& hello) const {
  const auto any = [&](const std::vector<HostPattern>& patterns) {
    return matches(patterns, host, peer ? &peer : nullptr) ||
           (!hello.server_name.empty() && matches(patterns, hello.server_name, nullptr));
  };
  if (options_.mode == Interception::Mode::kOff) return Opaque::kOff;
  if (any(options_.bypass)) return Opaque::kBypass;
  if (options_.mode == Interception::Mode::kListed && !any(options_.hosts)) {
    return Opaque::kNotListed;
  }
  if (options_.authority == nullptr) return Opaque::kNoAuthority;
  if (hello.version_max() < tls::kTls12) return Opaque::kTlsVersion;
  if (!hello.alpn.empty() && !hello.offers(http::kH1Alpn) && !hello.offers(http::kH2Alpn)) {
    return Opaque::kAlpn;
  }
  if (!hello.takes_ours()) return Opaque::kNoEcdsa;
  return std::nullopt;
}

Interceptor::Decision Interceptor::decide(const Asked& asked, const net::Address& peer,
                                          const tls::ClientHello& hello, MonoTime now) {
  Decision decision;
  // Who connects to an address and names a host wants that host there. Its certificate decides.
  const Host target(asked.host);
  const bool named = !hello.server_name.empty();
  decision.name = named && target.address ? hello.server_name : std::string(target.name);
  const Opaque other = hello.encrypted ? Opaque::kEncryptedHello : Opaque::kSniMismatch;
  const bool names_other = named && hello.server_name != decision.name;
  // Before all else: what lets a tunnel pass is said by the agent in part.
  if (names_other && refuses_unread_hellos()) return {other, true, {}};
  decision.opaque = reason_to_pass(asked.host, peer, hello);
  if (decision.opaque) return decision;
  if (names_other) {
    decision.opaque = other;
  } else if (!options_.authority->permits(decision.name)) {
    decision.opaque = Opaque::kNoAuthority;
  } else {
    const std::lock_guard lock(mutex_);
    if (pinned(place_of(decision.name, asked.port, asked.execution), now)) {
      decision.opaque = Opaque::kPinned;
    }
  }
  return decision;
}

bool Interceptor::may_open(const Asked& asked, MonoTime now) {
  if (options_.authority == nullptr || matches(options_.bypass, asked.host, nullptr)) return false;
  const bool wanted =
      options_.mode == Interception::Mode::kAll || (options_.mode == Interception::Mode::kListed &&
                                                    matches(options_.hosts, asked.host, nullptr));
  if (!wanted) return false;
  const std::lock_guard lock(mutex_);
  return !pinned(place_of(asked.host, asked.port, asked.execution), now);
}

Result<std::unique_ptr<tls::Engine>> Interceptor::terminate(std::string_view name,
                                                            std::string_view alpn, WallTime now) {
  std::unique_lock lock(mutex_);
  if (!context_) {
    Result<std::unique_ptr<tls::ServerContext>> made = tls::ServerContext::make();
    if (!made) return std::unexpected(std::move(made).error());
    context_ = *std::move(made);
    leaves_ = std::make_unique<tls::LeafCache>(*options_.authority, options_.leaves_max);
  }
  const Result<tls::Leaf> leaf = leaves_->leaf(name, now);
  if (!leaf) return std::unexpected(leaf.error());
  minted_.add(leaves_->minted() - minted_.value());
  kept_.set(static_cast<int64_t>(leaves_->size()));
  lock.unlock();
  return tls::Engine::server(*context_, *leaf, alpn);
}

bool Interceptor::rejected(const wire::PoolKey& key, std::string_view execution, MonoTime now) {
  const std::lock_guard lock(mutex_);
  return pin(place_of(key, execution), now);
}

bool Interceptor::pin(const std::string& place, MonoTime now) {
  rejected_.add();
  const bool was_pinned = pinned(place, now);
  served_.erase(place);
  if (pinned_.size() >= options_.pinned_max) {
    std::erase_if(pinned_, [&](const auto& entry) { return entry.second <= now; });
  }
  if (pinned_.size() >= options_.pinned_max) {
    pinned_.erase(
        std::ranges::min_element(pinned_, {}, [](const auto& entry) { return entry.second; }));
  }
  pinned_.insert_or_assign(place, now + options_.pinned_time);
  return !was_pinned;
}

bool Interceptor::left(const wire::PoolKey& key, std::string_view execution, MonoTime now) {
  const std::string place = place_of(key, execution);
  const std::lock_guard lock(mutex_);
  if (served_.contains(place)) return false;
  if (left_.erase(place) > 0) return pin(place, now);
  if (left_.size() >= options_.pinned_max) left_.clear();
  left_.insert(place);
  return false;
}

void Interceptor::served(const wire::PoolKey& key, std::string_view execution) {
  const std::string place = place_of(key, execution);
  const std::lock_guard lock(mutex_);
  if (!left_.empty()) left_.erase(place);
  if (served_.contains(place)) return;
  if (served_.size() >= options_.pinned_max) served_.clear();
  served_.insert(place);
}

void Interceptor::collect(metrics::Snapshot& snapshot) const {
  const auto add = [&](std::string_view name, std::string_view help, metrics::Kind kind,
                       double value) {
    metrics::merge(snapshot, name, help, kind, {.labels = {}, .value = value, .histogram = {}});
  };
  add("sidespan_certificates_minted", "Certificates made for agents.", metrics::Kind::kCounter,
      static_cast<double>(minted_.value()));
  add("sidespan_certificates", "Certificates for agents that are kept.", metrics::Kind::kGauge,
      static_cast<double>(kept_.value()));
  add("sidespan_certificates_rejected",
      "Handshakes that agents ended because they do not trust our authority.",
      metrics::Kind::kCounter, static_cast<double>(rejected_.value()));
}

bool Interceptor::pinned(const std::string& place, MonoTime now) {
  const auto found = pinned_.find(place);
  if (found == pinned_.end()) return false;
  if (found->second > now) return true;
  pinned_.erase(found);
  return false;
}

}  // namespace sidespan::proxy
