#include "sidespan/http/sse.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::http::SseCounter;
using sidespan::http::SseReader;
using sidespan::http::SseSink;

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

// What was told, one event a line.
class Record final : public SseSink {
 public:
  void on_event(std::string_view name) override { text.append(name).append("<"); }
  void on_data(std::string_view part) override {
    CHECK(!part.empty());
    text += part;
  }
  void on_event_end(bool whole) override { text += whole ? ">" : "~"; }

  std::string text;
};

std::string read(const std::string& stream, Random* cuts, size_t piece) {
  Record record;
  SseReader reader(&record);
  for (size_t i = 0; i < stream.size();) {
    const size_t n = std::min(cuts ? 1 + cuts->below(7) : piece, stream.size() - i);
    reader.feed(std::string_view(stream).substr(i, n));
    i += n;
  }
  reader.finish();
  reader.finish();
  return record.text;
}

struct ReadRow {
  const char* test;
  std::string stream;
  std::string told;
};

const std::vector<ReadRow> kReadRows = {
    {"nothing", "", ""},
    {"data and a name", "event: ping\ndata: a\n\n", "ping<a>"},
    {"a name is for its block alone", "event: x\ndata: a\n\ndata: b\n\n", "x<a><b>"},
    {"a name of a block without data is forgotten", "event: x\n\ndata: b\n\n", "<b>"},
    {"the last name counts", "event: x\nevent:y\ndata: a\n\n", "y<a>"},
    {"a name without a colon is none", "event: x\nevent\ndata: a\n\n", "<a>"},
    {"a name behind the data is too late", "data: a\nevent: x\n\ndata: b\n\n", "<a><b>"},
    {"lines are joined", "data: a\ndata: b\ndata\ndata:\ndata:c\n\n", "<a\nb\n\n\nc>"},
    {"other lines between", "data: a\nid: 7\n: no\ndata: b\n\n", "<a\nb>"},
    {"one blank is not of the value", "data:  a \n\n", "< a >"},
    {"a tab is", "data:\ta\n\n", "<\ta>"},
    {"empty data", "data:\n\ndata\n\n", "<><>"},
    {"CR LF", "event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", "x<a><b>"},
    {"CR", "event: x\rdata: a\rdata: c\r\rdata: b\r\r", "x<a\nc><b>"},
    {"comment", ": data: a\n\n:\ndata: b\n\n", "<b>"},
    {"byte order mark",
     "\xef\xbb\xbf"
     "event: x\ndata: a\n\n",
     "x<a>"},
    {"names that begin alike", "dat: 1\ndatas: 2\nevents: 3\neven: 4\ndata: a\n\n", "<a>"},
    {"no empty line at the end", "data: a\n\ndata: b\n", "<a><b~"},
    {"no line end at the end", "data: a\n\nevent: y\ndata: b", "<a>y<b~"},
    {"an end within the name of a field", "data: a\n\ndat", "<a>"},
    {"a long line", "data: " + std::string(1000, 'x') + "\r\n\r\n",
     "<" + std::string(1000, 'x') + ">"},
    {"a long name is cut", "event: " + std::string(100, 'n') + "\ndata: a\n\n",
     std::string(SseReader::kNameBytesMax, 'n') + "<a>"},
};

}  // namespace

TEST_CASE("names and data are told whole, byte by byte and at random cuts") {
  Random random(13);
  for (const ReadRow& row : kReadRows) {
    CAPTURE(row.test);
    CHECK(read(row.stream, nullptr, row.stream.size()) == row.told);
    CHECK(read(row.stream, nullptr, 1) == row.told);
    for (int i = 0; i < 50; ++i) CHECK(read(row.stream, &random, 0) == row.told);
  }
}

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

TEST_CASE("whether events have ids") {
  struct IdRow {
    const char* test;
    std::string stream;
    bool ids;
  };
  const std::vector<IdRow> rows = {
      {"none", "data: a\n\n", false},
      {"an id", "id: 7\ndata: a\n\n", true},
      {"one behind the data", "data: a\nid:7\r\n", true},
      {"without data", "id: 7\n\n", true},
      {"an empty one", "id\n\n", true},
      {"another field", "idea: 7\ni: 1\nid 8\n\n", false},
      {"in a value", "data: id: 7\n\n", false},
      {"in a comment", ":id: 7\n\n", false},
      {"a name begun", "data: a\n\nid", false},
  };
  for (const IdRow& row : rows) {
    CAPTURE(row.test);
    for (const size_t piece : {size_t{1}, size_t{2}, row.stream.size()}) {
      SseReader reader;
      for (size_t at = 0; at < row.stream.size(); at += piece) {
        reader.feed(std::string_view(row.stream).substr(at, piece));
      }
      CHECK(reader.has_ids() == row.ids);
    }
  }
}
