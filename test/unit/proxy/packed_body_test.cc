#include "proxy/packed_body.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/random.h"
#include "sidespan/http/deflate.h"
#include "sidespan/http/inflate.h"
#include "support/scripted_origin.h"

namespace sidespan::proxy {
namespace {

using http::gzip;

// Reads a packed body as an observer does, and notes what goes on, and how far it was read then.
struct Rig final : http::PlainSink {
  Rig() {
    body.emplace(loop, PackedBody::kPieceBytes,
                 PackedBody::Way{.show = [this](std::string_view bytes) { inflater.feed(bytes); },
                                 .pass = [this](Chain data) { passed += data.to_string(); },
                                 .handle = [this](http::Event&& event) { say(std::move(event)); }});
  }

  void on_plain(std::string_view part) override {
    plain.append(part);
    if (std::exchange(turn, loop.turn()) != loop.turn()) of_turn = 0;
    of_turn += part.size();
    most = std::max(most, of_turn);
  }
  // As an exchange does.
  void say(http::Event&& event) {
    if (body->behind()) return body->wait(std::move(event));
    if (auto* more = std::get_if<http::Body>(&event.what)) return body->take(std::move(more->data));
    ended_at.push_back(passed.size());
  }
  void say(std::string_view bytes) { say({0, http::Body{Chain(bytes)}}); }
  void end() { say({0, http::End{}}); }
  bool until_end() {
    return support::run_until(loop, [&] { return !ended_at.empty(); });
  }

  net::Loop loop;
  std::string plain;
  std::string passed;
  std::vector<size_t> ended_at;
  uint64_t turn = 0;
  size_t of_turn = 0;
  size_t most = 0;
  http::Inflater inflater{*http::parse_codings("gzip"), {}, *this};
  std::optional<PackedBody> body;
};

std::string noise(size_t size, uint64_t seed = 5) {
  Random random(seed);
  std::string text;
  while (text.size() < size) text.push_back(static_cast<char>(random.below(256)));
  return text;
}

TEST_CASE("packed body: what is little goes on at once, and what comes behind it") {
  Rig rig;
  const std::string packed = gzip("{\"a\":1}");
  rig.say(packed);
  rig.end();
  CHECK(rig.plain == "{\"a\":1}");
  CHECK(rig.ended_at == std::vector<size_t>{packed.size()});
}

TEST_CASE("packed body: a turn reads its bytes; what is not read waits, and so does the end") {
  // Of few bytes, of many, and both one after the other.
  const std::string dense(900'000, 'a');
  const std::string mixed = noise(200'000) + std::string(500'000, 'b') + noise(100'000);
  for (const std::string& text : {dense, mixed}) {
    Rig rig;
    const std::string packed = gzip(text);
    for (size_t at = 0; at < packed.size(); at += 60'000) {
      rig.say(std::string_view(packed).substr(at, 60'000));
    }
    CHECK(rig.plain.size() <= PackedBody::kTurnBytes);
    CHECK(rig.passed.size() <= PackedBody::kTurnBytes + PackedBody::kPieceBytes);
    rig.end();
    CHECK(rig.ended_at.empty());
    REQUIRE(rig.until_end());
    CHECK((rig.plain == text));
    CHECK((rig.passed == packed));
    CHECK(rig.ended_at == std::vector<size_t>{packed.size()});
    CHECK(rig.inflater.complete());
    CHECK(rig.most <= PackedBody::kTurnBytes);
  }
}

TEST_CASE("packed body: other connections have their turn in between") {
  Rig rig;
  size_t turns = 0;
  net::Timer often(rig.loop, [&] { ++turns; });
  std::string text;
  while (text.size() < 10'000'000) text += noise(1'000, text.size()) + std::string(30'000, 'a');
  const uint64_t begun = rig.loop.turn();
  rig.say(gzip(text));
  rig.end();
  while (rig.ended_at.empty()) {
    often.start(Milliseconds(1));
    const size_t before = turns;
    support::run_until(rig.loop, [&] { return turns > before || !rig.ended_at.empty(); });
  }
  CHECK(turns > 0);
  CHECK(rig.loop.turn() - begun >= text.size() / PackedBody::kTurnBytes);
  CHECK((rig.plain == text));
}

TEST_CASE(
    "packed body: who reads no further holds nothing up, and one that is left goes in peace") {
  Rig rig;
  std::string packed = gzip(std::string(900'000, 'a'));
  packed.back() ^= 1;
  const std::string rest = noise(100'000);
  rig.say(packed);
  rig.say(rest);
  rig.end();
  REQUIRE(rig.until_end());
  CHECK((rig.passed == packed + rest));
  CHECK(rig.inflater.state() == http::Inflater::State::kBroken);

  Rig left;
  left.say(gzip(std::string(900'000, 'a')));
  CHECK(left.body->behind());
  left.body.reset();
  CHECK_FALSE(left.inflater.complete());
}

TEST_CASE("packed body: what comes byte by byte waits as one, and is counted") {
  Rig rig;
  const std::string packed = gzip(std::string(900'000, 'a'));
  rig.say(packed);
  REQUIRE(rig.body->behind());
  const size_t before = rig.body->held();
  const int64_t charged = memory::tally.held;
  for (int i = 0; i < 100'000; ++i) rig.say("x");
  CHECK(rig.body->held() == before + 100'000);
  CHECK(memory::tally.held < charged + 300'000);
  CHECK_FALSE(rig.body->has_end());
  rig.end();
  rig.say({0, http::HalfClosed{}});
  CHECK(rig.body->has_end());
  REQUIRE(rig.until_end());
  CHECK((rig.passed == packed + std::string(100'000, 'x')));
  CHECK_FALSE(rig.body->has_end());
}

TEST_CASE("packed body: how long it was behind is what decoding took, and nobody's pauses") {
  Rig rig;
  rig.say(gzip(std::string(100, 'a')));
  CHECK(rig.body->behind_for() == Nanoseconds(0));

  Rig long_one;
  long_one.say(gzip(std::string(900'000, 'a')));
  REQUIRE(support::run_until(long_one.loop, [&] { return !long_one.body->behind(); }));
  const Nanoseconds took = long_one.body->behind_for();
  CHECK(took > Nanoseconds(0));
  const MonoTime then = long_one.loop.now().mono;
  REQUIRE(support::run_until(long_one.loop, [&] { return long_one.loop.now().mono > then; }));
  CHECK(long_one.body->behind_for() == took);
}

TEST_CASE("packed body: one that is stopped says nothing more, also from within") {
  Rig rig;
  rig.say(gzip(std::string(900'000, 'a')));
  rig.end();
  rig.body->stop();
  CHECK(rig.body->held() == 0);
  const std::string passed = rig.passed;
  size_t turns = 0;
  net::Timer later(rig.loop, [&] { ++turns; });
  later.start(Milliseconds(20));
  REQUIRE(support::run_until(rig.loop, [&] { return turns > 0; }));
  CHECK(rig.passed == passed);
  CHECK(rig.ended_at.empty());
  CHECK(rig.plain.size() <= PackedBody::kTurnBytes);

  net::Loop loop;
  std::string said;
  std::optional<PackedBody> body;
  body.emplace(loop, 10,
               PackedBody::Way{.show = [](std::string_view) {},
                               .pass =
                                   [&](Chain data) {
                                     said += data.to_string();
                                     body->stop();
                                   },
                               .handle = [&](http::Event&&) { said += "!"; }});
  body->take(Chain("abc"));
  CHECK(said == "abc");
  CHECK(body->held() == 0);
}

}  // namespace
}  // namespace sidespan::proxy
