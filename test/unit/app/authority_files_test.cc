#include "app/authority_files.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "app/file.h"
#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

constexpr WallTime kStart{std::chrono::sys_days(std::chrono::year(2030) / 6 / 15)};
constexpr std::chrono::hours kDay{24};

struct Place {
  OpenAuthority open(int day) const { return opened(open_authority({}, own, kStart + day * kDay)); }
  OpenAuthority rotate(int day) const {
    return opened(rotate_authority({}, own, kStart + day * kDay));
  }
  static OpenAuthority opened(Result<OpenAuthority> result) {
    REQUIRE_MESSAGE(result, (result ? "" : result.error().what));
    return *std::move(result);
  }
  std::string text(const std::string& name) const {
    return read_file(directory / ("authority/" + name), size_t{1} << 20U).value_or("");
  }
  // Empty: there is none.
  void put(const std::string& name, const std::string& content) const {
    const std::string path = directory / ("authority/" + name);
    fs::remove(path);
    if (!content.empty()) REQUIRE(write_file(path, content, 0600));
  }

  support::TemporaryDirectory directory;
  Environment own{{"SIDESPAN_STATE_DIR", directory.path()}};
};

size_t count(const std::string& pem) {
  size_t found = 0;
  for (size_t at = 0; (at = pem.find("BEGIN CERTIFICATE", at)) != std::string::npos; ++at) ++found;
  return found;
}

bool trusts(const OpenAuthority& opened, const OpenAuthority& one) {
  return opened.certificates_pem.find(one.current->certificate_pem()) != std::string::npos;
}

TEST_CASE("all who were replaced stay trusted for a month, each by its own time") {
  const Place place;
  const OpenAuthority first = place.open(0);
  const OpenAuthority second = place.rotate(10);
  const OpenAuthority third = place.rotate(20);
  CHECK(trusts(third, first));
  CHECK(trusts(third, second));
  CHECK(count(third.certificates_pem) == 3);
  CHECK(third.trusted_until(*first.current) == kStart + 40 * kDay);
  CHECK(third.trusted_until(*second.current) == kStart + 50 * kDay);
  CHECK(third.trusted_until(*third.current) == third.current->not_after());
  struct Row {
    int day;
    size_t trusted;
  };
  for (const Row& row : {Row{39, 3}, {41, 2}, {49, 2}, {51, 1}}) {
    CAPTURE(row.day);
    const OpenAuthority later = place.open(row.day);
    CHECK(later.current->fingerprint() == third.current->fingerprint());
    CHECK(count(later.certificates_pem) == row.trusted);
  }
  CHECK(place.open(51).trusted_until(*second.current) == kStart + 50 * kDay);
  CHECK_FALSE(place.open(51).trusted_until(*Place().open(0).current));
}

TEST_CASE("one that was made ahead leaves the other its whole time") {
  const Place place;
  const OpenAuthority first = place.open(0);
  CHECK(count(place.open(336).certificates_pem) == 2);
  const OpenAuthority second = place.rotate(350);
  CHECK(count(second.certificates_pem) == 2);
  CHECK(second.trusted_until(*first.current) == first.current->not_after());
  CHECK(count(place.open(364).certificates_pem) == 2);
  CHECK(count(place.open(366).certificates_pem) == 1);
}

TEST_CASE("a successor that nobody was told of is made anew") {
  const Place place;
  const OpenAuthority first = place.open(0);
  const Place other;
  other.open(0);
  place.put("next.pem", other.text("ca.pem"));
  place.put("next-key.pem", other.text("ca-key.pem"));
  const OpenAuthority second = place.rotate(100);
  CHECK(second.trusted_until(*first.current) == kStart + 130 * kDay);
  CHECK(second.current->not_before() == kStart + 99 * kDay);
}

TEST_CASE("a successor that is over, too, is made anew") {
  const Place place;
  place.open(0);
  place.open(336);
  CHECK(count(place.open(800).certificates_pem) == 1);
}

TEST_CASE("many are remembered, and not all") {
  const Place place;
  const OpenAuthority first = place.open(0);
  const OpenAuthority second = place.rotate(1);
  for (size_t i = 1; i < kFormerAuthoritiesMax; ++i) {
    const OpenAuthority last = place.rotate(2);
    CHECK(count(last.certificates_pem) == i + 2);
    CHECK(trusts(last, first));
  }
  const OpenAuthority last = place.rotate(2);
  CHECK(count(last.certificates_pem) == kFormerAuthoritiesMax + 1);
  CHECK_FALSE(trusts(last, first));
  CHECK(trusts(last, second));
}

