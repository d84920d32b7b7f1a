#include "sidespan/semconv/body_reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/http/deflate.h"
#include "sidespan/json/picker.h"
#include "support/eventstream.h"

namespace sidespan::semconv {
namespace {

// Each document on a line: the event's name, what was read, how it ended.
class Record final : public BodySink {
 public:
  json::Handler* begin_document(std::string_view event_name) override {
    CHECK_FALSE(open_);
    text.append(event_name).append(":");
    if (event_name == "skipped") {
      text += "-\n";
      return nullptr;
    }
    open_ = true;
    copy_.begin(size_t{1} << 20);
    return &copy_;
  }
  void end_document(bool whole) override {
    CHECK(open_);
    open_ = false;
    text.append(whole ? copy_.text() : "broken").append("\n");
  }
  bool open() const { return open_; }

  std::string text;

 private:
  bool open_ = false;
  json::JsonCopy copy_;
};

struct Outcome {
  std::string text;
  BodyReader::State state;
  bool operator==(const Outcome&) const = default;
};

http::Headers headers(std::string_view type, std::string_view coding = "") {
  http::Headers out;
  out.add("Content-Type", type);
  if (!coding.empty()) out.add("Content-Encoding", coding);
  return out;
}

struct Reading {
  std::string type;
  std::string body;
  std::string coding = {};
  std::optional<BodyFraming> framing = {};
  BodyLimits limits = {};
  bool clean = true;
};

Outcome read(const Reading& what, size_t piece = 1 << 20, Random* cuts = nullptr) {
  Record record;
  const auto reader =
      make_body_reader(headers(what.type, what.coding), what.limits, record, what.framing);
  REQUIRE(reader);
  for (std::string_view rest = what.body; !rest.empty();) {
    const size_t size = std::min(rest.size(), cuts ? 1 + cuts->below(9) : piece);
    reader->feed(std::string(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  reader->finish(what.clean);
  CHECK_FALSE(record.open());
  return {record.text, reader->state()};
}

constexpr auto kReading = BodyReader::State::kReading;
constexpr auto kBroken = BodyReader::State::kBroken;
constexpr auto kLimit = BodyReader::State::kLimit;

struct Row {
  std::string name;
  Reading what;
  std::string text;
  BodyReader::State state = kReading;
};

void check(const std::vector<Row>& rows) {
  Random random(17);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Outcome wanted{row.text, row.state};
    CHECK(read(row.what).text == row.text);
    CHECK(read(row.what) == wanted);
    CHECK(read(row.what, 1) == wanted);
    for (int i = 0; i < 30; ++i) CHECK(read(row.what, 0, &random) == wanted);
  }
}

}  // namespace

TEST_CASE("body reader: framings by the media type") {
  CHECK(framing_of("application/json") == BodyFraming::kJson);
  CHECK(framing_of(" Application/JSON ; charset=utf-8") == BodyFraming::kJson);
  CHECK(framing_of("application/problem+json") == BodyFraming::kJson);
  CHECK(framing_of("text/event-stream; charset=utf-8") == BodyFraming::kEvents);
  CHECK(framing_of("application/x-ndjson") == BodyFraming::kLines);
  CHECK(framing_of("application/stream+json") == BodyFraming::kLines);
  CHECK(framing_of("application/vnd.amazon.eventstream") == BodyFraming::kMessages);
  CHECK_FALSE(framing_of("+json"));
  CHECK_FALSE(framing_of("application/jsonp"));
  CHECK_FALSE(framing_of("text/html"));
  CHECK_FALSE(framing_of(""));
  Record record;
  CHECK_FALSE(make_body_reader(headers("text/html"), {}, record));
  CHECK_FALSE(make_body_reader(headers("application/json", "compress"), {}, record));
  CHECK(make_body_reader(headers("text/html"), {}, record, BodyFraming::kJson));
}

TEST_CASE("body reader: one text") {
  const std::string type = "application/json";
  check({
      {"an object", {type, R"( {"a": [1, "x\n", null]} )"}, ":{\"a\":[1,\"x\\n\",null]}\n"},
      {"an array is one document", {type, "[{},{}]"}, ":[{},{}]\n"},
      {"nothing", {type, ""}, ""},
      {"blanks", {type, " \r\n"}, ""},
      {"a number ends with the body", {type, "12"}, ":12\n"},
      {"and is not known of one that broke off",
       {.type = type, .body = "12", .clean = false},
       ":broken\n"},
      {"what is whole is whole", {.type = type, .body = "{}", .clean = false}, ":{}\n"},
      {"cut off", {type, "{\"a\":"}, ":broken\n"},
      {"no JSON", {type, "<html>"}, ":broken\n", kBroken},
      {"what follows is not read", {type, "{}{}<"}, ":{}\n"},
      {"a mark of streams is no JSON", {type, "[DONE]"}, ":broken\n", kBroken},
  });
}

TEST_CASE("body reader: texts in a row") {
  const auto row = [](std::string body, bool clean = true) {
    return Reading{.type = "application/json",
                   .body = std::move(body),
                   .framing = BodyFraming::kTexts,
                   .clean = clean};
  };
  check({
      {"one", row(" {\"a\":1}\n"), ":{\"a\":1}\n"},
      {"on lines and on none", row("{}\n[1]{\"a\":{}} "), ":{}\n:[1]\n:{\"a\":{}}\n"},
      {"scalars", row("12 \"a\"\nnull"), ":12\n:\"a\"\n:null\n"},
      {"nothing", row(" \n"), ""},
      {"cut off", row("{}{\"a\":", false), ":{}\n:broken\n"},
      {"what is no JSON ends it", row("{}\n{]{}"), ":{}\n:broken\n", kBroken},
  });
}

TEST_CASE("body reader: the elements of an array") {
  const auto elements = [](std::string body, bool clean = true) {
    return Reading{.type = "application/json",
                   .body = std::move(body),
                   .framing = BodyFraming::kElements,
                   .clean = clean};
  };
  check({
      {"as they are streamed", elements("[{\"a\":1}\n,\r\n{\"b\":[2]}\n]\n"),
       ":{\"a\":1}\n:{\"b\":[2]}\n"},
      {"scalars", elements("[1,\"a\",null]"), ":1\n:\"a\"\n:null\n"},
      {"no array is one document", elements(" {\"a\":1} "), ":{\"a\":1}\n"},
      {"empty", elements("[ ]"), ""},
      {"cut off", elements("[{\"a\":1},{\"b\":", false), ":{\"a\":1}\n:broken\n"},
      {"broken", elements("[{\"a\":1},}{},{}]"), ":{\"a\":1}\n:broken\n", kBroken},
      {"what follows is not read", elements("[{}] {\"a\":1}"), ":{}\n"},
  });
}

TEST_CASE("body reader: a text a line") {
  const std::string type = "application/x-ndjson";
  check({
      {"lines", {type, "{\"a\":1}\n{\"b\":2}\r\n\n12\n"}, ":{\"a\":1}\n:{\"b\":2}\n:12\n"},
      {"the last without its end", {type, "{}\n{\"a\":1}"}, ":{}\n:{\"a\":1}\n"},
      {"a line that is no JSON",
       {type, "{}\nnone\n{\"a\n{\"b\":1}\n"},
       ":{}\n:broken\n:broken\n:{\"b\":1}\n"},
      {"cut off", {.type = type, .body = "{}\n{\"a\":", .clean = false}, ":{}\n:broken\n"},
      {"more on a line is not read", {type, "{}{}\n{\"a\":1}\n"}, ":{}\n:{\"a\":1}\n"},
  });
}

TEST_CASE("body reader: server-sent events") {
  const std::string type = "text/event-stream";
  check({
      {"names and texts",
       {type, "event: start\ndata: {\"a\":1}\n\nevent: ping\ndata: {}\n\ndata: {\"b\":2}\n\n"},
       "start:{\"a\":1}\nping:{}\n:{\"b\":2}\n"},
      {"the mark at the end", {type, "data: {}\n\ndata: [DONE]\n\n"}, ":{}\n"},
      {"without an empty line", {type, "data: {}\n\ndata: [DONE]"}, ":{}\n"},
      {"what begins like it",
       {type, "data: [1]\n\ndata: []\n\ndata: [D\n\ndata: [\n\n"},
       ":[1]\n:[]\n:broken\n:broken\n"},
      {"a text over lines", {type, "data: {\"a\":\ndata: 1}\n\n"}, ":{\"a\":1}\n"},
      {"no data is no document", {type, "event: x\n\ndata:\n\ndata: \n\n"}, ""},
      {"of no interest",
       {type, "event: skipped\ndata: {\"a\"\n\ndata: {}\n\n"},
       "skipped:-\n:{}\n"},
      {"no JSON", {type, "data: hello\n\ndata: {}\n\n"}, ":broken\n:{}\n"},
      {"cut off", {.type = type, .body = "data: {\"a\":1", .clean = false}, ":broken\n"},
      {"whole at the end",
       {.type = type, .body = "data: {\"a\":1}", .clean = false},
       ":{\"a\":1}\n"},
  });
}

TEST_CASE("body reader: messages of an AWS event stream") {
  const std::string type = "application/vnd.amazon.eventstream";
  const std::string start = testing::eventstream_event("messageStart", "{\"role\":\"assistant\"}");
  const std::string stop = testing::eventstream_event("messageStop", " {} ");
  check({
      {"events", {type, start + stop}, "messageStart:{\"role\":\"assistant\"}\nmessageStop:{}\n"},
      {"an exception",
       {type, testing::eventstream_exception("throttlingException", "{}")},
       "throttlingException:{}\n"},
      {"no payload", {type, testing::eventstream_event("end", "") + stop}, "messageStop:{}\n"},
      {"of no interest",
       {type, testing::eventstream_event("skipped", "{}") + stop},
       "skipped:-\nmessageStop:{}\n"},
      {"no JSON",
       {type, testing::eventstream_event("a", "x") + stop},
       "a:broken\nmessageStop:{}\n"},
      {"broken", {type, stop + "no such message" + stop}, "messageStop:{}\n", kBroken},
      {"cut off",
       {.type = type, .body = start.substr(0, start.size() - 10), .clean = false},
       "messageStart:broken\n"},
  });
}

TEST_CASE("body reader: packed") {
  const std::string events = "event: e\ndata: {\"a\":1}\n\ndata: [DONE]\n\n";
  const std::string cut = http::gzip(events).substr(0, 20);
  check({
      {"events in gzip", {"text/event-stream", http::gzip(events), "gzip"}, "e:{\"a\":1}\n"},
      {"twice",
       {"text/event-stream", http::gzip(http::gzip(events)), "gzip, gzip"},
       "e:{\"a\":1}\n"},
      {"one text", {"application/json", http::gzip("{\"a\":1}"), "gzip"}, ":{\"a\":1}\n"},
      {"not packed at all", {"application/json", "{\"a\":1}", "gzip"}, "", kBroken},
  });
}

TEST_CASE("body reader: limits end it, and the document that was open") {
  const std::string text = "{\"a\":\"" + std::string(100, 'x') + "\"}";
  BodyLimits limits;
  limits.plain_bytes_max = 50;
  for (const bool packed : {false, true}) {
    CAPTURE(packed);
    Reading what{"application/json", packed ? http::gzip(text) : text, packed ? "gzip" : ""};
    what.limits = limits;
    CHECK(read(what) == Outcome{":broken\n", kLimit});
    CHECK(read(what, 1) == Outcome{":broken\n", kLimit});
    what.limits.plain_bytes_max = text.size();
    CHECK(read(what, 1).state == kReading);
  }
  Reading deep{"application/json", std::string(2000, '[') + std::string(2000, ']')};
  CHECK(read(deep) == Outcome{":broken\n", kBroken});
  Reading bomb{"application/json", http::gzip(std::string(8 << 20, ' ')), "gzip"};
  CHECK(read(bomb) == Outcome{"", kLimit});
}

}  // namespace sidespan::semconv
