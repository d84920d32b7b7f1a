#include "app/authority_renewal.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "app/file.h"
#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

constexpr WallTime kStart{std::chrono::sys_days(std::chrono::year(2030) / 6 / 15)};
constexpr std::chrono::hours kDay{24};

struct Running {
  explicit Running(Environment environment) : own(std::move(environment)) {
    settings.tls.interception.mode = proxy::Interception::Mode::kAll;
  }
  void start(WallTime now) {
    Result<TlsSetup> made = set_up_tls(settings, own, now);
    REQUIRE(made);
    tls = *std::move(made);
    renewal = std::make_unique<AuthorityRenewal>(settings, own, tls);
  }

  Settings settings;
  Environment own;
  TlsSetup tls;
  std::unique_ptr<AuthorityRenewal> renewal;
};

size_t count(const std::string& pem) {
  size_t found = 0;
  for (size_t at = 0; (at = pem.find("BEGIN CERTIFICATE", at)) != std::string::npos; ++at) ++found;
  return found;
}

std::string trusted_in(const support::TemporaryDirectory& directory) {
  return read_file(directory / "trust/ca.pem", size_t{1} << 20U).value_or("");
}

TEST_CASE("a year of a sidecar that is not started again") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->fingerprint();
  struct Row {
    const char* name;
    int day;
    Renewal done;
    bool switched;
    size_t trusted;
  };
  const Row rows[] = {
      {"the next day", 1, Renewal::kNothing, false, 1},
      {"eleven months later", 334, Renewal::kNothing, false, 1},
      {"in its last month", 336, Renewal::kExported, false, 2},
      {"an hour later it is done", 336, Renewal::kNothing, false, 2},
      {"before the last week", 356, Renewal::kNothing, false, 2},
      {"in the last week", 358, Renewal::kSwitched, true, 2},
      {"and then it is quiet", 359, Renewal::kNothing, true, 2},
      {"the old one is over", 366, Renewal::kExported, true, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const WallTime now = kStart + row.day * kDay;
    const Result<Renewal> done = side.renewal->look(now);
    REQUIRE(done);
    CHECK(*done == row.done);
    CHECK((side.tls.authority->fingerprint() != first) == row.switched);
    CHECK(count(trusted_in(directory)) == row.trusted);
    CHECK(side.tls.authority->mint("a.test", now).has_value());
    CHECK(trusted_in(directory).find(side.tls.authority->certificate_pem()) != std::string::npos);
  }
}

TEST_CASE("what another process rotated waits for its time") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->fingerprint();
  REQUIRE(rotate_authority(side.settings, side.own, kStart + 340 * kDay));
  CHECK(side.renewal->look(kStart + 340 * kDay) == Renewal::kExported);
  CHECK(side.tls.authority->fingerprint() == first);
  CHECK(side.renewal->look(kStart + 359 * kDay) == Renewal::kSwitched);
  CHECK(side.tls.authority->fingerprint() != first);
}

TEST_CASE("what was replaced signs as long as leaves of it are trusted") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->certificate_pem();
  REQUIRE(rotate_authority(side.settings, side.own, kStart + 10 * kDay));
  REQUIRE(rotate_authority(side.settings, side.own, kStart + 12 * kDay));
  CHECK(side.renewal->look(kStart + 12 * kDay) == Renewal::kExported);
  CHECK(count(trusted_in(directory)) == 3);
  CHECK(trusted_in(directory).ends_with(first));
  CHECK(side.renewal->look(kStart + 31 * kDay) == Renewal::kNothing);
  CHECK(side.tls.authority->certificate_pem() == first);
  CHECK(side.renewal->look(kStart + 33 * kDay) == Renewal::kSwitched);
  CHECK(trusted_in(directory).starts_with(side.tls.authority->certificate_pem()));
  CHECK(side.renewal->look(kStart + 41 * kDay) == Renewal::kExported);
  CHECK(count(trusted_in(directory)) == 2);
  CHECK(trusted_in(directory).find(first) == std::string::npos);
  CHECK(side.renewal->look(kStart + 43 * kDay) == Renewal::kExported);
  CHECK(count(trusted_in(directory)) == 1);
}

TEST_CASE("who slept until it was trusted no longer takes the other at once") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  REQUIRE(rotate_authority(side.settings, side.own, kStart + 10 * kDay));
  CHECK(side.renewal->look(kStart + 100 * kDay) == Renewal::kReplaced);
}

TEST_CASE("a clock that goes ahead for a while leaves one that signs, and all that were told of") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->certificate_pem();
  CHECK(side.renewal->look(kStart + 1000 * kDay) == Renewal::kReplaced);
  const WallTime now = kStart + kDay;
  CHECK_FALSE(side.tls.authority->mint("a.test", now));
  CHECK(side.renewal->look(now) == Renewal::kReplaced);
  CHECK(side.tls.authority->mint("a.test", now).has_value());
  CHECK(trusted_in(directory).starts_with(side.tls.authority->certificate_pem()));
  CHECK(trusted_in(directory).find(first) != std::string::npos);
  CHECK(count(trusted_in(directory)) == 3);
  CHECK(side.renewal->look(now) == Renewal::kNothing);
}

TEST_CASE("after a clock that was late the one signs again that agents know") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->fingerprint();
  const WallTime late = kStart - 10'000 * kDay;
  CHECK(side.renewal->look(late) == Renewal::kReplaced);
  CHECK(side.tls.authority->mint("a.test", late).has_value());
  CHECK(side.renewal->look(kStart + kDay) == Renewal::kSwitched);
  CHECK(side.tls.authority->fingerprint() == first);
}

TEST_CASE("one whose files are gone stays in use beside the new one") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const std::string first = side.tls.authority->certificate_pem();
  std::filesystem::remove_all(directory / "authority");
  CHECK(side.renewal->look(kStart + kDay) == Renewal::kExported);
  CHECK(side.renewal->look(kStart + 300 * kDay) == Renewal::kNothing);
  CHECK(side.tls.authority->certificate_pem() == first);
  const std::string trusted = read_file(directory / "trust/ca.pem", size_t{1} << 20U).value_or("");
  CHECK(count(trusted) == 2);
  CHECK(trusted.ends_with(first));
}

TEST_CASE("what cannot be written is an error, and tried again") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  side.own = {{"SIDESPAN_STATE_DIR", "/proc/nowhere"}};
  CHECK_FALSE(side.renewal->look(kStart + 340 * kDay));
  side.own = {{"SIDESPAN_STATE_DIR", directory.path()}};
  CHECK(side.renewal->look(kStart + 340 * kDay) == Renewal::kExported);
}

TEST_CASE("an authority of the operator's, and none, are left alone") {
  const support::TemporaryDirectory directory;
  Running side({{"SIDESPAN_STATE_DIR", directory.path()}});
  side.start(kStart);
  const auto look = [&](const TlsSetup& tls) {
    return AuthorityRenewal(side.settings, side.own, tls).look(kStart + 359 * kDay);
  };
  CHECK(look({}) == Renewal::kNothing);
  side.settings.tls.authority_certificate = "own.pem";
  CHECK(look(side.tls) == Renewal::kNothing);
}

}  // namespace
}  // namespace sidespan::app
