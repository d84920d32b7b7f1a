#include "sidespan/wire/dialer.h"

#include <doctest/doctest.h>

#include "support/scripted_origin.h"

namespace sidespan::wire {
namespace {

using support::run_until;

uint16_t closed_port(net::Loop& loop) {
  auto taken = net::Listener::listen(loop, *net::Address::parse("127.0.0.1", 0), {}, [](auto) {});
  return (*taken)->address().port();
}

struct Rig {
  void dial(const std::string& host, uint16_t port, AddressCheck check = {},
            Dialer::Options options = {}) {
    Dialer dialer(loop, options, std::move(check));
    std::unique_ptr<Dialer::Attempt> attempt;
    attempt = dialer.dial(host, port, [&](Result<Dialled> got) {
      result = std::move(got);
      attempt.reset();  // as the owner of an attempt may
    });
    CHECK_FALSE(result);
    REQUIRE(run_until(loop, [&] { return result.has_value(); }));
  }
  Code code() const { return result->error().code; }
  Side side() const { return result->error().side; }

  net::Loop loop;
  support::ScriptedOrigin origin{loop};
  std::optional<Result<Dialled>> result;
};

TEST_CASE("a literal is dialled without a lookup") {
  Rig rig;
  rig.dial("127.0.0.1", rig.origin.port());
  REQUIRE(rig.result->has_value());
  CHECK((*rig.result)->stream->peer() == *net::Address::parse("127.0.0.1", rig.origin.port()));
  CHECK((*rig.result)->phases.connect);
  CHECK_FALSE((*rig.result)->phases.dns);
}

TEST_CASE("a name is looked up, and the address that answers wins") {
  Rig rig;
  rig.dial("localhost", rig.origin.port());
  REQUIRE(rig.result->has_value());
  CHECK((*rig.result)->stream->peer().is_loopback());
}

TEST_CASE("failures name their cause and their side") {
  Rig rig;
  SUBCASE("nobody listens") {
    rig.dial("127.0.0.1", closed_port(rig.loop));
    CHECK(rig.code() == Code::kConnectionRefused);
    CHECK(rig.side() == Side::kOrigin);
  }
  SUBCASE("no such name") {
    rig.dial("nobody.invalid", 80);
    CHECK(rig.code() == Code::kDnsFailure);
  }
  SUBCASE("too slow") {
    Dialer::Options options;
    options.connect_time_max = Milliseconds(0);
    rig.dial("nobody.invalid", 80, {}, options);
    CHECK(rig.code() == Code::kDnsFailure);
    CHECK(rig.result->error().what.contains("longer than"));
  }
}

TEST_CASE("the agent's own server has a check of its own") {
  Rig rig;
  const auto refuse = [](std::string_view, const net::Address&) -> std::optional<Error> {
    return Error{Code::kDenied, Side::kAgent, false, "no"};
  };
  const auto dial = [&](AddressCheck check, AddressCheck own_check) {
    Dialer dialer(rig.loop, {}, std::move(check), nullptr, std::move(own_check));
    std::optional<Result<Dialled>> result;
    auto attempt = dialer.dial_own("127.0.0.1", rig.origin.port(),
                                   [&](Result<Dialled> got) { result = std::move(got); });
    REQUIRE(run_until(rig.loop, [&] { return result.has_value(); }));
    return result->has_value();
  };
  CHECK(dial(refuse, {}));
  CHECK_FALSE(dial({}, refuse));
}

TEST_CASE("every address is checked, and one that is refused is not dialled") {
  Rig rig;
  std::vector<std::string> asked;
  const auto refuse = [&](std::string_view ip) {
    return
        [&asked, ip](std::string_view host, const net::Address& address) -> std::optional<Error> {
          asked.push_back(std::string(host) + " " + address.ip());
          if (!ip.empty() && address.ip() != ip) return std::nullopt;
          return Error{Code::kDenied, Side::kAgent, false, "no"};
        };
  };
  SUBCASE("all refused") {
    rig.dial("localhost", rig.origin.port(), refuse(""));
    CHECK(rig.code() == Code::kDenied);
    CHECK(rig.origin.accepted() == 0);
  }
  SUBCASE("one refused, the other dead: the refusal is the cause") {
    rig.dial("localhost", rig.origin.port(), refuse("127.0.0.1"));
    CHECK(rig.code() == Code::kDenied);
    CHECK(rig.origin.accepted() == 0);
  }
  SUBCASE("the other one refused") {
    rig.dial("localhost", rig.origin.port(), refuse("::1"));
    CHECK(rig.result->has_value());
  }
  CHECK_FALSE(asked.empty());
}

TEST_CASE("a cancelled dial says nothing") {
  Rig rig;
  Dialer dialer(rig.loop, {}, {});
  bool called = false;
  {
    auto attempt = dialer.dial("localhost", rig.origin.port(), [&](auto) { called = true; });
  }
  {
    auto attempt = dialer.dial("nobody.invalid", 80, [&](auto) { called = true; });
  }
  support::run_for(rig.loop, Milliseconds(50));
  CHECK_FALSE(called);
}

}  // namespace
}  // namespace sidespan::wire
