#include "sidespan/http/sse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::http::SseCounter;

namespace {

struct Row {
  const char* test;
  std::string stream;
  uint64_t events;
};

const std::vector<Row> kRows = {
    {"nothing", "", 0},
    {"one event", "data: a\n\n", 1},
    {"two events", "data: a\n\ndata: b\n\n", 2},
    {"several data lines are one event", "data: a\ndata: b\n\n", 1},
    {"event name and id", "event: x\nid: 1\ndata: a\n\n", 1},
    {"no blank", "data:a\n\n", 1},
    {"data without a colon", "data\n\n", 1},
    {"empty data", "data:\n\n", 1},
    {"CR LF", "data: a\r\n\r\ndata: b\r\n\r\n", 2},
    {"CR", "data: a\r\rdata: b\r\r", 2},
    {"mixed line ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", 3},
    {"comment only", ": ping\n\n", 0},
    {"comment before data", ": ping\ndata: a\n\n", 1},
    {"event without data", "event: ping\n\n", 0},
    {"data of an earlier block does not count twice", "data: a\n\nevent: x\n\n", 1},
    {"many empty lines", "\n\n\ndata: a\n\n\n\n", 1},
    {"unfinished event", "data: a\n", 0},
    {"unfinished line", "data: a\n\ndata: b", 1},
    {"longer name", "database: a\n\n", 0},
    {"shorter name", "dat: a\n\n", 0},
    {"name with a blank before", " data: a\n\n", 0},
    {"upper case", "Data: a\n\n", 0},
    {"data inside a value", "x: data: a\n\n", 0},
    {"byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     1},
    {"byte order mark later is text",
     "data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     1},
    {"half a byte order mark",
     "\xef\xbb"
     "data: a\n\ndata: b\n\n",
     1},
    {"model stream", "data: {\"delta\":\"a\"}\n\ndata: {\"delta\":\"b\"}\n\ndata: [DONE]\n\n", 3},
    {"NUL and binary", std::string("data: \0\x01\xff\n\n", 11), 1},
};

uint64_t count_in_pieces(const std::string& stream, Random* cuts, size_t piece) {
  SseCounter counter;
  uint64_t returned = 0;
  for (size_t i = 0; i < stream.size();) {
    const size_t n = std::min(cuts ? 1 + cuts->below(7) : piece, stream.size() - i);
    returned += counter.feed(std::string_view(stream).substr(i, n));
    i += n;
  }
  CHECK(returned == counter.events());
  return returned;
}

}  // namespace

TEST_CASE("events are counted whole, byte by byte and at random cuts") {
  Random random(7);
  for (const Row& row : kRows) {
    CAPTURE(row.test);
    CHECK(count_in_pieces(row.stream, nullptr, row.stream.size()) == row.events);
    CHECK(count_in_pieces(row.stream, nullptr, 1) == row.events);
    for (int i = 0; i < 50; ++i) CHECK(count_in_pieces(row.stream, &random, 0) == row.events);
  }
}

TEST_CASE("a row before changes nothing of what follows") {
  Random random(11);
  std::string all;
  uint64_t events = 0;
  for (const Row& row : kRows) {
    if (!row.stream.ends_with("\n\n") || row.stream.starts_with('\xef')) continue;
    all += row.stream;
    events += row.events;
  }
  for (int i = 0; i < 50; ++i) CHECK(count_in_pieces(all, &random, 0) == events);
}

TEST_CASE("an empty piece changes nothing") {
  SseCounter counter;
  for (const std::string_view piece : {"", "data: a\r", "", "\n", "", "\r", "", "\n", ""}) {
    counter.feed(piece);
  }
  CHECK(counter.events() == 1);
}
