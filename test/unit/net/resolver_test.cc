#include "sidespan/net/resolver.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "loopback.h"
#include "net/lookup_threads.h"
#include "net/resolver_cache.h"

namespace sidespan::net {
namespace {

Address ip(std::string_view text) {
  return *Address::parse(text, 0);
}

std::vector<std::string> texts(const Resolver::Addresses& addresses) {
  std::vector<std::string> out;
  for (const Address& address : addresses) out.push_back(address.ip());
  return out;
}

using Texts = std::vector<std::string>;
using Answer = std::optional<Result<Resolver::Addresses>>;

Resolver::OnResolve into(Answer& answer) {
  return [&answer](Result<Resolver::Addresses> result) { answer = std::move(result); };
}

TEST_CASE("resolver: families alternate, the first one leads") {
  const auto order = [](std::vector<Address> in, size_t max = 64) {
    return texts(interleave(in, max));
  };
  CHECK(order({}).empty());
  CHECK(order({ip("10.0.0.1")}) == Texts{"10.0.0.1"});
  CHECK(order({ip("::1"), ip("::2"), ip("::3"), ip("10.0.0.1"), ip("10.0.0.2")}) ==
        Texts{"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"});
  CHECK(order({ip("10.0.0.1"), ip("10.0.0.2"), ip("::1")}) == Texts{"10.0.0.1", "::1", "10.0.0.2"});
  CHECK(order({ip("10.0.0.1"), ip("10.0.0.1"), ip("::1"), ip("::1")}) == Texts{"10.0.0.1", "::1"});
  CHECK(order({ip("::1"), ip("::2"), ip("::3"), ip("10.0.0.1")}, 3) ==
        Texts{"::1", "10.0.0.1", "::2"});
}

TEST_CASE("resolver: a long answer is cut, and keeps both families") {
  std::vector<Address> many;
  for (int i = 0; i < 10000; ++i) {
    many.push_back(ip("10.0." + std::to_string(i / 250) + '.' + std::to_string(i % 250)));
  }
  many.push_back(ip("::1"));
  const auto out = interleave(many, 64);
  CHECK(out.size() == 64);
  CHECK(out[1].ip() == "::1");
}

TEST_CASE("resolver cache: time to live, both ways, and the bound") {
  ResolverCache cache(2);
  const MonoTime start{};
  const auto later = [&](int seconds) { return start + std::chrono::seconds(seconds); };
  CHECK(cache.find("a", start) == nullptr);
  cache.put("a", Resolver::Addresses{ip("10.0.0.1")}, later(30));
  cache.put("b", fail(Code::kDnsFailure, Side::kOrigin, "no such host b"), later(1));
  CHECK(texts(**cache.find("a", later(29))) == Texts{"10.0.0.1"});
  CHECK(cache.find("b", start)->error().what == "no such host b");
  CHECK(cache.find("b", later(1)) == nullptr);
  CHECK(cache.find("a", later(30)) == nullptr);
  CHECK(cache.size() == 0);

  cache.put("a", Resolver::Addresses{}, later(30));
  cache.put("b", Resolver::Addresses{}, later(30));
  CHECK(cache.find("a", start) != nullptr);
  cache.put("c", Resolver::Addresses{}, later(30));
  CHECK(cache.find("b", start) == nullptr);
  CHECK(cache.find("a", start) != nullptr);
  cache.put("a", Resolver::Addresses{ip("::2")}, later(40));
  CHECK(texts(**cache.find("a", later(39))) == Texts{"::2"});
  CHECK(cache.size() == 2);

  cache.put("d", fail(Code::kDnsFailure, Side::kSelf, "no name server answers", true), later(30));
  CHECK(cache.find("d", start) == nullptr);
  CHECK(cache.size() == 2);

  ResolverCache none(0);
  none.put("a", Resolver::Addresses{}, later(30));
  CHECK(none.find("a", start) == nullptr);
}

struct Fixture {
  Loop loop;
  Resolver resolver{loop, {}};
  Answer answer;
};

TEST_CASE_FIXTURE(Fixture, "resolver: what needs no lookup is answered at once") {
  struct Row {
    std::string_view host;
    Texts addresses;
  };
  const Row rows[] = {
      {"192.0.2.1", {"192.0.2.1"}},        {"2001:db8::1", {"2001:db8::1"}},     {"[::1]", {"::1"}},
      {"localhost", {"127.0.0.1", "::1"}}, {"LocalHost.", {"127.0.0.1", "::1"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.host);
    answer.reset();
    CHECK(resolver.resolve(row.host, into(answer)) == nullptr);
    REQUIRE(answer);
    REQUIRE(*answer);
    CHECK(texts(**answer) == row.addresses);
    CHECK((**answer)[0].port() == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "resolver: what no name can be is answered at once") {
  using namespace std::string_literals;
  for (const std::string& host :
       {""s, "."s, "a b"s, "a\0b"s, "a\nb"s, "a/b"s, "a:b"s, std::string(254, 'a')}) {
    CAPTURE(host);
    answer.reset();
    CHECK(resolver.resolve(host, into(answer)) == nullptr);
    REQUIRE(answer);
    REQUIRE(!*answer);
    CHECK(answer->error().code == Code::kDnsFailure);
    CHECK(answer->error().side == Side::kOrigin);
  }
}

TEST_CASE_FIXTURE(Fixture, "resolver: an unknown name fails with a sentence, and is remembered") {
  auto query = resolver.resolve("No-Such.invalid", into(answer));
  REQUIRE(query);
  CHECK(!answer);
  CHECK(run_until(loop, [&] { return answer.has_value(); }));
  REQUIRE(!*answer);
  CHECK(answer->error().code == Code::kDnsFailure);
  // A machine without a name server says "try again" instead of "no such name".
  const bool known = answer->error().side == Side::kOrigin;
  if (known) {
    CHECK(answer->error().what == "no such host no-such.invalid");
  } else {
    CHECK(answer->error().retryable);
    CHECK(answer->error().what.find("no-such.invalid") != std::string::npos);
  }
  answer.reset();
  query = resolver.resolve("no-such.INVALID", into(answer));
  CHECK((query == nullptr) == known);
  CHECK(answer.has_value() == known);
}

TEST_CASE_FIXTURE(Fixture, "resolver: forms of numbers that only the system reads are looked up") {
  // inet_aton's short form: getaddrinfo answers without asking anybody.
  auto query = resolver.resolve("127.1", into(answer));
  REQUIRE(query);
  CHECK(run_until(loop, [&] { return answer.has_value(); }));
  REQUIRE(*answer);
  CHECK((**answer)[0].is_loopback());
  Answer again;
  CHECK(resolver.resolve("127.1", into(again)) == nullptr);
  CHECK(texts(**again) == Texts{"127.0.0.1"});
}

TEST_CASE_FIXTURE(Fixture, "resolver: equal lookups are joined, and answered in order") {
  std::string order;
  auto first = resolver.resolve("127.2", [&](auto) { order += 'a'; });
  auto second = resolver.resolve("127.2", [&](auto) { order += 'b'; });
  auto third = resolver.resolve("127.2", [&](auto) { order += 'c'; });
  second.reset();
  CHECK(run_until(loop, [&] { return order.size() == 2; }));
  CHECK(order == "ac");
}

TEST_CASE_FIXTURE(Fixture, "resolver: a callback may drop its own query and another one") {
  int called = 0;
  std::unique_ptr<Resolver::Query> first;
  std::unique_ptr<Resolver::Query> second;
  first = resolver.resolve("127.3", [&](auto) {
    ++called;
    first.reset();
    second.reset();
  });
  second = resolver.resolve("127.3", [&](auto) { ++called; });
  loop.run();
  CHECK(called == 1);
}

TEST_CASE("resolver: destroyed with queries in flight, and by a callback") {
  Loop loop;
  int called = 0;
  auto resolver = std::make_unique<Resolver>(loop, Resolver::Options{});
  SUBCASE("before") {
    auto query = resolver->resolve("127.4", [&](auto) { ++called; });
    resolver.reset();
    loop.run();
    CHECK(called == 0);
  }
  SUBCASE("inside") {
    auto first = resolver->resolve("127.4", [&](auto) {
      ++called;
      resolver.reset();
    });
    auto second = resolver->resolve("127.4", [&](auto) { ++called; });
    loop.run();
    CHECK(called == 1);
    CHECK(!resolver);
  }
}

TEST_CASE("resolver: it holds the loop only while a lookup is in flight") {
  Loop loop;
  Resolver resolver(loop, {});
  loop.run();
  Answer answer;
  auto query = resolver.resolve("127.5", into(answer));
  loop.run();
  CHECK(answer.has_value());
}

TEST_CASE("resolver: beyond the limit it says so at once") {
  Loop loop;
  Resolver resolver(loop, {.lookups_max = 1});
  Answer first;
  Answer second;
  Answer joined;
  auto one = resolver.resolve("127.6", into(first));
  CHECK(resolver.resolve("127.7", into(second)) == nullptr);
  auto three = resolver.resolve("127.6", into(joined));
  REQUIRE(second);
  CHECK(second->error().code == Code::kOverload);
  CHECK(second->error().side == Side::kSelf);
  CHECK(run_until(loop, [&] { return first && joined; }));
  CHECK(*joined);
}

TEST_CASE("resolver: a lookup that nobody waits for any more counts no more") {
  Loop loop;
  Resolver resolver(loop, {.lookups_max = 1, .threads_max = 1});
  for (int i = 0; i < 20; ++i) {
    Answer given_up;
    auto query = resolver.resolve("127.0." + std::to_string(i), into(given_up));
    CHECK(query != nullptr);
    CHECK(!given_up);
  }
  // It may run already; then who asks for the same name waits for that.
  Answer answer;
  auto again = resolver.resolve("127.0.0", into(answer));
  CHECK(run_until(loop, [&] { return answer.has_value(); }));
  CHECK(*answer);
  loop.run();
}

TEST_CASE("lookup threads: a job that has not begun can be withdrawn") {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false;
  bool release = false;
  std::string order;
  const auto set = [&](auto&& change) {
    const std::scoped_lock lock(mutex);
    change();
    changed.notify_all();
  };
  const auto wait_for = [&](const auto& met) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), met);
  };
  LookupThreads threads(1);
  const auto stuck = threads.submit([&] {
    set([&] { running = true; });
    wait_for([&] { return release; });
  });
  const auto dropped = threads.submit([&] { set([&] { order += 'a'; }); });
  CHECK(threads.submit([&] { set([&] { order += 'b'; }); }));
  REQUIRE(wait_for([&] { return running; }));
  CHECK_FALSE(threads.withdraw(*stuck));
  CHECK(threads.withdraw(*dropped));
  CHECK_FALSE(threads.withdraw(*dropped));
  set([&] { release = true; });
  CHECK(wait_for([&] { return !order.empty(); }));
  CHECK(order == "b");
}

TEST_CASE("lookup threads: bounded, in order, and a stuck one holds up nobody") {
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  int done = 0;
  const auto wait_for = [&](const auto& met) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), met);
  };
  const auto count = [&] {
    const std::scoped_lock lock(mutex);
    ++done;
    changed.notify_all();
  };
  {
    LookupThreads threads(2);
    CHECK(threads.submit([&] {
      wait_for([&] { return release; });
      count();
    }));
    for (int i = 0; i < 20; ++i) CHECK(threads.submit(count));
    CHECK(wait_for([&] { return done == 20; }));
  }
  {
    const std::scoped_lock lock(mutex);
    release = true;
    changed.notify_all();
  }
  CHECK(wait_for([&] { return done == 21; }));
}

}  // namespace
}  // namespace sidespan::net
