// The interception authority: a certificate and key of this installation alone, and the leaves it
// mints for hosts that agents connect to. Reads and writes PEM text; files are app's business.
// Workers share one, any thread may ask at any time; each has a LeafCache of its own.
// RFC 5280; the leaf's profile is that of the CA/Browser Forum's baseline, with seven days at most.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"

struct x509_st;      // NOLINT(readability-identifier-naming): OpenSSL's own spelling
struct evp_pkey_st;  // NOLINT(readability-identifier-naming)
struct stack_st_X509;

namespace sidespan::tls {

// Overwrites what was a key's text.
void wipe(std::string& secret);

// A certificate with its key, as a server shows them. Shares all of it with its copies.
class Leaf {
 public:
  Leaf(std::shared_ptr<x509_st> certificate, std::shared_ptr<evp_pkey_st> key,
       std::shared_ptr<stack_st_X509> chain, WallTime not_before, WallTime not_after);

  x509_st* certificate() const { return certificate_.get(); }
  evp_pkey_st* key() const { return key_.get(); }
  // What is shown after the certificate: an authority below a root, and what stands between. Null
  // where the authority is a root.
  stack_st_X509* chain() const { return chain_.get(); }
  WallTime not_before() const { return not_before_; }
  WallTime not_after() const { return not_after_; }
  std::string certificate_pem() const;

 private:
  std::shared_ptr<x509_st> certificate_;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<stack_st_X509> chain_;
  WallTime not_before_;
  WallTime not_after_;
};

// For whom leaves may be, as name constraints say it (RFC 5280 section 4.2.1.10). Names
// (`example.com`, with all below it) alone permit no address; networks (`10.0.0.0/8`, `::1`) alone
// permit any name.
struct Scope {
  std::vector<std::string> names = {};
  std::vector<std::string> networks = {};

  bool limited() const { return !names.empty() || !networks.empty(); }
  bool operator==(const Scope&) const = default;
};

// Whether a scope may have it among its names: DNS may, `_` included (RFC 1123 section 2.1).
bool is_scope_name(std::string_view text);

// What is made here is valid from so long before: agents' clocks may be late.
inline constexpr std::chrono::hours kBackdated{24};

class Authority {
 public:
  struct Options {
    std::string common_name = "sidespan interception authority";
    Scope permitted = {};  // written into the certificate
    // From `now` on; a year at most.
    std::chrono::hours lifetime{24 * 365};
  };

  // A new one: P-256, with a random serial, valid from kBackdated before `now`. Error kInvalid says
  // which option cannot be.
  static Result<std::unique_ptr<Authority>> make(const Options& options, WallTime now);
  // From PEM: the certificate (a chain may follow it) and its unencrypted key, RSA or EC. Error
  // kInvalid says what is wrong with which: no CA, another key, a key too weak.
  // kCertificateExpired, kCertificateNotYetValid: that is all that is wrong with it at `now`.
  static Result<std::unique_ptr<Authority>> load(std::string_view certificate_pem,
                                                 std::string_view key_pem, WallTime now);
  ~Authority();

  // The certificate alone, never the key.
  std::string certificate_pem() const;
  // For the one file that holds it.
  std::string key_pem() const;
  WallTime not_before() const;
  WallTime not_after() const;
  std::string fingerprint() const;  // SHA-256, upper case, with colons
  std::string subject() const;

  // May leaves have this name? By the certificate's own name constraints (RFC 5280
  // section 4.2.1.10).
  bool permits(std::string_view host) const;
  // For a DNS name (lower case; wildcards are not minted) or an IP literal without brackets. Valid
  // from kBackdated before `now` to seven days after, never beyond the authority's own end. All
  // leaves have one key, made with the authority and kept in memory alone. Error kInvalid: no such
  // name, or the authority's time is over; kDenied: not permitted.
  Result<Leaf> mint(std::string_view host, WallTime now) const;

  // From now on this one is what `next` was. Leaves that were minted stay as good as they are.
  void succeed(const Authority& next);

 private:
  struct Impl;
  explicit Authority(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> current() const;

  mutable std::mutex mutex_;  // held to look which one it is
  std::shared_ptr<const Impl> impl_;
};

// The leaves minted last, bounded by number and, on a thread with an account, by a share of its
// ledger's limit: they are nobody's traffic, and nobody could be reset for them. Who was asked for
// longest ago goes first.
class LeafCache {
 public:
  // `authority` outlives it.
  LeafCache(const Authority& authority, size_t leaves_max);
  LeafCache(const LeafCache&) = delete;
  LeafCache& operator=(const LeafCache&) = delete;

  // Mints where none is kept or the one that is ends within an hour, or is not valid yet: it was
  // minted before somebody set the clock back.
  Result<Leaf> leaf(std::string_view host, WallTime now);
  size_t size() const { return leaves_.size(); }
  uint64_t minted() const { return minted_; }

 private:
  struct Kept {
    std::string host;
    Leaf leaf;
  };
  void keep(std::string_view host, const Leaf& leaf);
  bool is_over() const;

  const Authority& authority_;
  size_t leaves_max_;
  std::list<Kept> leaves_;  // asked for last comes first
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_host_;
  uint64_t minted_ = 0;
};

}  // namespace sidespan::tls
