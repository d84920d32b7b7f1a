#include <utility>

#include "counted_memory.h"
#include "sidespan/tls/authority.h"

namespace sidespan::tls {
namespace {

constexpr std::chrono::hours kLeft{1};  // less, and a connection might outlive its certificate
// Of the ledger's limit.
constexpr size_t kLeavesShare = 16;
// With what OpenSSL makes of one when it is first shown, which is as much again.
constexpr size_t kLeafBytes = size_t{21} * 256;

}  // namespace

LeafCache::LeafCache(const Authority& authority, size_t leaves_max)
    : authority_(authority), leaves_max_(leaves_max) {}

Result<Leaf> LeafCache::leaf(std::string_view host, WallTime now) {
  const auto found = by_host_.find(host);
  if (found != by_host_.end()) {
    leaves_.splice(leaves_.begin(), leaves_, found->second);
    const Leaf& kept = found->second->leaf;
    if (kept.not_before() <= now && now + kLeft < kept.not_after()) return kept;
  }
  Result<Leaf> minted = authority_.mint(host, now);
  if (!minted) return minted;
  ++minted_;
  if (found != by_host_.end()) {
    found->second->leaf = *minted;
  } else {
    keep(host, *minted);
  }
  return minted;
}

void LeafCache::keep(std::string_view host, const Leaf& leaf) {
  leaves_.push_front({std::string(host), leaf});
  by_host_.emplace(leaves_.front().host, leaves_.begin());
  while (is_over()) {
    by_host_.erase(leaves_.back().host);
    leaves_.pop_back();
  }
}

bool LeafCache::is_over() const {
  return leaves_.size() > leaves_max_ || exceeds_part(leaves_.size() * kLeafBytes, kLeavesShare);
}

}  // namespace sidespan::tls
