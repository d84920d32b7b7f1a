#include "sidespan/base/buffer.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/random.h"

namespace sidespan {
namespace {

std::vector<std::string> blocks(const Chain& chain) {
  std::vector<std::string> out;
  chain.visit([&](std::string_view block) { out.emplace_back(block); });
  return out;
}

// Three blocks: a Chunk that moves in is never merged with another.
Chain abc() {
  Chain chain;
  chain.append(Chunk::copy_of("aaaa"));
  chain.append(Chunk::copy_of("bbb"));
  chain.append(Chunk::copy_of("cc"));
  return chain;
}

TEST_CASE("chunk: appends up to its capacity, gives up its front") {
  Chunk chunk(5);
  CHECK(chunk.size() == 0);
  CHECK(chunk.room() == 5);
  CHECK(chunk.append("abc") == 3);
  CHECK(chunk.append("defg") == 2);
  CHECK(chunk.append("h") == 0);
  CHECK(chunk.view() == "abcde");
  chunk.consume(2);
  CHECK(chunk.view() == "cde");
  CHECK(chunk.room() == 0);
  chunk.consume(3);
  CHECK(chunk.size() == 0);
}

TEST_CASE("chunk: what was moved from is empty") {
  Chunk first = Chunk::copy_of("bytes");
  const char* place = first.view().data();
  Chunk second = std::move(first);
  CHECK(second.view() == "bytes");
  CHECK(second.view().data() == place);
  CHECK(first.size() == 0);  // NOLINT(bugprone-use-after-move): the contract under test
  CHECK(first.room() == 0);
  second = Chunk::copy_of("other");
  CHECK(second.view() == "other");
}

TEST_CASE("chain: small appends share a block, big ones have their own") {
  Chain chain;
  CHECK(chain.empty());
  CHECK(chain.front().empty());
  chain.append("");
  CHECK(blocks(chain).empty());
  chain.append("GET ");
  chain.append("/ ");
  CHECK(blocks(chain) == std::vector<std::string>{"GET / "});
  const std::string big(5000, 'x');
  chain.append(big);
  CHECK(chain.size() == 5006);
  CHECK(chain.to_string() == "GET / " + big);
  CHECK(blocks(chain).size() == 2);
}

TEST_CASE("chain: chunks move, bytes stay where they are") {
  Chunk chunk = Chunk::copy_of("body");
  const char* place = chunk.view().data();
  Chain chain;
  chain.append(std::move(chunk));
  Chain next;
  next.append(Chunk::copy_of("head"));
  next.append(std::move(chain));
  CHECK(chain.empty());  // NOLINT(bugprone-use-after-move): the contract under test
  CHECK(blocks(next) == std::vector<std::string>{"head", "body"});
  next.consume(4);
  CHECK(next.front().data() == place);
  const Chain taken = next.take(4);
  CHECK(taken.front().data() == place);
  CHECK(next.empty());
}

TEST_CASE("chain: bytes that come one by one share blocks") {
  Chain chain;
  std::string sent;
  for (size_t i = 0; i < 4000; ++i) {
    sent.push_back(static_cast<char>('a' + i % 26));
    chain.append(Chain(std::string_view(sent).substr(i)));
  }
  CHECK(chain.to_string() == sent);
  CHECK(chain.size() == sent.size());
  CHECK(blocks(chain).size() == 4);
  chain.consume(10);
  chain.append(Chain("end"));
  CHECK(chain.to_string() == sent.substr(10) + "end");
}

TEST_CASE("chain: an empty chunk leaves no block") {
  Chain chain;
  chain.append(Chunk());
  chain.append(Chunk(100));
  chain.append(Chain());
  CHECK(blocks(chain).empty());
  CHECK(chain.empty());
}

TEST_CASE("chain: consume and take at every place") {
  const std::string all = abc().to_string();
  for (size_t n = 0; n <= all.size(); ++n) {
    CAPTURE(n);
    Chain left = abc();
    left.consume(n);
    CHECK(left.size() == all.size() - n);
    CHECK(left.to_string() == all.substr(n));
    CHECK(left.empty() == (n == all.size()));

    Chain rest = abc();
    const Chain taken = rest.take(n);
    CHECK(taken.to_string() == all.substr(0, n));
    CHECK(taken.size() == n);
    CHECK(rest.to_string() == all.substr(n));
    CHECK(rest.size() == all.size() - n);
  }
}

TEST_CASE("chain: a copy has bytes of its own") {
  Chain chain = abc();
  const Chain copy = chain.copy();
  chain.clear();
  CHECK(chain.empty());
  CHECK(copy.to_string() == "aaaabbbcc");
}

TEST_CASE("chain: fill gives the first blocks, as many as there is room for") {
  const Chain chain = abc();
  std::array<std::string_view, 2> two;
  CHECK(chain.fill(two) == 2);
  CHECK(two[0] == "aaaa");
  CHECK(two[1] == "bbb");
  std::array<std::string_view, 8> many;
  CHECK(chain.fill(many) == 3);
  CHECK(many[2] == "cc");
  CHECK(Chain().fill(many) == 0);
}

TEST_CASE("chain: fill after some was used up") {
  Chain chain = abc();
  chain.consume(5);
  std::array<std::string_view, 8> views;
  CHECK(chain.fill(views) == 2);
  CHECK(views[0] == "bb");
  CHECK(views[1] == "cc");
}

TEST_CASE("chain: swap") {
  Chain one("one");
  Chain two("and two");
  one.swap(two);
  CHECK(one.to_string() == "and two");
  CHECK(two.to_string() == "one");
}

// The same steps on a chain and on a string: whatever the chain does with its blocks, its bytes are
// those of the string.
TEST_CASE("chain: ten thousand steps beside a string") {
  Random random(7);
  Chain chain;
  std::string model;
  for (int step = 0; step < 10000; ++step) {
    const std::string bytes(random.below(step % 50 == 0 ? 3000 : 40),
                            static_cast<char>('a' + step % 26));
    const size_t n = random.below(std::min<size_t>(model.size(), 200) + 1);
    switch (random.below(5)) {
      case 0:
        chain.append(bytes), model += bytes;
        break;
      case 1:
        chain.append(Chunk::copy_of(bytes)), model += bytes;
        break;
      case 2:
        chain.append(Chain(bytes)), model += bytes;
        break;
      case 3:
        chain.consume(n), model.erase(0, n);
        break;
      default: {
        const Chain taken = chain.take(n);
        REQUIRE(taken.to_string() == model.substr(0, n));
        model.erase(0, n);
      }
    }
    REQUIRE(chain.size() == model.size());
    REQUIRE(model.starts_with(chain.front()));
    if (step % 100 == 0) REQUIRE(chain.to_string() == model);
  }
  CHECK(chain.to_string() == model);
}

}  // namespace
}  // namespace sidespan
