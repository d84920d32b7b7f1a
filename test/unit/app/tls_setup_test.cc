#include "app/tls_setup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

constexpr WallTime kNow{std::chrono::sys_days(std::chrono::year(2030) / 6 / 15)};

bool says_that_nothing_is_opened(const TlsSetup& setup) {
  return std::ranges::any_of(setup.warnings, [&](const std::string& warning) {
    return warning.starts_with("HTTPS is not opened") && warning.ends_with(setup.unopened);
  });
}

TEST_CASE("what the system refuses is a warning, and nothing is opened") {
  const support::TemporaryDirectory top;
  top.write("file", "x");
  std::filesystem::create_directories(top / "half/authority");
  top.write("half/trust", "no directory");
  std::filesystem::create_directories(top / "odd/authority/lock");
  struct Row {
    const char* name;
    std::string state;
    std::string export_dir;
  };
  const Row rows[] = {
      {"no state directory", "/proc/nowhere", ""},
      {"no authority", top / "odd", ""},
      {"nowhere to export to", top / "half", ""},
      {"nor where the operator said", top / "state", top / "file"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Settings settings;
    settings.tls.interception.mode = proxy::Interception::Mode::kAll;
    settings.tls.export_dir = row.export_dir;
    const Environment own{{"SIDESPAN_STATE_DIR", row.state}};
    for (const auto& set_up : {set_up_tls, set_up_command_tls}) {
      const Result<TlsSetup> setup = set_up(settings, own, kNow);
      REQUIRE_MESSAGE(setup, (setup ? "" : setup.error().what));
      CHECK(setup->authority == nullptr);
      CHECK(setup->trust != nullptr);
      CHECK(setup->certificates_pem.empty());
      CHECK(setup->trust_directory.empty());
      CHECK(setup->trust_variables.empty());
      CHECK_FALSE(setup->unopened.empty());
      CHECK(says_that_nothing_is_opened(*setup));
    }
  }
}

TEST_CASE("an authority that the operator named and nobody can read is an error") {
  Settings settings;
  settings.tls.interception.mode = proxy::Interception::Mode::kAll;
  settings.tls.authority_certificate = "/nowhere/ca.pem";
  settings.tls.authority_key = "/nowhere/ca-key.pem";
  const Result<TlsSetup> setup = set_up_tls(settings, {}, kNow);
  REQUIRE_FALSE(setup);
  CHECK(setup.error().code == Code::kInvalid);
  CHECK(setup.error().what.starts_with("/nowhere/ca.pem: "));
}

TEST_CASE("a command is told by variables what to trust, and a sidecar's agents by files alone") {
  const support::TemporaryDirectory top;
  Settings settings;
  settings.tls.interception.mode = proxy::Interception::Mode::kAll;
  const Environment own{{"SIDESPAN_STATE_DIR", top / "state"}};
  const Result<TlsSetup> sidecar = set_up_tls(settings, own, kNow);
  REQUIRE(sidecar);
  CHECK(sidecar->authority != nullptr);
  CHECK(sidecar->trust_variables.empty());
  CHECK(sidecar->trust_directory == top / "state/trust");
  CHECK(std::filesystem::exists(top / "state/trust/ca.pem"));
  const Result<TlsSetup> command = set_up_command_tls(settings, own, kNow);
  REQUIRE(command);
  CHECK(std::ranges::count(command->trust_variables, top / "state/trust/ca.pem",
                           &Pairs::value_type::second) == 2);
  CHECK(command->unopened.empty());
}

}  // namespace
}  // namespace sidespan::app
