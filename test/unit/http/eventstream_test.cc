#include "sidespan/http/eventstream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"
#include "support/eventstream.h"

namespace sidespan::http {
namespace {

using testing::big_endian;
using testing::eventstream_event;
using testing::eventstream_exception;
using testing::eventstream_frame;
using testing::eventstream_header;

class Record final : public EventStreamSink {
 public:
  void on_message(const EventStreamHead& head) override {
    text += "exE"[static_cast<size_t>(head.kind)];
    text.append(":").append(head.name);
    if (!head.text.empty()) text.append("=").append(head.text);
    text += '<';
  }
  void on_payload(std::string_view part) override {
    CHECK(!part.empty());
    text += part;
  }
  void on_message_end(bool whole) override { text += whole ? ">" : "~"; }
  std::string text;
};

struct Outcome {
  std::string text;
  bool broken = false;
  bool complete = true;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view stream, size_t piece = 1 << 20, Random* cuts = nullptr) {
  Record record;
  EventStreamReader reader(record);
  while (!stream.empty()) {
    const size_t size = std::min(stream.size(), cuts ? 1 + cuts->below(9) : piece);
    reader.feed(std::string(stream.substr(0, size)));
    stream.remove_prefix(size);
  }
  const bool complete = reader.complete();
  reader.finish();
  return {record.text, reader.broken(), complete};
}

std::string changed(std::string text, size_t at) {
  text[at] = static_cast<char>(text[at] ^ 1);
  return text;
}

// A header of each type that has no length before it, and bytes.
std::string other_headers() {
  std::string out;
  const std::vector<std::pair<int, int>> sizes = {{0, 0}, {1, 0}, {2, 1}, {3, 2},
                                                  {4, 4}, {5, 8}, {8, 8}, {9, 16}};
  for (const auto& [type, size] : sizes) {
    out += std::string("\x01h") + static_cast<char>(type) + std::string(size_t(size), 'v');
  }
  return out + std::string("\x01h\x06\x00\x02vv", 7);
}

}  // namespace

TEST_CASE("eventstream: messages whole, byte by byte and at random cuts") {
  struct Row {
    std::string name;
    std::string stream;
    Outcome wanted;
  };
  const std::string one = eventstream_event("chunk", "{\"a\":1}");
  const std::string prelude = big_endian(16, 4) + big_endian(17, 4);
  const std::vector<Row> rows = {
      {"nothing", "", {""}},
      {"an event", one, {"e:chunk<{\"a\":1}>"}},
      {"two", one + eventstream_event("end", "{}"), {"e:chunk<{\"a\":1}>e:end<{}>"}},
      {"an exception",
       eventstream_exception("throttlingException", "{}"),
       {"x:throttlingException<{}>"}},
      {"an error",
       eventstream_frame(
           eventstream_header(":message-type", "error") + eventstream_header(":error-code", "500"),
           ""),
       {"E:500<>"}},
      {"an error with its message",
       eventstream_frame(eventstream_header(":error-message", "it failed") +
                             eventstream_header(":message-type", "error") +
                             eventstream_header(":error-code", "InternalFailure"),
                         "") +
           one,
       {"E:InternalFailure=it failed<>e:chunk<{\"a\":1}>"}},
      {"a long message of an error is cut",
       eventstream_frame(eventstream_header(":error-message", std::string(5000, 'm')), ""),
       {"e:=" + std::string(EventStreamReader::kTextBytesMax, 'm') + "<>"}},
      {"no headers and no payload", eventstream_frame("", ""), {"e:<>"}},
      {"headers of all types",
       eventstream_frame(other_headers() + eventstream_header(":event-type", "a"), "p"),
       {"e:a<p>"}},
      {"a name is of its message", one + eventstream_frame("", "p"), {"e:chunk<{\"a\":1}>e:<p>"}},
      {"a long name is cut",
       eventstream_event(std::string(300, 'n'), "p"),
       {"e:" + std::string(EventStreamReader::kNameBytesMax, 'n') + "<p>"}},
      {"cut in the payload", one.substr(0, one.size() - 6), {"e:chunk<{\"a\":~", true, false}},
      {"cut in the checksum", one.substr(0, one.size() - 1), {"e:chunk<{\"a\":1}~", true, false}},
      {"cut in the headers", one.substr(0, 20), {"", false, false}},
      {"a wrong length", changed(one, 3), {"", true, false}},
      {"a wrong checksum of it", changed(one, 9), {"", true, false}},
      {"a wrong payload",
       changed(one, one.size() - 6) + one,
       {"e:chunk<{\"a\"" + std::string(1, ':') + "0}~", true, false}},
      {"a type that there is not",
       eventstream_frame(std::string("\x01h\x0a", 3), ""),
       {"", true, false}},
      {"a name beyond the headers", eventstream_frame("\x05h", "ppppp"), {"", true, false}},
      {"a value beyond the headers",
       eventstream_frame(std::string("\x01h\x05v", 4), "ppppppppp"),
       {"", true, false}},
      {"headers beyond the message",
       prelude + big_endian(testing::crc_of(prelude), 4),
       {"", true, false}},
  };
  Random random(23);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(read(row.stream).text == row.wanted.text);
    CHECK(read(row.stream) == row.wanted);
    CHECK(read(row.stream, 1) == row.wanted);
    for (int i = 0; i < 30; ++i) CHECK(read(row.stream, 0, &random) == row.wanted);
  }
}

TEST_CASE("eventstream: the limits of a message") {
  const auto begun = [](uint32_t total, uint32_t headers) {
    const std::string prelude = big_endian(total, 4) + big_endian(headers, 4);
    return read(prelude + big_endian(testing::crc_of(prelude), 4)).broken;
  };
  using Reader = EventStreamReader;
  CHECK_FALSE(begun(Reader::kMessageBytesMax, Reader::kHeadersBytesMax));
  CHECK(begun(Reader::kMessageBytesMax + 1, 0));
  CHECK(begun(Reader::kMessageBytesMax, Reader::kHeadersBytesMax + 1));
  CHECK(begun(15, 0));
}

TEST_CASE("eventstream: the checksums are those of gzip") {
  CHECK(testing::crc_of("123456789") == 0xcbf43926U);
}

}  // namespace sidespan::http