TEST_CASE("wherever a succession is stopped, one that agents know signs") {
  const Place place;
  const OpenAuthority a = place.open(0);
  const std::string a_pem = place.text("ca.pem");
  const std::string a_key = place.text("ca-key.pem");
  place.open(340);
  const std::string b_pem = place.text("next.pem");
  const std::string b_key = place.text("next-key.pem");
  struct Row {
    std::string name;
    std::string ca, ca_key, next, next_key, previous;
    bool old_signs;
  };
  const Row rows[] = {
      {"before it begins", a_pem, a_key, b_pem, b_key, "", true},
      {"the old one is remembered", a_pem, a_key, b_pem, b_key, a_pem, true},
      {"the key has moved", a_pem, b_key, b_pem, "", a_pem, false},
      {"it is done", b_pem, b_key, "", "", a_pem, false},
      {"the certificate is away", "", a_key, b_pem, b_key, a_pem, false},
      {"certificate and key are away", "", "", b_pem, b_key, a_pem, false},
      {"the certificate is still to come", "", b_key, b_pem, "", a_pem, false},
      {"the key is lost", a_pem, "", b_pem, b_key, "", false},
      {"the next one is half made", a_pem, a_key, "", b_key, "", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto stop = [&] {
      place.put("ca.pem", row.ca);
      place.put("ca-key.pem", row.ca_key);
      place.put("next.pem", row.next);
      place.put("next-key.pem", row.next_key);
      place.put("previous.pem", row.previous);
    };
    stop();
    const OpenAuthority opened = place.open(341);
    CHECK_FALSE(opened.made);
    CHECK(opened.current->certificate_pem() == (row.old_signs ? a_pem : b_pem));
    CHECK(opened.current->mint("a.test", kStart + 341 * kDay).has_value());
    CHECK(trusts(opened, a));
    CHECK(count(opened.certificates_pem) == 2);
    CHECK(place.open(341).certificates_pem == opened.certificates_pem);
    stop();
    const OpenAuthority later = place.open(358);
    CHECK((row.next.empty() && row.old_signs) ==
          (later.current->not_before() > kStart + 350 * kDay));
    CHECK(trusts(later, a));
    CHECK(count(later.certificates_pem) == 2);
    CHECK(place.text("next.pem").empty());
  }
}

TEST_CASE("what a clock made that was ahead gives way to a new one, and stays trusted") {
  const Place place;
  const OpenAuthority first = place.open(0);
  const OpenAuthority ahead = place.open(1000);
  struct Row {
    const char* name;
    bool rotate;
  };
  for (const Row& row : {Row{"opened", false}, {"rotated", true}}) {
    CAPTURE(row.name);
    const Place again;
    fs::create_directories(again.directory / "authority");
    for (const char* name : {"ca.pem", "ca-key.pem", "previous.pem"}) {
      again.put(name, place.text(name));
    }
    const OpenAuthority now = row.rotate ? again.rotate(10) : again.open(10);
    CHECK(now.made);
    CHECK(now.current->mint("a.test", kStart + 10 * kDay).has_value());
    CHECK(trusts(now, ahead));
    CHECK(trusts(now, first));
    CHECK(count(now.certificates_pem) == 3);
    CHECK(now.trusted_until(*ahead.current) == kStart + 40 * kDay);
    CHECK(now.trusted_until(*first.current) == kStart + 40 * kDay);
    CHECK(again.open(10).certificates_pem == now.certificates_pem);
    CHECK_FALSE(again.open(10).made);
    // A year later the one from the future is still no successor.
    CHECK(count(again.open(350).certificates_pem) == 2);
    const OpenAuthority next = again.open(370);
    CHECK(next.current->mint("a.test", kStart + 370 * kDay).has_value());
    CHECK_FALSE(trusts(next, ahead));
  }
}

TEST_CASE("a successor that a clock made that was ahead is made anew") {
  const Place place;
  const OpenAuthority first = place.open(0);
  CHECK(count(place.open(355).certificates_pem) == 2);
  const std::string ahead = place.text("next.pem");
  const OpenAuthority now = place.open(340);
  CHECK(now.current->fingerprint() == first.current->fingerprint());
  CHECK(count(now.certificates_pem) == 2);
  CHECK(now.certificates_pem.find(ahead) == std::string::npos);
}

TEST_CASE("a clock that is late for a while costs nobody the authority that agents know") {
  const Place place;
  const OpenAuthority first = place.open(0);
  const OpenAuthority known = place.rotate(20);
  for (const int late : {-10'000, -5'000}) {
    CAPTURE(late);
    const OpenAuthority before = place.open(late);
    CHECK(before.made);
    CHECK(before.current->mint("a.test", kStart + late * kDay).has_value());
    CHECK(trusts(before, known));
    CHECK(place.open(late).current->fingerprint() == before.current->fingerprint());
    const OpenAuthority right = place.open(25);
    CHECK(right.current->fingerprint() == known.current->fingerprint());
    CHECK_FALSE(right.made);
    CHECK(right.trusted_until(*first.current) == kStart + 50 * kDay);
    CHECK(count(right.certificates_pem) == 2);
  }
}

TEST_CASE("wherever one is stopped that is set aside, a new one signs") {
  const Place place;
  place.open(0);
  const std::string pem = place.text("ca.pem");
  const std::string key = place.text("ca-key.pem");
  struct Row {
    const char* name;
    std::string ca, ca_key, next, next_key;
  };
  const Row rows[] = {
      {"it is remembered", pem, key, "", ""},
      {"the key is moved", pem, "", "", key},
      {"it is moved", "", "", pem, key},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    place.put("ca.pem", row.ca);
    place.put("ca-key.pem", row.ca_key);
    place.put("next.pem", row.next);
    place.put("next-key.pem", row.next_key);
    place.put("previous.pem", pem);
    const WallTime now = kStart - 100 * kDay;
    const OpenAuthority opened = place.open(-100);
    CHECK(opened.made);
    CHECK(opened.current->mint("a.test", now).has_value());
    CHECK(count(opened.certificates_pem) == 2);
    CHECK(opened.certificates_pem.find(pem) != std::string::npos);
    CHECK(place.open(-100).certificates_pem == opened.certificates_pem);
  }
}

TEST_CASE("where the key is lost and nobody follows, its certificate stays trusted") {
  const Place place;
  const OpenAuthority first = place.open(0);
  place.put("ca-key.pem", "");
  const OpenAuthority second = place.open(5);
  CHECK(second.made);
  CHECK(trusts(second, first));
  CHECK(count(second.certificates_pem) == 2);
}

}  // namespace
}  // namespace sidespan::app
