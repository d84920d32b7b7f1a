#include "sidespan/http/inflate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/base/text.h"
#include "sidespan/http/deflate.h"

namespace sidespan::http {
namespace {

std::string unhex(std::string_view digits) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (size_t i = 0; i < digits.size(); i += 2) {
    out += static_cast<char>(nibble(digits[i]) * 16 + nibble(digits[i + 1]));
  }
  return out;
}

std::string plain_text() {
  std::string out;
  for (int i = 0; i < 8; ++i) out += "{\"n\":" + std::to_string(i) + ",\"text\":\"a word\"}\n";
  return out;
}

// It, as brotli, zstd and zlib pack it. kBare is kZlib without its wrapping.
const std::string kBrotli = unhex(
    "1bbf00609c07b69bb40bd3a5e045724729a2b057616ea5d3e725a3544d16b89731e000e0006cb0012f8ce616"
    "8b0c42a881444a5a46562e3c");
const std::string kZstd = unhex(
    "28b52ffd0458bd010044027b226e223a302c2274657874223a226120776f7264227d0a7b226e223a31323334"
    "3536370700c013501fa819a805d4076ae6d6330fdd7ba209");
const std::string kZlib = unhex(
    "78daab56ca53b232d0512a49ad2851b2524a5428cf2f4a51aae5aa06891be21037c2216e8c43dc0487b8290e"
    "71331ce2e698e2004447388d");
const std::string kBare = unhex(
    "ab56ca53b232d0512a49ad2851b2524a5428cf2f4a51aae5aa06891be21037c2216e8c43dc0487b8290e7133"
    "1ce2e698e200");
const std::string kBrotliZstd = unhex(
    "28b52ffd0458c101001bbf00609c07b69bb40bd3a5e045724729a2b057616ea5d3e725a3544d16b89731e000"
    "e0006cb0012f8ce6168b0c42a881444a5a46562e3cb7368a55");
// 64 MiB of zeros, with a window of 16 MiB.
const std::string kBrotliBombWide = unhex(
    "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f0088c32200ddfb7ffeffffc3"
    "3f0110870500baf7ff03");

std::string times(size_t count, std::string_view text) {
  std::string out;
  while (count-- > 0) out += text;
  return out;
}

// A frame whose blocks are each a byte repeated 2^17 times, by hand (RFC 8878 section 3.1.1).
std::string zstd_frame(size_t blocks, char window) {
  std::string out = std::string("\x28\xb5\x2f\xfd\x00", 5) + window;
  out += times(blocks - 1, std::string_view("\x02\x00\x10z", 4));
  return out += std::string_view("\x03\x00\x10z", 4);
}
constexpr char kWindow1m = 0x50;
constexpr char kWindow2m = 0x58;
constexpr char kWindow4m = 0x60;
constexpr size_t kBlockBytes = size_t{1} << 17;

struct Outcome {
  std::string plain;
  Inflater::State state;
  bool complete;
  bool operator==(const Outcome&) const = default;
};

class Record final : public PlainSink {
 public:
  void on_plain(std::string_view part) override {
    CHECK(part.size() <= 16 * 1024);
    CHECK(!part.empty());
    plain += part;
  }
  std::string plain;
};

// `cuts`: at random; else in pieces of `piece`.
Outcome inflate(std::string_view names, std::string_view packed, const InflateLimits& limits = {},
                size_t piece = 1 << 16, Random* cuts = nullptr) {
  Record record;
  const std::optional<Codings> codings = parse_codings(names);
  REQUIRE(codings);
  Inflater inflater(*codings, limits, record);
  while (!packed.empty()) {
    const size_t size = std::min(packed.size(), cuts ? 1 + cuts->below(9) : piece);
    inflater.feed(std::string(packed.substr(0, size)));
    packed.remove_prefix(size);
  }
  return {std::move(record.plain), inflater.state(), inflater.complete()};
}

using State = Inflater::State;

}  // namespace

