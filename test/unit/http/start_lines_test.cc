#include "http/start_lines.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace sidespan::http;

namespace {

const llhttp_settings_t kSettings{};

class Parser {
 public:
  explicit Parser(llhttp_type_t type) {
    llhttp_init(&state, type, &kSettings);
    state.data = this;
  }
  bool read(std::string_view text) {
    return llhttp_execute(&state, text.data(), text.size()) == HPE_OK;
  }

  llhttp_t state;
};

}  // namespace

TEST_CASE("start lines: a parser goes on behind a line as one that has read it") {
  const auto known = std::make_unique<StartLines>();
  const std::string line = "PUT /a HTTP/1.0\r\n";
  Parser first(HTTP_REQUEST);
  CHECK(known->find(line, first.state) == nullptr);
  REQUIRE(first.read(line));
  known->keep(line, {4, 2}, first.state);

  Parser second(HTTP_REQUEST);
  const StartLines::Reading* const reading = known->find(line, second.state);
  REQUIRE(reading != nullptr);
  CHECK(reading->text() == Range{4, 2});
  reading->resume(second.state);
  CHECK(second.state.data == &second);
  for (Parser* parser : {&first, &second}) {
    REQUIRE(parser->read("Content-Length: 7\r\n\r\n"));
    CHECK(parser->state.method == HTTP_PUT);
    CHECK(parser->state.http_minor == 0);
    CHECK(parser->state.content_length == 7);
  }
}

TEST_CASE("start lines: only the very same line, of the same kind of message") {
  const auto known = std::make_unique<StartLines>();
  const std::string line = "HTTP/1.1 200 OK\r\n";
  const Parser answer(HTTP_RESPONSE);
  known->keep(line, {13, 2}, answer.state);
  CHECK(known->find(line, answer.state) != nullptr);
  CHECK(known->find(line, Parser(HTTP_REQUEST).state) == nullptr);
  for (size_t i = 0; i < line.size(); ++i) {
    std::string other = line;
    other[i] ^= 1;
    CHECK(known->find(other, answer.state) == nullptr);
    CHECK(known->find(line.substr(0, i), answer.state) == nullptr);
  }
  CHECK(known->find(line + "\n", answer.state) == nullptr);
}

TEST_CASE("start lines: none that may hold a secret") {
  const auto known = std::make_unique<StartLines>();
  const Parser request(HTTP_REQUEST);
  for (const std::string line :
       {"GET /a?key=secret HTTP/1.1\r\n", "GET http://user:secret@o/ HTTP/1.1\r\n"}) {
    known->keep(line, {4, 2}, request.state);
    CHECK(known->find(line, request.state) == nullptr);
  }
}

TEST_CASE("start lines: those that came last, whatever they are") {
  const auto known = std::make_unique<StartLines>();
  const Parser request(HTTP_REQUEST);
  const auto line = [](int i) { return "GET /" + std::to_string(i) + " HTTP/1.1\r\n"; };
  for (int i = 0; i < 100; ++i) {
    known->keep(line(i), {4, 2}, request.state);
    for (int j = 0; j <= i; ++j) {
      CHECK((known->find(line(j), request.state) != nullptr) == (j > i - 16));
    }
  }
}

TEST_CASE("start lines: of any length, the long ones are not kept") {
  const auto known = std::make_unique<StartLines>();
  const Parser request(HTTP_REQUEST);
  size_t found = 0;
  for (size_t size = 0; size < 400; ++size) {
    std::string line(size, 'x');
    known->keep(line, {0, 1}, request.state);
    const bool kept = known->find(line, request.state) != nullptr;
    CHECK(kept == (size >= 14 && size <= 160));
    found += kept ? 1 : 0;
  }
  CHECK(found == 147);
}
