#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/wire/dialer.h"
#include "support/scripted_origin.h"

namespace sidespan::wire {
namespace {

constexpr size_t kKiB = 1024;

// Handshakes with origins that say nothing.
struct Rig {
  std::unique_ptr<Dialer::Attempt> secure() {
    net::Stream::Pair pair = net::Stream::pair(loop, *net::Address::parse("127.0.0.1", 443));
    origins.push_back(std::move(pair.second));
    return dialer.secure({.stream = std::move(pair.first)}, {.host = "h.example", .port = 443},
                         [this](Result<Dialled> got) { results.push_back(std::move(got)); });
  }
  void check_told_of_memory() const {
    REQUIRE(results.size() == 1);
    REQUIRE_FALSE(results.front().has_value());
    CHECK(results.front().error().code == Code::kOverload);
    CHECK(results.front().error().side == Side::kSelf);
    CHECK(results.front().error().what ==
          "limits.memory leaves no room for the TLS handshake with h.example");
  }

  net::Loop loop;
  std::unique_ptr<tls::ClientContext> context =
      *tls::ClientContext::make({.trust = *tls::Trust::load({.system_roots = false})});
  Dialer dialer{loop, {}, {}, context.get()};
  std::vector<std::unique_ptr<net::Stream>> origins;
  std::vector<Result<Dialled>> results;
};

TEST_CASE("handshakes under way say what they hold, and one that is given up is over") {
  Rig rig;
  auto first = rig.secure();
  auto second = rig.secure();
  const std::vector<Dialer::Securing> securing = rig.dialer.securing();
  REQUIRE(securing.size() == 2);
  for (const Dialer::Securing& each : securing) CHECK(each.bytes > 16 * kKiB);
  CHECK(rig.dialer.give_up(securing[0].id));
  rig.check_told_of_memory();
  first.reset();
  CHECK_FALSE(rig.dialer.give_up(securing[0].id));
  CHECK(rig.dialer.securing().size() == 1);
  second.reset();
  CHECK(rig.dialer.securing().empty());
  CHECK(rig.results.size() == 1);
}

TEST_CASE("where memory is short no handshake begins") {
  Rig rig;
  MemoryLedger ledger(1024 * kKiB);
  const MemoryAccount account(ledger, [] {});
  MemoryCharge others(1024 * kKiB);
  const auto attempt = rig.secure();
  CHECK(ledger.held() < 1040 * kKiB);
  CHECK(rig.results.empty());
  REQUIRE(support::run_until(rig.loop, [&] { return !rig.results.empty(); }));
  rig.check_told_of_memory();
  others.set(0);
  const auto later = rig.secure();
  CHECK(rig.dialer.securing().back().bytes > 16 * kKiB);
}

}  // namespace
}  // namespace sidespan::wire