TEST_CASE("inflate: codings by their names") {
  const auto names = [](std::string_view value) -> std::string {
    const std::optional<Codings> codings = parse_codings(value);
    if (!codings) return "unknown";
    std::string out;
    for (size_t i = 0; i < codings->count; ++i) {
      out += std::string_view("gdbz")[static_cast<size_t>(codings->all[i])];
    }
    return out;
  };
  CHECK(names("") == "");
  CHECK(names("identity") == "");
  CHECK(names("gzip") == "g");
  CHECK(names("X-GZIP") == "g");
  CHECK(names("deflate, Br") == "db");
  CHECK(names(" zstd ,, identity") == "z");
  CHECK(names("gzip, gzip, gzip") == "unknown");
  CHECK(names("compress") == "unknown");
  CHECK(names("gzip;q=1") == "unknown");
}

TEST_CASE("inflate: whole, byte by byte and at random cuts") {
  struct Row {
    std::string name;
    std::string codings;
    std::string packed;
    std::string plain;
  };
  const std::string text = plain_text();
  const std::vector<Row> rows = {
      {"nothing was done", "", text, text},
      {"gzip", "gzip", gzip(text), text},
      {"members of gzip", "gzip", gzip(text) + gzip("") + gzip("b"), text + "b"},
      {"zlib", "deflate", kZlib, text},
      {"bare", "deflate", kBare, text},
      {"brotli", "br", kBrotli, text},
      {"zstd", "zstd", kZstd, text},
      {"frames of zstd", "zstd", kZstd + kZstd, text + text},
      {"brotli in gzip", "br, gzip", gzip(kBrotli), text},
      {"brotli in zstd", "br, zstd", kBrotliZstd, text},
      {"zstd in gzip", "zstd, gzip", gzip(kZstd), text},
      {"long", "gzip", gzip(times(2'000, text)), times(2'000, text)},
      {"frames beyond a piece", "zstd", zstd_frame(2, kWindow2m),
       std::string(2 * kBlockBytes, 'z')},
  };
  Random random(3);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Outcome wanted{row.plain, State::kReading, !row.packed.empty()};
    const InflateLimits limits;
    CHECK(inflate(row.codings, row.packed, limits) == wanted);
    CHECK(inflate(row.codings, row.packed, limits, 1) == wanted);
    for (int i = 0; i < 20; ++i) {
      CHECK(inflate(row.codings, row.packed, limits, 0, &random) == wanted);
    }
  }
}

TEST_CASE("inflate: a text that was cut off is not complete, and keeps what it has") {
  struct Row {
    std::string codings;
    std::string packed;
  };
  const std::vector<Row> rows = {{"gzip", gzip(plain_text())},
                                 {"deflate", kZlib},
                                 {"deflate", kBare},
                                 {"br", kBrotli},
                                 {"zstd", kZstd},
                                 {"br, gzip", gzip(kBrotli)}};
  for (const Row& row : rows) {
    CAPTURE(row.codings);
    for (size_t size = 0; size < row.packed.size(); ++size) {
      CAPTURE(size);
      const Outcome outcome = inflate(row.codings, row.packed.substr(0, size), {}, 1);
      CHECK_FALSE(outcome.complete);
      CHECK(outcome.state == State::kReading);
      CHECK(plain_text().starts_with(outcome.plain));
    }
  }
}

TEST_CASE("inflate: what is not of the coding, or goes on behind it") {
  for (const std::string_view codings : {"gzip", "deflate", "br", "zstd", "br, gzip"}) {
    CAPTURE(codings);
    const Outcome outcome = inflate(codings, "\xff\xff\xff\xff" + plain_text());
    CHECK(outcome.state == State::kBroken);
    CHECK(outcome.plain.empty());
  }
  // A frame of zstd 0.5, which the library knows.
  CHECK(inflate("zstd", std::string("\x25\xb5\x2f\xfd\x00\xdf\x00\xff", 8)) ==
        Outcome{"", State::kBroken, false});
  for (const auto& [codings, packed] : std::vector<std::pair<std::string, std::string>>{
           {"gzip", gzip(plain_text())}, {"deflate", kZlib}, {"br", kBrotli}, {"zstd", kZstd}}) {
    CAPTURE(codings);
    const Outcome outcome = inflate(codings, packed + "more of it");
    CHECK(outcome == Outcome{plain_text(), State::kBroken, false});
  }
}

