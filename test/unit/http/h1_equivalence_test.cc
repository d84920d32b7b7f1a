// A second reader of HTTP/1, written the other way round (the whole buffer at once, cut at its line
// ends), against ours on mutated messages: what ours takes for a message must be the same message
// there, to the byte.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/http/h1_codec.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using script::Cuts;
using script::Line;

namespace {

constexpr size_t kCases = 20'000;  // of requests, and as many of answers
constexpr std::string_view kCrlf = "\r\n";
constexpr size_t kEmptyReason = std::string_view("HTTP/1.1 200 ").size();

struct Message {
  std::string start;  // "GET / HTTP/1.1" or "HTTP/1.1 200 OK", as read
  std::string fields;
  std::string body;
  std::string trailers;
  size_t end = 0;  // offset behind its last byte
  bool operator==(const Message&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Message& m) {
  return out << m.start << " | " << m.fields << " | " << m.body << " | " << m.trailers << " | "
             << m.end;
}

// --- the reference -------------------------------------------------------------------------------

class Reference {
 public:
  explicit Reference(std::string_view bytes) : bytes_(bytes) {}

  // The message at `at`, or nothing where there is no whole and plain one. `to_head`: an answer to
  // HEAD.
  std::optional<Message> read(size_t at, bool request, bool to_head) {
    for (int i = 0; request && i < 2 && bytes_.substr(at).starts_with(kCrlf); ++i) at += 2;
    const size_t blank = bytes_.find("\r\n\r\n", at);
    if (blank == std::string_view::npos) return std::nullopt;
    std::vector<std::string_view> lines = split(bytes_.substr(at, blank - at));
    Message message;
    message.start = lines.front();
    lines.erase(lines.begin());
    if (!is_plain(message.start) || !read_fields(lines, message.fields)) return std::nullopt;
    message.end = blank + 4;
    if (!read_body(message, request, to_head)) return std::nullopt;
    return message;
  }

 private:
  static std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> lines;
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find(kCrlf, at), text.size());
      lines.push_back(text.substr(at, end - at));
      at = end + 2;
    }
    return lines;
  }

  static bool is_plain(std::string_view line) {
    return std::ranges::none_of(line, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
  }

  bool read_fields(const std::vector<std::string_view>& lines, std::string& out) {
    lengths_.clear();
    codings_.clear();
    for (const std::string_view line : lines) {
      const size_t colon = line.find(':');
      if (colon == std::string_view::npos || !is_plain(line)) return false;
      const std::string_view name = line.substr(0, colon);
      if (!text::is_token(name)) return false;
      const std::string value(text::trim(line.substr(colon + 1)));
      const std::string lower = text::lower(name);
      if (lower == "content-length") lengths_.push_back(value);
      if (lower == "transfer-encoding") codings_.push_back(text::lower(value));
      out.append(name).append("=").append(value).append(";");
    }
    return true;
  }

  bool read_body(Message& message, bool request, bool to_head) {
    const int status = request ? 0 : std::stoi(message.start.substr(9, 3));
    if (!request && (to_head || status < 200 || status == 204 || status == 304)) return true;
    if (!codings_.empty()) {
      return codings_.size() == 1 && codings_[0] == "chunked" && lengths_.empty() &&
             read_chunks(message);
    }
    if (lengths_.empty()) {
      if (!request) take(message, bytes_.size() - message.end);
      return true;
    }
    const bool digits = lengths_.size() == 1 && !lengths_[0].empty() &&
                        lengths_[0].find_first_not_of("0123456789") == std::string::npos;
    if (!digits || lengths_[0].size() > 18) return false;
    const size_t length = std::stoull(lengths_[0]);
    if (length > bytes_.size() - message.end) return false;
    take(message, length);
    return true;
  }

  void take(Message& message, size_t n) {
    message.body += bytes_.substr(message.end, n);
    message.end += n;
  }

  bool read_chunks(Message& message) {
    for (;;) {
      const size_t line_end = bytes_.find(kCrlf, message.end);
      if (line_end == std::string_view::npos) return false;
      const std::string line(bytes_.substr(message.end, line_end - message.end));
      const std::string digits = line.substr(0, line.find(';'));
      const bool hex = !digits.empty() && digits.size() <= 8 &&
                       digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
      if (!hex || !is_plain(line)) return false;
      message.end = line_end + 2;
      const size_t size = std::stoull(digits, nullptr, 16);
      if (size == 0) return read_trailers(message);
      if (bytes_.substr(message.end).size() < size + 2) return false;
      take(message, size);
      if (bytes_.substr(message.end, 2) != kCrlf) return false;
      message.end += 2;
    }
  }

  bool read_trailers(Message& message) {
    if (bytes_.substr(message.end, 2) == kCrlf) {
      message.end += 2;
      return true;
    }
    const size_t blank = bytes_.find("\r\n\r\n", message.end);
    if (blank == std::string_view::npos) return false;
    const size_t begin = std::exchange(message.end, blank + 4);
    return read_fields(split(bytes_.substr(begin, blank - begin)), message.trailers);
  }

  std::string_view bytes_;
  std::vector<std::string> lengths_;
  std::vector<std::string> codings_;
};

