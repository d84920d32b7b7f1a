#include "sidespan/base/buffer.h"

#include <doctest/doctest.h>

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

const std::string kA(400, 'a');
const std::string kB(300, 'b');
const std::string kC(270, 'c');

// Three blocks: a Chunk that moves in is merged with another only when it is small.
Chain abc() {
  Chain chain;
  for (const std::string& bytes : {kA, kB, kC}) chain.append(Chunk::copy_of(bytes));
  return chain;
}

TEST_CASE("chunk: appends up to its capacity, gives up its front") {
  for (const size_t wanted : {5U, 1008U, 1009U, 40'000U, 65'536U, 65'537U}) {
    CAPTURE(wanted);
    Chunk chunk(wanted);
    CHECK(chunk.size() == 0);
    const size_t room = chunk.room();
    CHECK(room >= wanted);
    CHECK(chunk.append(std::string(room - 2, 'x')) == room - 2);
    CHECK(chunk.append("defg") == 2);
    CHECK(chunk.append("h") == 0);
    CHECK(chunk.view() == std::string(room - 2, 'x') + "de");
    chunk.consume(room - 2);
    CHECK(chunk.view() == "de");
    CHECK(chunk.room() == 0);
    chunk.consume(2);
    CHECK(chunk.size() == 0);
  }
}

TEST_CASE("chunk: released blocks come again, whatever their number") {
  for (int round = 0; round < 3; ++round) {
    std::vector<Chunk> held;
    for (size_t i = 0; i < 100; ++i) {
      held.push_back(Chunk::copy_of(std::to_string(i)));
      held.push_back(Chunk::copy_of(std::string(65'000, static_cast<char>('a' + i % 26))));
    }
    for (size_t i = 0; i < 100; ++i) {
      CHECK(held[2 * i].view() == std::to_string(i));
      CHECK(held[2 * i + 1].view().back() == static_cast<char>('a' + i % 26));
    }
  }
}

TEST_CASE("chunk: a share keeps its bytes, whoever goes first") {
  Chunk whole = Chunk::copy_of("0123456789");
  CHECK(!whole.shared());
  Chunk part = whole.share(whole.view().substr(3, 4));
  CHECK(whole.shared());
  CHECK(part.view() == "3456");
  CHECK(part.view().data() == whole.view().data() + 3);
  CHECK(whole.room() == 0);
  CHECK(part.append("x") == 0);
  Chunk again = part.share(part.view());
  whole = Chunk();
  part.consume(2);
  CHECK(part.view() == "56");
  CHECK(again.view() == "3456");
  part = Chunk();
  CHECK(!again.shared());
  CHECK(again.append("++") == 2);
  CHECK(again.view() == "3456++");
  CHECK(whole.share({}).size() == 0);
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
  const std::string body(300, 'b');
  Chunk chunk = Chunk::copy_of(body);
  const char* place = chunk.view().data();
  Chain chain;
  chain.append(std::move(chunk));
  Chain next;
  next.append(Chunk::copy_of("head"));
  next.append(std::move(chain));
  CHECK(chain.empty());  // NOLINT(bugprone-use-after-move): the contract under test
  CHECK(blocks(next) == std::vector<std::string>{"head", body});
  next.consume(4);
  CHECK(next.front().data() == place);
  const Chain taken = next.take(body.size());
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

TEST_CASE("chain: a share is the same bytes, and stays when the chain goes on") {
  Chain chain = abc();
  const Chain share = chain.share();
  CHECK(share.front().data() == chain.front().data());
  chain.append("dd");
  chain.consume(kA.size() + 1);
  CHECK(chain.to_string() == kB.substr(1) + kC + "dd");
  chain.clear();
  CHECK(chain.empty());
  CHECK(share.to_string() == kA + kB + kC);
  CHECK(Chain().share().empty());
}

TEST_CASE("chain: visit shows what is left, in order") {
  Chain chain = abc();
  CHECK(blocks(chain) == std::vector<std::string>{kA, kB, kC});
  chain.consume(kA.size() + 1);
  CHECK(blocks(chain) == std::vector<std::string>{kB.substr(1), kC});
  CHECK(blocks(Chain()).empty());
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