TEST_CASE("inflate: bombs end at a limit") {
  const uint64_t free = uint64_t{1} << 20;
  SUBCASE("by what a byte becomes") {
    struct Row {
      std::string codings;
      std::string packed;
    };
    const std::string zeros(8 << 20, '\0');
    for (const Row& row : {Row{"gzip", gzip(zeros)}, Row{"gzip, gzip", gzip(gzip(zeros))},
                           Row{"zstd", zstd_frame(100, kWindow1m)},
                           Row{"zstd, gzip", gzip(zstd_frame(100, kWindow1m))}}) {
      CAPTURE(row.codings);
      const Outcome outcome = inflate(row.codings, row.packed);
      CHECK(outcome.state == State::kLimit);
      CHECK_FALSE(outcome.complete);
      CHECK(outcome.plain.size() > free / 2);
      CHECK(outcome.plain.size() <= free + 100 * row.packed.size() + 16 * 1024);
    }
    // Neither of the two is one alone, before so much has come out of it.
    std::string both;
    for (int i = 0; i < 1000; ++i) both += gzip(std::string(100'000, '\0'));
    const std::string packed = gzip(both);
    CHECK(both.size() < free);
    const Outcome two = inflate("gzip, gzip", packed);
    CHECK(two.state == State::kLimit);
    CHECK(two.plain.size() <= free + 100 * packed.size() + 16 * 1024);
    const InflateLimits memory{.memory_bytes_max = size_t{64} << 20};
    const Outcome outcome = inflate("br", kBrotliBombWide, memory);
    CHECK(outcome.state == State::kLimit);
    CHECK(outcome.plain.size() <= free + 16 * 1024);
  }
  SUBCASE("by how much it is, to the byte") {
    const std::string packed = gzip(std::string(100'000, 'a'));
    for (const size_t piece : {size_t{1}, packed.size()}) {
      CHECK(inflate("gzip", packed, {.plain_bytes_max = 100'000}, piece).complete);
      const Outcome outcome = inflate("gzip", packed, {.plain_bytes_max = 99'999}, piece);
      CHECK(outcome == Outcome{std::string(99'999, 'a'), State::kLimit, false});
    }
  }
  SUBCASE("by the memory they ask for") {
    CHECK(inflate("zstd", zstd_frame(1, kWindow2m)).complete);
    CHECK(inflate("zstd", zstd_frame(1, kWindow4m)) == Outcome{"", State::kLimit, false});
    CHECK(inflate("zstd", zstd_frame(1, kWindow4m), {.memory_bytes_max = 8 << 20}).complete);
    CHECK(inflate("br", kBrotliBombWide).state == State::kLimit);
    CHECK(inflate("br", kBrotli, {.memory_bytes_max = 1000}).state == State::kLimit);
  }
}

TEST_CASE("inflate: a turn gives no more than it may, and the next goes on") {
  struct Row {
    std::string codings;
    std::string packed;
  };
  std::string text;
  for (int i = 0; text.size() < 900'000; ++i)
    text += "data: {\"delta\":\"" + std::to_string(i) + "\"}\n\n";
  const std::string zeros(1 << 20, '\0');
  for (const Row& row :
       {Row{"gzip", gzip(text)}, Row{"gzip, gzip", gzip(gzip(text))}, Row{"gzip", gzip(zeros)},
        Row{"zstd", zstd_frame(7, kWindow2m)}, Row{"zstd, gzip", gzip(zstd_frame(7, kWindow2m))},
        Row{"br", kBrotli}, Row{"br, gzip", gzip(kBrotli)}}) {
    CAPTURE(row.codings);
    const Outcome wanted = inflate(row.codings, row.packed);
    REQUIRE(wanted.complete);
    for (const size_t turn : {size_t{1000}, size_t{64} << 10}) {
      for (const size_t piece : {size_t{100}, row.packed.size()}) {
        Record record;
        InflateBacklog backlog;
        Inflater inflater(*parse_codings(row.codings), {}, record);
        size_t most = 0;
        const auto in_a_turn = [&](auto&& what) {
          const size_t before = record.plain.size();
          backlog.begin_turn(turn);
          const InflateBacklog::Scope scope(backlog);
          what();
          most = std::max(most, record.plain.size() - before);
        };
        for (size_t at = 0; at < row.packed.size(); at += piece) {
          in_a_turn([&] { inflater.feed(std::string_view(row.packed).substr(at, piece)); });
          while (!backlog.empty()) {
            CHECK_FALSE(inflater.complete());
            in_a_turn([&] { backlog.go_on(); });
          }
        }
        CHECK(Outcome{record.plain, inflater.state(), inflater.complete()} == wanted);
        CHECK(most <= turn);
      }
    }
  }
}

TEST_CASE("inflate: who is behind may end, be fed, and outlive the backlog") {
  const std::string packed = gzip(std::string(300'000, 'a'));
  const auto codings = *parse_codings("gzip");
  Record record;
  SUBCASE("end") {
    InflateBacklog backlog;
    backlog.begin_turn(1000);
    const InflateBacklog::Scope scope(backlog);
    const int64_t before = memory::tally.held;
    {
      Inflater inflater(codings, {}, record);
      inflater.feed(packed);
      CHECK_FALSE(backlog.empty());
    }
    CHECK(backlog.empty());
    CHECK(memory::tally.held == before);
  }
  SUBCASE("be fed, in the turn and outside of any") {
    Inflater inflater(codings, {}, record);
    InflateBacklog backlog;
    {
      backlog.begin_turn(1000);
      const InflateBacklog::Scope scope(backlog);
      inflater.feed(packed.substr(0, 50));
      inflater.feed(packed.substr(50, 50));
      CHECK(record.plain.size() == 1000);
    }
    inflater.feed(packed.substr(100));
    CHECK(backlog.empty());
    CHECK(inflater.complete());
    CHECK(record.plain == std::string(300'000, 'a'));
  }
  SUBCASE("outlive it") {
    Inflater inflater(codings, {}, record);
    {
      InflateBacklog backlog;
      backlog.begin_turn(1000);
      const InflateBacklog::Scope scope(backlog);
      inflater.feed(packed);
    }
    CHECK_FALSE(inflater.complete());
    inflater.feed("more");
    CHECK(inflater.state() == Inflater::State::kBroken);
    CHECK(record.plain.size() == 300'000);
  }
  SUBCASE("and a limit ends it") {
    Inflater inflater(codings, {.plain_bytes_max = 2000}, record);
    InflateBacklog backlog;
    const InflateBacklog::Scope scope(backlog);
    backlog.begin_turn(1500);
    inflater.feed(packed);
    CHECK_FALSE(backlog.empty());
    backlog.begin_turn(1500);
    backlog.go_on();
    CHECK(backlog.empty());
    CHECK(inflater.state() == Inflater::State::kLimit);
    CHECK(record.plain.size() == 2000);
  }
}

TEST_CASE("inflate: what a decoder holds is in the ledger while it is held") {
  const int64_t before = memory::tally.held;
  Record record;
  for (const std::string_view names : {"gzip", "br", "zstd"}) {
    CAPTURE(names);
    const std::string packed = names == "gzip" ? gzip("a") : names == "br" ? kBrotli : kZstd;
    {
      Inflater inflater(*parse_codings(names), {}, record);
      CHECK(memory::tally.held == before);
      inflater.feed(packed.substr(0, 16));
      CHECK(memory::tally.held > before + 1000);
    }
    CHECK(memory::tally.held == before);
  }
  Inflater inflater(*parse_codings("gzip"), {}, record);
  inflater.feed("no gzip");
  CHECK(memory::tally.held == before);
}

TEST_CASE("inflate: all decoders of a thread have a share of its memory") {
  MemoryLedger ledger(size_t{16} << 20);
  MemoryAccount account(ledger, [] {});
  Record record;
  std::vector<std::unique_ptr<Inflater>> open;
  const std::string frame = zstd_frame(30, kWindow2m);
  const auto begin = [&](size_t bytes) {
    for (int i = 0; i < 20; ++i) {
      open.push_back(std::make_unique<Inflater>(*parse_codings("zstd"),
                                                InflateLimits{.ratio_max = 0}, record));
      open.back()->feed(frame.substr(0, bytes));
    }
  };
  const auto reading = [&] {
    return std::ranges::count_if(
        open, [](const auto& one) { return one->state() == Inflater::State::kReading; });
  };
  // Who has asked for much and filled none of it keeps nobody from reading.
  begin(7);
  CHECK(reading() == 20);
  CHECK(memory::tally.held < int64_t{2} << 20);
  open.clear();
  begin(frame.size() - 1);
  CHECK(reading() > 0);
  CHECK(reading() < 8);
  CHECK(memory::tally.held < int64_t{8} << 20);
  open.clear();
  // What was given back is there for others.
  begin(7);
  CHECK(reading() == 20);
  open.clear();
}

}  // namespace sidespan::http
