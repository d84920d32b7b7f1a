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
  KnownTarget() { static_cast<void>(memo_.is_due(kTarget, now_, kSpan)); }
  void once() override {
    if (memo_.is_due(kTarget, now_, kSpan)) std::abort();
  }

 private:
  static constexpr Nanoseconds kSpan = std::chrono::seconds(1);
  MonoTime now_{std::chrono::hours(1)};
  lineage::TargetMemo memo_;
};

}  // namespace

void add_lineage_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<ReadTarget>("target_read"));
  rows.push_back(row<KnownTarget>("target_known"));
}

}  // namespace sidespan::bench