// --- ours ----------------------------------------------------------------------------------------

std::string flat(const Headers& headers) {
  std::string out;
  for (size_t i = 0; i < headers.size(); ++i) {
    out.append(headers.at(i).name).append("=").append(headers.at(i).value).append(";");
  }
  return out;
}

// Collects whole messages; `offset` is how many bytes have been fed.
struct Collector {
  void on(const Event& event) {
    if (const auto* head = std::get_if<Head>(&event.what)) {
      message = {};
      message.start = start_of(*head);
      message.fields = flat(head->headers);
    } else if (const auto* interim = std::get_if<Interim>(&event.what)) {
      messages.push_back({start_of(interim->head), flat(interim->head.headers), "", "", offset});
    } else if (const auto* body = std::get_if<Body>(&event.what)) {
      message.body += body->data.to_string();
    } else if (const auto* trailers = std::get_if<Trailers>(&event.what)) {
      message.trailers = flat(trailers->fields);
    } else if (std::holds_alternative<End>(event.what)) {
      message.end = offset;
      messages.push_back(std::exchange(message, {}));
    }
  }
  static std::string start_of(const Head& head) {
    const std::string version = "HTTP/1." + std::to_string(head.minor_version);
    if (!head.method().empty()) {
      return std::string(head.method()).append(" ").append(head.target()) + " " + version;
    }
    return version + " " + std::to_string(head.status) + (head.reason().empty() ? "" : " ") +
           std::string(head.reason());
  }

  Message message;
  std::vector<Message> messages;
  size_t offset = 0;
};

std::vector<Message> our_requests(const std::string& bytes) {
  Line line(make_h1_server({}), Cuts::whole());
  Collector seen;
  line.react = [&](const Event& event) {
    seen.on(event);
    if (!std::holds_alternative<End>(event.what)) return;
    line.send(event.stream, script::answer(204, BodyLength::none()));
    line.send(event.stream, End{});
  };
  for (const char& byte : bytes) {
    ++seen.offset;
    line.feed({&byte, 1});
  }
  return seen.messages;
}

std::vector<Message> our_answers(const std::string& bytes, const std::string& method) {
  Line line(make_h1_client({}), Cuts::whole());
  Collector seen;
  const StreamId stream = line->open();
  line.send(stream, script::request(method, "/", BodyLength::none()));
  line.send(stream, End{});
  line.react = [&](const Event& event) { seen.on(event); };
  for (const char& byte : bytes) {
    ++seen.offset;
    line.feed({&byte, 1});
  }
  line.eof();
  return seen.messages;
}

