// Where the codecs see messages begin and end, for a judge outside: cases on stdin, a line of text
// each on stdout. A case is a role (`S` server; client that asked with `G` GET, `H` HEAD, `C`
// CONNECT), the length as four bytes, lowest first, and the bytes of a connection that then ends.
// A line that begins with `cuts` says that the verdict depends on where the bytes were cut.
#include <array>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

#include "support/http_script.h"

using namespace sidespan::http;
using script::Cuts;

namespace {

// Small, so that random cases reach them; test_boundaries.py has the same.
constexpr CodecLimits kLimits{
    .head_bytes_max = 1024, .target_bytes_max = 128, .fields_max = 12, .interims_max = 3};

void append_hex(std::string& out, std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 0xfU];
  }
}

void append_fields(std::string& out, const Headers& fields) {
  for (size_t i = 0; i < fields.size(); ++i) {
    out += ',';
    append_hex(out, fields.at(i).name);
    out += '=';
    append_hex(out, fields.at(i).value);
  }
}

// Collects what was told: whole messages with all they hold, of one that breaks off the head alone.
class Transcript {
 public:
  void add(const Event& event) {
    if (const auto* interim = std::get_if<Interim>(&event.what)) {
      add_head("I", interim->head);
    } else if (const auto* head = std::get_if<Head>(&event.what)) {
      add_head("H", *head);
    } else if (const auto* body = std::get_if<Body>(&event.what)) {
      body_ += body->data.to_string();
    } else if (const auto* trailers = std::get_if<Trailers>(&event.what)) {
      append_fields(trailers_, trailers->fields);
    } else if (std::holds_alternative<End>(event.what)) {
      text_ += " B:";
      append_hex(text_, body_);
      text_ += " T:" + trailers_ + " E";
      body_.clear();
      trailers_.clear();
    } else if (const auto* reset = std::get_if<Reset>(&event.what)) {
      text_.append(" !").append(name_of(reset->error.code));
    }
  }
  void add_word(std::string_view word) { text_.append(" ").append(word); }
  const std::string& text() const { return text_; }

 private:
  void add_head(std::string_view kind, const Head& head) {
    text_.append(" ").append(kind).append(":");
    append_hex(text_,
               head.method().empty() ? std::to_string(head.status) : std::string(head.method()));
    text_ += ':';
    append_hex(text_, head.method().empty() ? head.reason() : head.target());
    text_ += ":" + std::to_string(head.minor_version);
    append_fields(text_, head.headers);
  }

  std::string text_;
  std::string body_;
  std::string trailers_;
};

// Each request is answered at its end, one that asks to leave HTTP with a close.
std::string serve(std::string_view bytes, Cuts cuts) {
  Transcript transcript;
  script::Line line(make_h1_server(kLimits), cuts);
  bool upgrade = false;
  line.react = [&](const Event& event) {
    transcript.add(event);
    if (const auto* head = std::get_if<Head>(&event.what)) upgrade = head->upgrade;
    if (!std::holds_alternative<End>(event.what)) return;
    Head head = script::answer(204, BodyLength::none());
    if (upgrade) head.headers.add("Connection", "close");
    line.send(event.stream, std::move(head));
    line.send(event.stream, End{});
  };
  line.feed(bytes);
  line.eof();
  return transcript.text();
}

std::string ask(std::string_view bytes, std::string_view method, Cuts cuts) {
  Transcript transcript;
  script::Line line(make_h1_client(kLimits), cuts);
  line.react = [&](const Event& event) { transcript.add(event); };
  const StreamId stream = line->open();
  line.send(stream, script::request(std::string(method), "/", BodyLength::none(), {{"Host", "o"}}));
  line.send(stream, End{});
  line.feed(bytes);
  if (line->reusable()) transcript.add_word("reusable");
  line.eof();
  return transcript.text();
}

std::string play(char role, std::string_view bytes, Cuts cuts) {
  if (role == 'S') return serve(bytes, cuts);
  return ask(bytes, role == 'G' ? "GET" : role == 'H' ? "HEAD" : "CONNECT", cuts);
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::array<char, 5> front{};
  std::string bytes;
  for (unsigned number = 0; std::cin.read(front.data(), front.size()); ++number) {
    uint32_t size = 0;
    for (size_t i = 4; i > 0; --i) size = size << 8U | static_cast<unsigned char>(front[i]);
    bytes.resize(size);
    if (!std::cin.read(bytes.data(), size)) return 1;
    const std::string whole = play(front[0], bytes, Cuts::whole());
    for (const Cuts& cuts : {Cuts::every_byte(), Cuts::random(number)}) {
      const std::string other = play(front[0], bytes, cuts);
      if (other != whole) std::cout << "cuts" << other << " but whole";
    }
    std::cout << whole << '\n';
  }
  return 0;
}
