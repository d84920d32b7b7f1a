#include <cstdlib>

#include "hot_path.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/lineage/target_memo.h"

namespace sidespan::bench {
namespace {

constexpr lineage::HashKey kKey = {1, 2};
constexpr lineage::Target kTarget = {
    .host = "api.example.com", .path = "/v1/orders/AK-48219/state", .fetches = true, .alone = true};

class ReadTarget final : public HotPath {
 public:
  void once() override {
    lineage::Gleaned out;
    lineage::glean_target(kKey, kTarget, out);
    if (out.values.size() != 2) std::abort();
    keep(out);
  }
};

class KnownTarget final : public HotPath {
 public:
  KnownTarget() { memo_.glean(kKey, kTarget)->told = now_; }
  void once() override {
    if (!memo_.glean(kKey, kTarget)->is_told(now_, kRemembered)) std::abort();
  }

 private:
  static constexpr Nanoseconds kRemembered = std::chrono::minutes(4);
  MonoTime now_{std::chrono::hours(1)};
  lineage::TargetMemo memo_;
};

}  // namespace

void add_lineage_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<ReadTarget>("target_read"));
  rows.push_back(row<KnownTarget>("target_known"));
}

}  // namespace sidespan::bench
