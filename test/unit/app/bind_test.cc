#include "app/bind.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace sidespan::app {
namespace {

net::Address v4(uint16_t port) {
  return *net::Address::parse("127.0.0.1", port);
}
net::Address v6(uint16_t port) {
  return *net::Address::parse("::1", port);
}

// A machine on which some addresses are taken; any port asked for gives the next of `free`.
struct FakeMachine {
  std::set<std::string> taken;
  std::vector<uint16_t> free = {};
  bool has_v6 = true;
  std::vector<std::string> bound = {};
  int undone = 0;

  Binding binding() {
    return {.bind = [this](const net::Address& address) { return bind(address); },
            .undo = [this] { bound.clear(), ++undone; },
            .has_family = [this](const auto& a) { return has_v6 || a.family() == AF_INET; }};
  }
  Result<net::Address> bind(const net::Address& address) {
    net::Address given = address;
    if (given.port() == 0) {
      given = address.with_port(free.front());
      free.erase(free.begin());
    }
    if (taken.contains(given.to_string())) {
      return fail(Code::kSystem, Side::kSelf, given.to_string() + " is taken");
    }
    bound.push_back(given.to_string());
    return given;
  }
};

ListenAddress localhost(uint16_t port) {
  return {.written = "localhost", .addresses = {v4(port), v6(port)}};
}

TEST_CASE("both families get one port") {
  FakeMachine machine{.taken = {}};
  CHECK(bind_all(localhost(80), machine.binding())->size() == 2);
  CHECK(machine.bound == std::vector<std::string>{"127.0.0.1:80", "[::1]:80"});
}

TEST_CASE("any port: the second family follows the first, or both try again") {
  FakeMachine machine{.taken = {"[::1]:81", "[::1]:82"}, .free = {81, 82, 83}};
  REQUIRE(bind_all(localhost(0), machine.binding()));
  CHECK(machine.bound == std::vector<std::string>{"127.0.0.1:83", "[::1]:83"});
  CHECK(machine.undone == 2);
}

TEST_CASE("trying again has an end") {
  FakeMachine machine{.taken = {}};
  for (uint16_t port = 1; port <= 100; ++port) {
    machine.free.push_back(port);
    machine.taken.insert(v6(port).to_string());
  }
  CHECK_FALSE(bind_all(localhost(0), machine.binding()));
  CHECK(machine.free.size() == 100 - kPortAttempts);
  CHECK(machine.bound.empty());
}

TEST_CASE("a family that the machine lacks is left out") {
  FakeMachine machine{.taken = {}, .has_v6 = false};
  REQUIRE(bind_all(localhost(80), machine.binding()));
  CHECK(machine.bound == std::vector<std::string>{"127.0.0.1:80"});

  const ListenAddress only_v6{.written = "[::1]:80", .addresses = {v6(80)}};
  CHECK(bind_all(only_v6, machine.binding()));
}

TEST_CASE("a taken port is an error that names the setting, and nothing stays bound") {
  FakeMachine machine{.taken = {"[::1]:80"}};
  const auto bound = bind_all(localhost(80), machine.binding());
  REQUIRE_FALSE(bound);
  CHECK(bound.error().what == "localhost: [::1]:80 is taken");
  CHECK(machine.bound.empty());
  CHECK(machine.undone == 1);
}

}  // namespace
}  // namespace sidespan::app
