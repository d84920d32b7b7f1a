#include "sidespan/net/mailbox.h"

#include <array>
#include <optional>
#include <thread>

#include "loopback.h"

namespace sidespan::net {
namespace {

TEST_CASE("mailbox: four threads, each one's mail in order, all on the loop's thread") {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  Loop loop;
  Mailbox box(loop);
  std::array<int, kThreads> next{};
  int total = 0;
  bool in_order = true;
  const auto home = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        box.post([&, t, i] {
          in_order = in_order && next[t]++ == i && std::this_thread::get_id() == home;
          if (++total == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  CHECK(total == kThreads * kEach);
  CHECK(in_order);
}

TEST_CASE("mailbox: closing runs what is inside and refuses what comes later") {
  Loop loop;
  int ran = 0;
  Mailbox box(loop);
  const auto sender = box.sender();
  CHECK(box.post([&] { ++ran; }));
  CHECK(sender.post([&] { ++ran; }));
  box.close();
  CHECK(ran == 2);
  CHECK(!box.post([&] { ++ran; }));
  CHECK(!sender.post([&] { ++ran; }));
  loop.run();
  CHECK(ran == 2);
}

TEST_CASE("mailbox: a sender may outlive mailbox and loop") {
  std::optional<Mailbox::Sender> sender;
  {
    Loop loop;
    Mailbox box(loop);
    sender = box.sender();
  }
  CHECK(!sender->post([] {}));
}

TEST_CASE("mailbox: destroyed by its own mail, the rest of the batch still runs, in order") {
  Loop loop;
  std::string order;
  auto box = std::make_unique<Mailbox>(loop);
  box->post([&] {
    order += 'a';
    box.reset();
    order += 'd';
  });
  box->post([&] { order += 'b'; });
  box->post([&] { order += 'c'; });
  loop.run();
  CHECK(order == "abcd");
}

TEST_CASE("mailbox: mail that posts mail waits its turn") {
  Loop loop;
  std::string order;
  Mailbox box(loop);
  box.post([&] {
    box.post([&] {
      order += 'c';
      loop.stop();
    });
    order += 'a';
  });
  box.post([&] { order += 'b'; });
  loop.run();
  CHECK(order == "abc");
}

TEST_CASE("mailbox: in the background it does not hold the loop") {
  Loop loop;
  Mailbox box(loop);
  box.set_background(true);
  loop.run();
  box.set_background(false);
  box.post([&] { loop.stop(); });
  loop.run();
}

TEST_CASE("mailbox: mail may be move-only") {
  Loop loop;
  int got = 0;
  Mailbox box(loop);
  box.post([&, value = std::make_unique<int>(7)] {
    got = *value;
    loop.stop();
  });
  loop.run();
  CHECK(got == 7);
}

}  // namespace
}  // namespace sidespan::net
