#include <string>

#include "loopback.h"

namespace sidespan::net {
namespace {

struct Ends {
  Loop loop;
  Stream::Pair pair = Stream::pair(loop, loopback(7));
  Recorder a;
  Recorder b;

  Ends() {
    pair.first->start(a);
    pair.second->start(b);
  }
};

std::string much() {
  std::string text(300'000, 'x');
  for (size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

TEST_CASE_FIXTURE(Ends, "stream pair: what one writes the other reads, later and in order") {
  const std::string sent = much();
  pair.first->write(Chain("hello, "));
  pair.first->write(Chain(sent));
  CHECK(b.received.empty());
  CHECK(pair.first->pending() == 7 + sent.size());
  CHECK_FALSE(pair.second->is_quiet());
  run_briefly(loop);
  CHECK(b.received == "hello, " + sent);
  CHECK(a.written == b.received.size());
  CHECK(pair.first->pending() == 0);
  CHECK(pair.second->is_quiet());
  pair.second->write(Chain("and back"));
  run_briefly(loop);
  CHECK(a.received == "and back");
  CHECK(pair.first->peer() == loopback(7));
  CHECK_FALSE(pair.first->local());
}

TEST_CASE_FIXTURE(Ends, "stream pair: who pauses holds up the other") {
  b.most = 10;
  b.then_bytes = [&](std::string_view) { pair.second->pause(); };
  pair.first->write(Chain(std::string(25, 'x')));
  run_briefly(loop);
  CHECK(b.received.size() == 10);
  CHECK(a.written == 10);
  CHECK(pair.first->pending() == 15);
  pair.second->resume();
  run_briefly(loop);
  CHECK(b.received.size() == 20);
  b.then_bytes = nullptr;
  pair.second->resume();
  run_briefly(loop);
  CHECK(b.received.size() == 25);
}

TEST_CASE_FIXTURE(Ends,
                  "stream pair: a reader without room has paused it, and the writer sees that") {
  b.most = 10;
  b.then_bytes = [&](std::string_view) { b.most = 0; };
  CHECK(pair.first->writable() == 10);
  pair.first->write(Chain(std::string(25, 'x')));
  run_briefly(loop);
  CHECK(b.received.size() == 10);
  CHECK(pair.second->paused());
  CHECK(pair.first->writable() == 0);
  b.then_bytes = nullptr;
  b.most = 100;
  CHECK(pair.first->writable() == 0);
  pair.second->resume();
  CHECK(pair.first->writable() == 100);
  run_briefly(loop);
  CHECK(b.received.size() == 25);
}

TEST_CASE_FIXTURE(Ends, "stream pair: each direction ends by itself") {
  pair.first->write(Chain("last"));
  pair.first->shutdown();
  run_briefly(loop);
  CHECK(b.received == "last");
  CHECK(b.ends == 1);
  pair.second->write(Chain("still"));
  run_briefly(loop);
  CHECK(a.received == "still");
  CHECK(a.ends == 0);
  pair.second->shutdown();
  run_briefly(loop);
  CHECK(a.ends == 1);
  CHECK(a.failures.empty());
  CHECK(b.failures.empty());
}

TEST_CASE_FIXTURE(Ends, "stream pair: how one that closes looks to the other") {
  SUBCASE("all it said is read, and its end") {
    pair.first->write(Chain("last"));
    pair.first.reset();
    run_briefly(loop);
    CHECK(b.received == "last");
    CHECK(b.ends == 1);
    // There is nobody to answer to.
    CHECK(b.failures.size() == 1);
  }
  SUBCASE("the same to one that has paused since it had the end") {
    pair.first->shutdown();
    run_briefly(loop);
    CHECK(b.ends == 1);
    pair.second->pause();
    pair.first.reset();
    run_briefly(loop);
    CHECK(b.failures.size() == 1);
  }
  SUBCASE("nothing, where it had ended as well") {
    pair.second->shutdown();
    pair.first.reset();
    run_briefly(loop);
    CHECK(b.ends == 1);
    CHECK(b.failures.empty());
  }
  SUBCASE("with a reset nothing more is read") {
    pair.first->write(Chain("lost"));
    pair.first->close(true);
    run_briefly(loop);
    CHECK(b.received.empty());
    CHECK(b.ends == 0);
    CHECK(b.failures.size() == 1);
  }
  SUBCASE("before it had read all") {
    pair.second->write(Chain("unread"));
    pair.first.reset();
    run_briefly(loop);
    CHECK(b.ends == 0);
    CHECK(b.failures.size() == 1);
  }
  CHECK(a.failures.empty());
}

TEST_CASE_FIXTURE(Ends, "stream pair: either end, or both, may go while it is told something") {
  b.then_bytes = [&](std::string_view) {
    pair.first.reset();
    pair.second.reset();
  };
  pair.first->write(Chain("bytes"));
  pair.second->write(Chain("bytes"));
  run_briefly(loop);
  CHECK(pair.first == nullptr);
}

}  // namespace
}  // namespace sidespan::net
