#include "sidespan/net/loop.h"

#include <functional>
#include <thread>
#include <vector>

#include "loopback.h"

namespace sidespan::net {
namespace {

struct Work final : TurnEnd {
  explicit Work(std::function<void()> run) : run_(std::move(run)) {}
  void on_turn_end() override {
    ++count;
    run_();
  }
  int count = 0;
  std::function<void()> run_;
};

TEST_CASE("loop: nothing to wait for ends at once") {
  Loop loop;
  loop.run();
  loop.run();
}

TEST_CASE("loop: the end of the turn comes once, in order, and includes what it asks for") {
  Loop loop;
  std::string order;
  Work last([&] { order += 'c'; });
  Work second([&] { order += 'b'; });
  Work first([&] {
    order += 'a';
    loop.at_turn_end(last);
  });
  Timer timer(loop, [&] {
    order += '(';
    loop.at_turn_end(first);
    loop.at_turn_end(second);
    loop.at_turn_end(first);
    order += ')';
  });
  timer.start(Milliseconds(1));
  loop.run();
  CHECK(order == "()abc");
}

TEST_CASE("loop: work asked for before run, and by the last close, is done") {
  Loop loop;
  Work work([] {});
  loop.at_turn_end(work);
  loop.run();
  CHECK(work.count == 1);
}

TEST_CASE("loop: the end of the turn may start new work for the loop") {
  Loop loop;
  bool fired = false;
  Timer timer(loop, [&] { fired = true; });
  Work work([&] { timer.start(Milliseconds(0)); });
  loop.at_turn_end(work);
  loop.run();
  CHECK(fired);
}

TEST_CASE("loop: cancelled work is not done, and may be asked for again") {
  Loop loop;
  Work work([] {});
  Work canceller([&] { loop.cancel_turn_end(work); });
  loop.at_turn_end(canceller);
  loop.at_turn_end(work);
  loop.run();
  CHECK(work.count == 0);
  loop.cancel_turn_end(work);
  loop.at_turn_end(work);
  loop.run();
  CHECK(work.count == 1);
}

TEST_CASE("loop: I/O has its end of the turn before the next poll") {
  Loop loop;
  Pair pair(loop);
  Recorder reader;
  bool flushed = false;
  Work work([&] {
    flushed = true;
    loop.stop();
  });
  reader.then_bytes = [&](std::string_view) { loop.at_turn_end(work); };
  pair.server->start(reader);
  pair.client->write(Chain("x"));
  loop.run();
  CHECK(flushed);
}

TEST_CASE("loop: who asks for the end of a read does not wait for the next one") {
  Loop loop;
  Pair pairs[2] = {Pair(loop), Pair(loop)};
  Recorder readers[2];
  std::string order;
  std::vector<uint64_t> turns;
  Work writers[2] = {Work([&] { order += 'w'; }), Work([&] { order += 'w'; })};
  Work later([&] { order += 'l'; });
  Work cancelled([] {});
  for (int i = 0; i < 2; ++i) {
    readers[i].then_bytes = [&, i](std::string_view) {
      turns.push_back(loop.turn());
      order += 'r';
      loop.at_turn_end(later);
      loop.after_read(cancelled);
      loop.cancel_turn_end(cancelled);
      loop.after_read(writers[i]);
      loop.after_read(later);  // somebody else's place
    };
    pairs[i].server->start(readers[i]);
  }
  pairs[0].client->write(Chain("x"));
  pairs[1].client->write(Chain("y"));
  CHECK(run_until(loop, [&] { return turns.size() == 2 && later.count > 0; }));
  CHECK(turns[0] == turns[1]);
  CHECK(order == "rwrwl");
  CHECK(cancelled.count == 0);
}

TEST_CASE("loop: stop before run and inside it") {
  Loop loop;
  Timer timer(loop, [] {});
  timer.start(std::chrono::hours(1));
  loop.stop();
  loop.run();
  Timer stopper(loop, [&] { loop.stop(); });
  stopper.start(Milliseconds(1));
  loop.run();
  CHECK(timer.active());
}

TEST_CASE("loop: now is one moment a turn and follows the clock") {
  Loop loop;
  const Moment first = loop.now();
  CHECK(loop.now().mono == first.mono);
  CHECK(loop.precise_now().mono >= first.mono);
  Moment at_timer{};
  Timer timer(loop, [&] { at_timer = loop.now(); });
  timer.start(Milliseconds(5));
  loop.run();
  CHECK(at_timer.mono - first.mono >= Milliseconds(5));
  CHECK(at_timer.wall > first.wall);
}

TEST_CASE("loop: reads land in one block, and in another while somebody keeps a share") {
  Loop loop;
  const std::span<char> place = loop.landing();
  CHECK(place.size() == Chunk::kReadBytes);
  std::ranges::copy(std::string_view("some"), place.begin());
  CHECK(loop.landed(4).view() == "some");
  CHECK(loop.landing().data() == place.data());
  CHECK(loop.landing().size() == Chunk::kReadBytes);
  std::ranges::copy(std::string_view("kept"), place.begin());
  const Chunk& chunk = loop.landed(4);
  const Chunk kept = chunk.share(chunk.view());
  CHECK(loop.landing().data() != place.data());
  CHECK(loop.landing().size() == Chunk::kReadBytes);
  CHECK(kept.view() == "kept");
}

TEST_CASE("loop: each thread may have its own") {
  int fired = 0;
  std::thread other([&] {
    Loop loop;
    Timer timer(loop, [&] { ++fired; });
    timer.start(Milliseconds(1));
    loop.run();
  });
  other.join();
  CHECK(fired == 1);
}

struct Later final : NextTurn {
  explicit Later(std::function<void()> run) : run_(std::move(run)) {}
  void on_next_turn() override {
    ++count;
    run_();
  }
  int count = 0;
  std::function<void()> run_;
};

TEST_CASE("loop: the next turn comes at once, after the sockets, and asks for the one after") {
  Loop loop;
  std::vector<uint64_t> turns;
  Later again([] {});
  again.run_ = [&] {
    turns.push_back(loop.turn());
    if (again.count < 3) loop.at_next_turn(again);
  };
  Later cancelled([] {});
  Later cancels([&] { loop.cancel_next_turn(cancelled); });
  const uint64_t begun = loop.turn();
  loop.at_next_turn(again);
  loop.at_next_turn(cancels);
  loop.at_next_turn(cancelled);
  loop.run();
  CHECK(turns.size() == 3);
  CHECK(turns.front() >= begun);
  CHECK(turns[1] == turns[0] + 1);
  CHECK(turns[2] == turns[1] + 1);
  CHECK(cancels.count == 1);
  CHECK(cancelled.count == 0);

  // One that is never over leaves timers their turn.
  Later endless([] {});
  endless.run_ = [&] { loop.at_next_turn(endless); };
  loop.at_next_turn(endless);
  Timer timer(loop, [&] {
    loop.cancel_next_turn(endless);
    loop.stop();
  });
  timer.start(Milliseconds(5));
  loop.run();
  CHECK(endless.count > 1);
}

}  // namespace
}  // namespace sidespan::net
