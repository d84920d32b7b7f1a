#include "sidespan/http/websocket_deflate.h"

#include <doctest/doctest.h>

#include <zlib.h>

#include <string>
#include <vector>

namespace sidespan::http {
namespace {

// A sender, as RFC 7692 section 7.2.1 has it.
class Packer {
 public:
  Packer() { deflateInit2(&stream_, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
  ~Packer() { deflateEnd(&stream_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  std::string pack(std::string text, bool last = false) {
    std::string out(text.size() + 1024, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(text.data());
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    deflate(&stream_, last ? Z_FINISH : Z_SYNC_FLUSH);
    out.resize(out.size() - stream_.avail_out);
    return last ? out : out.substr(0, out.size() - 4);
  }

 private:
  z_stream stream_{};
};

struct Text final : PlainSink {
  void on_plain(std::string_view part) override { text.append(part); }
  std::string text;
};

void feed(WebSocketInflater& inflater, const std::string& packed, size_t piece) {
  for (size_t i = 0; i < packed.size(); i += piece) inflater.feed(packed.substr(i, piece));
  inflater.end_message();
}

TEST_CASE("extensions that the sides of a WebSocket agreed on") {
  struct Row {
    const char* test;
    std::vector<std::string> values;
    WebSocketExtension found;
  };
  const std::vector<Row> rows = {
      {"none", {}, WebSocketExtension::kNone},
      {"empty", {""}, WebSocketExtension::kNone},
      {"deflate", {"permessage-deflate"}, WebSocketExtension::kDeflate},
      {"parameters",
       {"Permessage-Deflate; server_no_context_takeover; client_max_window_bits=12"},
       WebSocketExtension::kDeflate},
      {"another", {"x-webkit-deflate-frame"}, WebSocketExtension::kOther},
      {"beside another", {"permessage-deflate, mux"}, WebSocketExtension::kOther},
      {"in a line of its own", {"permessage-deflate", "mux"}, WebSocketExtension::kOther},
      {"twice", {"permessage-deflate, permessage-deflate"}, WebSocketExtension::kOther},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Headers headers;
    for (const std::string& value : row.values) {
      REQUIRE(headers.add("Sec-WebSocket-Extensions", value));
    }
    CHECK(websocket_extension(headers) == row.found);
  }
}

TEST_CASE("packed messages, each of which may refer to those before it") {
  const std::string first(R"({"type":"response.create","model":"gpt-5"})");
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100'000}}) {
    CAPTURE(piece);
    Packer packer;
    Text sink;
    WebSocketInflater inflater({}, sink);
    const std::string once = packer.pack(first);
    feed(inflater, once, piece);
    CHECK(sink.text == first);
    const std::string again = packer.pack(first);
    CHECK(again.size() < once.size() / 2);
    feed(inflater, again, piece);
    feed(inflater, std::string(1, '\0'), piece);  // an empty message (section 7.2.3.6)
    CHECK(sink.text == first + first);
    CHECK(inflater.state() == Inflater::State::kReading);
  }
}

TEST_CASE("a sender without a context between messages") {
  Text sink;
  WebSocketInflater inflater({}, sink);
  for (int i = 0; i < 3; ++i) feed(inflater, Packer().pack("abcabcabcabc"), 2);
  CHECK(sink.text == "abcabcabcabcabcabcabcabcabcabcabcabc");
}

TEST_CASE("what is no packed message, or too much of one, is read no further") {
  Text sink;
  WebSocketInflater broken({}, sink);
  feed(broken, "\xff\xff\xff\xff", 1);
  CHECK(broken.state() == Inflater::State::kBroken);
  feed(broken, Packer().pack("abc"), 1);
  CHECK(sink.text.empty());

  WebSocketInflater ended({}, sink);
  feed(ended, Packer().pack("abc", true), 1);
  CHECK(ended.state() == Inflater::State::kBroken);

  Text some;
  WebSocketInflater limited({.plain_bytes_max = 10}, some);
  feed(limited, Packer().pack("0123456789"), 3);
  CHECK(limited.state() == Inflater::State::kReading);
  feed(limited, Packer().pack("01234567890"), 3);
  CHECK(limited.state() == Inflater::State::kLimit);
  CHECK(some.text == "01234567890123456789");

  Text zeros;
  WebSocketInflater bomb({}, zeros);
  feed(bomb, Packer().pack(std::string(size_t{4} << 20U, '\0')), 100);
  CHECK(bomb.state() == Inflater::State::kLimit);
  CHECK(zeros.text.size() <= (size_t{1} << 20U) + (size_t{32} << 10U));
}

}  // namespace
}  // namespace sidespan::http