// --- the cases -----------------------------------------------------------------------------------

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string requests() {
    std::string out;
    for (size_t n = 1 + below(3); n > 0; --n) out += request();
    return out;
  }
  std::string answers(bool to_head) {
    std::string out;
    for (size_t n = below(3); n > 0; --n) out += "HTTP/1.1 103 Early\r\n" + some_fields() + "\r\n";
    out += one_of({"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200\r\n", "HTTP/1.0 200 Old\r\n",
                   "HTTP/1.1 404 Not Found\r\n"});
    return out + (to_head ? some_fields() + "\r\n" : with_body(true));
  }
  std::string mutated(std::string bytes) {
    for (size_t n = below(4); n > 0 && !bytes.empty(); --n) mutate(bytes);
    return bytes;
  }

 private:
  size_t below(size_t n) { return random_() % n; }
  std::string one_of(const std::vector<std::string>& choices) {
    return choices[below(choices.size())];
  }

  std::string request() {
    const std::string target = one_of({"/", "/a?b=c", "http://o/", "http://o:81/x"});
    const std::string version = one_of({" HTTP/1.1\r\n", " HTTP/1.1\r\n", " HTTP/1.0\r\n"});
    const std::string keep = "Host: o\r\nConnection: keep-alive\r\n";
    if (below(2) == 0) return "GET " + target + version + keep + some_fields() + "\r\n";
    return "POST " + target + version + keep + with_body(version == " HTTP/1.1\r\n");
  }
  std::string some_fields() {
    std::string out;
    for (size_t n = below(3); n > 0; --n) {
      out += one_of({"A: b\r\n", "X-Long-Name: some value, and more\r\n", "E:\r\n",
                     "Accept: */*\r\n", "Text: \xc3\xa9\r\n"});
    }
    return out;
  }
  // The rest of the head, and the body.
  std::string with_body(bool may_be_chunked) {
    const std::string body(below(30), 'x');
    if (!may_be_chunked || below(2) == 0) {
      return some_fields() + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    std::string out = some_fields() + "Transfer-Encoding: chunked\r\n\r\n";
    for (size_t n = below(4); n > 0; --n) {
      out += one_of({"1\r\na\r\n", "5;e\r\nhello\r\n", "A;e=f\r\n0123456789\r\n", "2\r\n\r\n\r\n"});
    }
    return out + one_of({"0\r\n\r\n", "0\r\n\r\n", "0;e\r\nT: u\r\n\r\n"});
  }

  void mutate(std::string& bytes) {
    static const std::vector<std::string> kPieces = {"\r",
                                                     "\n",
                                                     "\r\n",
                                                     "\r\n\r\n",
                                                     " ",
                                                     "\t",
                                                     ":",
                                                     ";",
                                                     ",",
                                                     "0",
                                                     "1",
                                                     "5",
                                                     "a",
                                                     "x",
                                                     "-",
                                                     "+",
                                                     std::string(1, '\0'),
                                                     "\x7f",
                                                     "\x80",
                                                     "chunked",
                                                     "Content-Length: 3\r\n",
                                                     " chunked\r\n",
                                                     "Transfer-Encoding: chunked\r\n",
                                                     "GET / HTTP/1.1\r\nHost: o\r\n\r\n",
                                                     "0\r\n\r\n"};
    const size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[at] = one_of(kPieces).front();
        return;
      case 1:
        bytes.erase(at, 1 + below(3));
        return;
      case 2:
        bytes.insert(at, bytes.substr(below(bytes.size()), below(40)));
        return;
      case 3:
        if (const size_t cr = bytes.find('\r', at); cr != std::string::npos) bytes.erase(cr, 1);
        return;
      default:
        bytes.insert(at, one_of(kPieces));
    }
  }

  std::minstd_rand random_;
};

// Every message of ours is one of the reference's, from the same byte on. Returns how many.
size_t compare(const std::string& bytes, const std::vector<Message>& ours, bool request,
               bool to_head) {
  Reference reference(bytes);
  size_t at = 0;
  for (const Message& message : ours) {
    std::optional<Message> expected = reference.read(at, request, to_head);
    CAPTURE(bytes);
    REQUIRE(expected.has_value());
    // An empty reason reads the same with and without its space.
    if (!request && expected->start.size() == kEmptyReason) expected->start.pop_back();
    REQUIRE(message == *expected);
    at = message.end;
  }
  return ours.size();
}

}  // namespace

TEST_CASE("h1 equivalence: requests") {
  Generator generator(20261120);
  size_t messages = 0;
  for (size_t i = 0; i < kCases; ++i) {
    const std::string bytes = generator.mutated(generator.requests());
    messages += compare(bytes, our_requests(bytes), true, false);
  }
  CHECK(messages > kCases / 2);
}

TEST_CASE("h1 equivalence: answers") {
  Generator generator(20261121);
  size_t messages = 0;
  for (size_t i = 0; i < kCases; ++i) {
    const bool to_head = i % 5 == 0;
    const std::string bytes = generator.mutated(generator.answers(to_head));
    messages += compare(bytes, our_answers(bytes, to_head ? "HEAD" : "GET"), false, to_head);
  }
  CHECK(messages > kCases / 2);
}
