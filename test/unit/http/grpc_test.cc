#include "sidespan/http/grpc.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Nanoseconds;
using sidespan::Random;
using namespace std::chrono_literals;
using namespace sidespan::http;  // NOLINT(google-build-using-namespace)

namespace {

std::string message(const std::string& text, bool packed = false) {
  return GrpcFrame{packed, static_cast<uint32_t>(text.size())}.encode() + text;
}

uint64_t count(std::string_view bytes, size_t piece) {
  GrpcMessageCounter counter;
  for (size_t i = 0; i < bytes.size(); i += piece) counter.feed(bytes.substr(i, piece));
  return counter.messages();
}

}  // namespace

TEST_CASE("grpc: frames") {
  CHECK(GrpcFrame{true, 0x01020304}.encode() == "\1\1\2\3\4");
  const auto frame = GrpcFrame::parse(std::string_view("\0\0\1\0\xff", 5));
  REQUIRE(frame.has_value());
  CHECK_FALSE(frame->packed);
  CHECK(frame->message_bytes == 0x100ff);
  for (const std::string& bad :
       {std::string(), std::string(4, '\0'), std::string(6, '\0'), std::string("\2\0\0\0\0", 5)}) {
    CHECK_FALSE(GrpcFrame::parse(bad).has_value());
  }
}

TEST_CASE("grpc: messages are counted when they are whole") {
  struct Row {
    const char* test;
    std::string bytes;
    uint64_t messages;
  };
  const std::vector<Row> rows = {
      {"nothing", "", 0},
      {"one", message("abc"), 1},
      {"empty ones", message("") + message("") + message("", true), 3},
      {"long", message(std::string(70000, 'x'), true) + message("y"), 2},
      {"the last is cut", message("abc") + message("defg").substr(0, 8), 1},
      {"a head is cut", message("abc") + std::string(3, '\0'), 1},
      {"no frame", message("abc") + "\7" + message("abc"), 1},
  };
  Random random(7);
  for (const Row& row : rows) {
    CAPTURE(row.test);
    for (const size_t piece : {row.bytes.size() + 1, size_t{1}, size_t{2}, size_t{7}}) {
      CHECK(count(row.bytes, piece) == row.messages);
    }
    for (int i = 0; i < 20; ++i) {
      GrpcMessageCounter counter;
      for (std::string_view rest = row.bytes; !rest.empty();) {
        const size_t piece = 1 + random.next() % rest.size();
        counter.feed(rest.substr(0, piece));
        rest.remove_prefix(piece);
      }
      CHECK(counter.messages() == row.messages);
    }
  }
}

TEST_CASE("grpc: how long a client waits") {
  struct Row {
    std::string_view value;
    std::optional<Nanoseconds> timeout;
  };
  for (const auto& [value, timeout] :
       {Row{"1H", 1h}, Row{"2M", 2min}, Row{"30S", 30s}, Row{"500m", 500ms}, Row{"7u", 7us},
        Row{"9n", 9ns}, Row{"99999999H", 2562047h}, Row{"0m", 0ms}, Row{"100000000m", {}},
        Row{"m", {}}, Row{"5", {}}, Row{"5s", {}}, Row{"-5m", {}}, Row{"5 m", {}}, Row{"", {}}}) {
    CAPTURE(value);
    Headers headers;
    headers.add("grpc-timeout", value);
    CHECK(grpc_timeout(headers) == timeout);
  }
  CHECK_FALSE(grpc_timeout(Headers()).has_value());
}
