// What is taken for one well-formed message and what is not, on whatever llhttp is linked: the
// inputs of known desync attacks and their neighbours, each at all cuts with the same verdict.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/http/h1_codec.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace std::string_literals;
using script::Cuts;
using script::Line;

namespace {

struct Row {
  std::string test;
  std::string bytes;
  std::string events;
};

const std::string kBad = "\n1 reset malformed";
const std::string kUnsupported = "\n1 reset unsupported";
const std::string kNone = "";

// A request whose first line is `line`.
std::string line(const std::string& line) {
  return line + "\r\nHost: o\r\n\r\n";
}
std::string get(const std::string& fields) {
  return "GET http://o/ HTTP/1.1\r\nHost: o\r\n" + fields + "\r\n";
}
std::string post(const std::string& fields, const std::string& body = {}) {
  return "POST http://o/ HTTP/1.1\r\nHost: o\r\n" + fields + "\r\n" + body;
}
std::string chunked(const std::string& body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}

// What a request told whole looks like.
std::string told(const std::string& head, const std::string& after = {}) {
  return "\n1 " + head + after + "\n1 end";
}
std::string told_get(const std::string& fields) {
  return told("GET http://o/ 1.1 [Host: o" + (fields.empty() ? "" : ", " + fields) + "] none");
}
std::string told_post(const std::string& fields, const std::string& length,
                      const std::string& body) {
  return told("POST http://o/ 1.1 [Host: o, " + fields + "] " + length,
              body.empty() ? "" : "\n1 body " + body);
}
const std::string kChunkedHead =
    "\n1 POST http://o/ 1.1 [Host: o, Transfer-Encoding: chunked] unknown";
std::string told_chunked(const std::string& body, const std::string& trailers = {}) {
  return kChunkedHead + (body.empty() ? "" : "\n1 body " + body) +
         (trailers.empty() ? "" : "\n1 trailers [" + trailers + "]") + "\n1 end";
}
// The head was fine, the body was not.
std::string bad_chunk(const std::string& body = {}) {
  return kChunkedHead + (body.empty() ? "" : "\n1 body " + body) + kBad;
}

std::string many(size_t n, const std::string& text) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

CodecLimits small_limits() {
  CodecLimits limits;
  limits.head_bytes_max = 2000;
  limits.target_bytes_max = 100;
  limits.fields_max = 10;
  return limits;
}

void check_requests(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    script::at_all_cuts([&](Cuts cuts) {
      Line agent(make_h1_server(small_limits()), cuts);
      agent.feed(row.bytes);
      CHECK(agent.events() == row.events);
    });
  }
}

// Answers to `asked`, the origin's FIN after them where `fin`.
void check_answers(const std::string& method, bool fin, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    script::at_all_cuts([&](Cuts cuts) {
      Line origin(make_h1_client(small_limits()), cuts);
      const StreamId stream = origin->open();
      origin.send(stream, script::request(method, "/", BodyLength::none(), {{"Host", "o"}}));
      origin.send(stream, End{});
      origin.output();
      origin.feed(row.bytes);
      if (fin) origin.eof();
      CHECK(origin.events() == row.events);
    });
  }
}

}  // namespace

TEST_CASE("verdicts: request lines") {
  const std::string h = " HTTP/1.1";
  check_requests({
      {"absolute-form", line("GET http://o/" + h), told_get("")},
      {"origin-form", line("GET /a?b=c" + h), told("GET /a?b=c 1.1 [Host: o] none")},
      {"version 1.0", line("GET / HTTP/1.0"), told("GET / 1.0 [Host: o] none")},
      {"one empty line before", "\r\n" + get(""), told_get("")},
      {"two empty lines before", "\r\n\r\n" + get(""), told_get("")},
      {"three empty lines before", "\r\n\r\n\r\n" + get(""), kBad},
      {"LF before", "\n" + get(""), kBad},
      {"CR before", "\rGET / HTTP/1.1\r\nHost: o\r\n\r\n", kBad},
      {"space before", line(" GET /" + h), kBad},
      {"no method", line("/" + h), kBad},
      {"two spaces after the method", line("GET  /" + h), kBad},
      {"two spaces after the target", line("GET /  HTTP/1.1"), kBad},
      {"tab after the method", line("GET\t/" + h), kBad},
      {"tab after the target", line("GET /\tHTTP/1.1"), kBad},
      {"vertical tab after the target", line("GET /\vHTTP/1.1"), kBad},
      {"space at the end", line("GET / HTTP/1.1 "), kBad},
      {"no version, HTTP/0.9", "GET /\r\n", kBad},
      {"no version, more lines", line("GET /"), kBad},
      {"HTTP/0.9 by name", line("GET / HTTP/0.9"), kBad},
      {"HTTP/1.2", line("GET / HTTP/1.2"), kBad},
      {"HTTP/1.10", line("GET / HTTP/1.10"), kBad},
      {"HTTP/01.1", line("GET / HTTP/01.1"), kBad},
      {"HTTP/2.0", line("GET / HTTP/2.0"), kBad},
      {"HTTP/1", line("GET / HTTP/1"), kBad},
      {"http/1.1", line("GET / http/1.1"), kBad},
      {"RTSP/1.0", line("GET / RTSP/1.0"), kBad},
      {"ICE/1.0", line("SOURCE / ICE/1.0"), kBad},
      {"h2 preface, but not quite", "PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", kBad},
      {"LF ends the line", "GET / HTTP/1.1\nHost: o\r\n\r\n", kBad},
      {"CR ends the line", "GET / HTTP/1.1\rHost: o\r\n\r\n", kBad},
      {"CR in the target", line("GET /\ra" + h), kBad},
      {"LF in the target", line("GET /\na" + h), kBad},
      {"NUL in the target", line("GET /\0a"s + h), kBad},
      {"NUL in the method", line("G\0ET /"s + h), kBad},
      {"DEL in the target", line("GET /\x7f" + h), kBad},
      {"byte beyond ASCII in the target", line("GET /\xc3\xa9" + h), kBad},
      {"fragment", line("GET /#a" + h), kBad},
      {"fragment in a URL", line("GET http://o/#a" + h), kBad},
      {"quotes and braces in the target", line("GET /{\"a\"|^`}" + h),
       told("GET /{\"a\"|^`} 1.1 [Host: o] none")},
      {"lower-case method", line("get /" + h), kUnsupported},
      {"method in mixed case", line("Get /" + h), kUnsupported},
      {"unknown method", line("BREW /" + h), kUnsupported},
      {"known method and more", line("GETX /" + h), kUnsupported},
      {"method of punctuation", line("!! /" + h), kUnsupported},
      {"WebDAV method", line("PROPFIND /" + h), told("PROPFIND / 1.1 [Host: o] none")},
      {"method with a dash", line("M-SEARCH /" + h), told("M-SEARCH / 1.1 [Host: o] none")},
      {"HTTP/2's PRI", line("PRI *" + h), kUnsupported},
      {"RTSP's DESCRIBE", line("DESCRIBE /" + h), kUnsupported},
      {"RTSP's GET_PARAMETER", line("GET_PARAMETER /" + h), kUnsupported},
      {"RTSP's FLUSH", line("FLUSH /" + h), kUnsupported},
      {"Icecast's SOURCE", line("SOURCE /" + h), kUnsupported},
      {"PRI", line("PRI /" + h), kUnsupported},
      {"colon in the method", line("GET: /" + h), kBad},
  });
}

TEST_CASE("verdicts: targets") {
  const std::string h = " HTTP/1.1";
  check_requests({
      {"OPTIONS *", line("OPTIONS *" + h), told("OPTIONS * 1.1 [Host: o] none")},
      {"GET *", line("GET *" + h), kBad},
      {"neither path nor URL", line("GET a" + h), kBad},
      {"query alone", line("GET ?a" + h), kBad},
      {"URL without path", line("GET http://o" + h), told("GET http://o 1.1 [Host: o] none")},
      {"URL without path, query", line("GET http://o?q" + h),
       told("GET http://o?q 1.1 [Host: o] none")},
      {"URL with port", line("GET http://o:81/a" + h),
       told("GET http://o:81/a 1.1 [Host: o] none")},
      {"URL with IPv6", line("GET http://[::1]:81/" + h),
       told("GET http://[::1]:81/ 1.1 [Host: o] none")},
      {"URL with a port out of range", line("GET http://o:65536/" + h), kBad},
      {"URL without host", line("GET http:///a" + h), kBad},
      {"URL with one slash", line("GET http:/o/a" + h), kBad},
      {"URL with a backslash host", line("GET http://o\\@a/" + h), kBad},
      {"URL with two user names", line("GET http://a@b@c/" + h), kBad},
      {"URL of another scheme", line("GET ftp://o/" + h), kUnsupported},
      {"CONNECT", line("CONNECT o:443" + h), told("CONNECT o:443 1.1 [Host: o] none upgrade")},
      {"CONNECT IPv6", line("CONNECT [::1]:443" + h),
       told("CONNECT [::1]:443 1.1 [Host: o] none upgrade")},
      {"CONNECT, no port", line("CONNECT o" + h), kBad},
      {"CONNECT, port 0", line("CONNECT o:0" + h), kBad},
      {"CONNECT, a path", line("CONNECT /" + h), kBad},
      {"CONNECT, a URL", line("CONNECT http://o:80/" + h), kBad},
      {"CONNECT, a user name", line("CONNECT u@o:443" + h), kBad},
      {"CONNECT, a length", "CONNECT o:1 HTTP/1.1\r\nHost: o\r\nContent-Length: 3\r\n\r\nabc",
       kBad},
      {"CONNECT, length 0", "CONNECT o:1 HTTP/1.1\r\nHost: o\r\nContent-Length: 0\r\n\r\n", kBad},
      {"CONNECT, chunked", "CONNECT o:1 HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n",
       kBad},
      {"longest target", line("GET /" + many(99, "a") + h),
       told("GET /" + many(99, "a") + " 1.1 [Host: o] none")},
      {"target too long", line("GET /" + many(100, "a") + h), "\n1 reset target_too_long"},
      {"target far too long, and bad", line("GET /" + many(1500, "a") + "\x01" + h),
       "\n1 reset target_too_long"},
  });
}

TEST_CASE("verdicts: Host") {
  const auto host = [](const std::string& lines, const std::string& minor = "1") {
    return "GET / HTTP/1." + minor + "\r\n" + lines + "\r\n";
  };
  check_requests({
      {"with a port", host("Host: o:8080\r\n"), told("GET / 1.1 [Host: o:8080] none")},
      {"the same again", host("Host: o:8080\r\n"), told("GET / 1.1 [Host: o:8080] none")},
      {"the same and more", host("Host: o:8080/\r\n"), kBad},
      {"less than before", host("Host: o:\r\n"), told("GET / 1.1 [Host: o:] none")},
      {"longer than is remembered", host("Host: " + std::string(121, 'o') + "\r\n"),
       told("GET / 1.1 [Host: " + std::string(121, 'o') + "] none")},
      {"IPv6", host("Host: [::1]\r\n"), told("GET / 1.1 [Host: [::1]] none")},
      {"underscore", host("Host: a_b\r\n"), told("GET / 1.1 [Host: a_b] none")},
      {"name in other case", host("hOST: o\r\n"), told("GET / 1.1 [hOST: o] none")},
      {"none", host(""), kBad},
      {"none on 1.0", host("", "0"), told("GET / 1.0 [] none")},
      {"two", host("Host: o\r\nHost: o\r\n"), kBad},
      {"two on 1.0", host("Host: o\r\nhost: p\r\n", "0"), kBad},
      {"empty", host("Host: \r\n"), kBad},
      {"a list", host("Host: a b\r\n"), kBad},
      {"a path", host("Host: o/x\r\n"), kBad},
      {"a user name", host("Host: u@o\r\n"), kBad},
      {"a port that is none", host("Host: o:http\r\n"), kBad},
      {"a port out of range", host("Host: o:65536\r\n"), kBad},
      {"half an IPv6 address", host("Host: [::1\r\n"), kBad},
      {"byte beyond ASCII", host("Host: \xc3\xb6\r\n"), kBad},
  });
}

TEST_CASE("verdicts: field lines") {
  check_requests({
      {"blanks around the value", get("A: \t b c \t\r\n"), told_get("A: b c")},
      {"no blank", get("A:b\r\n"), told_get("A: b")},
      {"empty value", get("A:\r\nB: \r\nC: c\r\n"), told_get("A: , B: , C: c")},
      {"case, order, duplicates", get("x-B: 1\r\nX-a: 2\r\nX-b: 3\r\n"),
       told_get("x-B: 1, X-a: 2, X-b: 3")},
      {"obs-text in a value", get("A: \x80\xff\r\n"), told_get("A: \x80\xff")},
      {"punctuation in a name", get("!#$%&'*+-.^_`|~: 1\r\n"), told_get("!#$%&'*+-.^_`|~: 1")},
      {"space before the colon", get("A : b\r\n"), kBad},
      {"tab before the colon", get("A\t: b\r\n"), kBad},
      {"empty name", get(": b\r\n"), kBad},
      {"no colon", get("Abc\r\n"), kBad},
      {"space in a name", get("A b: c\r\n"), kBad},
      {"parenthesis in a name", get("A(b: c\r\n"), kBad},
      {"byte beyond ASCII in a name", get("A\xe9: c\r\n"), kBad},
      {"folded by a space", get("A: b\r\n c\r\n"), kBad},
      {"folded by a tab", get("A: b\r\n\tc\r\n"), kBad},
      {"space before the first field", "GET / HTTP/1.1\r\n Host: o\r\n\r\n", kBad},
      {"tab before the first field", "GET / HTTP/1.1\r\n\tHost: o\r\n\r\n", kBad},
      {"line of a space", get(" \r\n"), kBad},
      {"CR in a name", get("A\rb: c\r\n"), kBad},
      {"CR in a value", get("A: b\rc\r\n"), kBad},
      {"CR CR LF", get("A: b\r\r\n"), kBad},
      {"LF in a name", get("A\nb: c\r\n"), kBad},
      {"LF in a value", get("A: b\nc: d\r\n"), kBad},
      {"LF ends a line", get("A: b\n"), kBad},
      {"LF ends the head", "GET / HTTP/1.1\r\nHost: o\r\n\n", kBad},
      {"LF LF ends the head", "GET / HTTP/1.1\nHost: o\n\n", kBad},
      {"NUL in a name", get("A\0b: c\r\n"s), kBad},
      {"NUL in a value", get("A: b\0c\r\n"s), kBad},
      {"control character in a value", get("A: b\x01\r\n"), kBad},
      {"vertical tab in a value", get("A: b\vc\r\n"), kBad},
      {"DEL in a value", get("A: b\x7f\r\n"), kBad},
      {"empty value, bare CR, then a framing field", get("A:\rTransfer-Encoding: chunked\r\n"),
       kBad},
      {"CR and another byte at the head's end", "GET / HTTP/1.1\r\nHost: o\r\n\rX\r\n\r\n", kBad},
      {"ten fields", get(many(9, "A: b\r\n")),
       told_get("A: b, A: b, A: b, A: b, A: b, A: b, A: b, A: b, A: b")},
      {"eleven fields", get(many(10, "A: b\r\n")), "\n1 reset head_too_large"},
      {"too many bytes", get("A: " + many(2000, "b") + "\r\n"), "\n1 reset head_too_large"},
      {"too many bytes, and bad", get("A: " + many(5000, "b") + "\x01\r\n"),
       "\n1 reset head_too_large"},
  });
}

TEST_CASE("verdicts: which length a request has") {
  const auto length = [](const std::string& value) {
    return post("Content-Length: " + value + "\r\n", "abc");
  };
  check_requests({
      {"Content-Length", length("3"), told_post("Content-Length: 3", "3", "abc")},
      {"blanks around", length(" \t3 "), told_post("Content-Length: 3", "3", "abc")},
      {"leading zeros", length("0003"), told_post("Content-Length: 0003", "3", "abc")},
      {"zero", post("Content-Length: 0\r\n"), told_post("Content-Length: 0", "0", "")},
      {"none", post(""), told("POST http://o/ 1.1 [Host: o] none")},
      {"GET with a body", get("Content-Length: 3\r\n") + "abc",
       told("GET http://o/ 1.1 [Host: o, Content-Length: 3] 3", "\n1 body abc")},
      {"plus", length("+3"), kBad},
      {"minus", length("-3"), kBad},
      {"hex", length("0x3"), kBad},
      {"exponent", length("3e0"), kBad},
      {"fraction", length("3.0"), kBad},
      {"two numbers", length("3 3"), kBad},
      {"a list, same", length("3, 3"), kBad},
      {"a list, other", length("3,4"), kBad},
      {"a parameter", length("3;a"), kBad},
      {"empty", length(""), kBad},
      {"2^63", length("9223372036854775808"), kBad},
      {"2^64", length("18446744073709551616"), kBad},
      {"2^64 + 3", length("18446744073709551619"), kBad},
      {"twice, same", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), kBad},
      {"twice, other", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), kBad},
      {"twice, other case", post("Content-Length: 3\r\ncontent-length: 3\r\n", "abc"), kBad},
      {"length, then chunked",
       post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), kBad},
      {"chunked, then length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), kBad},
      {"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), kBad},
      {"chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), kBad},
      {"xchunked", post("Transfer-Encoding: xchunked\r\n"), kBad},
      {"chunkedx", post("Transfer-Encoding: chunkedx\r\n"), kBad},
      {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), kBad},
      {"chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n"), kBad},
      {"gzip, and chunked on its own line",
       post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), kBad},
      {"chunked with a comma", post("Transfer-Encoding: chunked,\r\n"), kBad},
      {"chunked with a parameter", post("Transfer-Encoding: chunked;a=b\r\n"), kBad},
      {"quoted", post("Transfer-Encoding: \"chunked\"\r\n"), kBad},
      {"identity", post("Transfer-Encoding: identity\r\n"), kBad},
      {"empty coding", post("Transfer-Encoding:\r\n"), kBad},
      {"vertical tab before chunked", post("Transfer-Encoding: \vchunked\r\n"), kBad},
      {"space before the colon", post("Transfer-Encoding : chunked\r\n"), kBad},
      {"on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kBad},
      {"folded", post("Transfer-Encoding:\r\n chunked\r\n"), kBad},
      {"CHUNKED", post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n"),
       told_post("Transfer-Encoding: CHUNKED", "unknown", "")},
      {"Upgrade", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
       told("GET http://o/ 1.1 [Host: o, Connection: Upgrade, Upgrade: websocket] none upgrade")},
      {"Upgrade with a body",
       post("Connection: Upgrade\r\nUpgrade: a\r\nContent-Length: 3\r\n", "abc"),
       told("POST http://o/ 1.1 [Host: o, Connection: Upgrade, Upgrade: a, Content-Length: 3] 3"
            " upgrade",
            "\n1 body abc")},
      {"Upgrade without Connection", get("Upgrade: websocket\r\n"), told_get("Upgrade: websocket")},
      {"Upgrade on HTTP/1.0", "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
       told("GET / 1.0 [Connection: upgrade, Upgrade: a] none")},
      {"bytes after Connection: close", get("Connection: close\r\n") + get(""),
       told_get("Connection: close")},
      {"bytes after Connection: close and a tab", get("Connection: close\t\r\n") + get(""),
       told_get("Connection: close")},
      {"a second request waits for the first answer", get("") + get(""), told_get("")},
      {"a request hidden in a body",
       post("Content-Length: 30\r\n", "GET / HTTP/1.1\r\nHost: o\r\n\r\nabc") + get(""),
       told_post("Content-Length: 30", "30", "GET / HTTP/1.1\r\nHost: o\r\n\r\nabc")},
  });
}

TEST_CASE("verdicts: chunks") {
  check_requests({
      {"two chunks", chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), told_chunked("abcde")},
      {"none", chunked("0\r\n\r\n"), told_chunked("")},
      {"hex of both cases", chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
       told_chunked("01234567890123456789")},
      {"zeros", chunked("0003\r\nabc\r\n000\r\n\r\n"), told_chunked("abc")},
      {"extension", chunked("3;a\r\nabc\r\n0;b=c\r\n\r\n"), told_chunked("abc")},
      {"extensions", chunked("3;a;b=c\r\nabc\r\n0\r\n\r\n"), told_chunked("abc")},
      {"quoted extension", chunked("3;a=\"b c;,\"\r\nabc\r\n0\r\n\r\n"), told_chunked("abc")},
      {"extension at its limit", chunked("3;" + many(1023, "a") + "\r\nabc\r\n0\r\n\r\n"),
       told_chunked("abc")},
      {"trailer", chunked("3\r\nabc\r\n0\r\nX: y\r\nZ: \r\n\r\n"),
       told_chunked("abc", "X: y, Z: ")},
      {"size missing", chunked("\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size 0x3", chunked("0x3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size +3", chunked("+3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size -3", chunked("-3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size g", chunked("g\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size of seventeen digits", chunked("00000000000000003\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"size that overflows", chunked("ffffffffffffffff3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"space before the size", chunked(" 3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"space after the size", chunked("3 \r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"tab after the size", chunked("3\t\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"underscore in the size", chunked("0_3\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"LF after the size", chunked("3\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"CR alone after the size", chunked("3\rabc\r\n0\r\n\r\n"), bad_chunk()},
      {"NUL after the size", chunked("3\0\r\nabc\r\n0\r\n\r\n"s), bad_chunk()},
      {"extension ended by LF", chunked("3;a\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension with CR", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension without a name", chunked("3;\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension of a value", chunked("3;=a\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension without its value", chunked("3;a=\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension with a space", chunked("3; a\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"space before the extension", chunked("3 ;a\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension with an open quote", chunked("3;a=\"b\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"line end in a quote", chunked("3;a=\"b\r\n\"\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension with text after a quote", chunked("3;a=\"b\"c\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"extension too long", chunked("3;" + many(1024, "a") + "\r\nabc\r\n0\r\n\r\n"), bad_chunk()},
      {"no CRLF after the data", chunked("3\r\nabc3\r\nabc\r\n0\r\n\r\n"), bad_chunk("abc")},
      {"junk after the data", chunked("3\r\nabcXX0\r\n\r\n"), bad_chunk("abc")},
      {"LF after the data", chunked("3\r\nabc\n0\r\n\r\n"), bad_chunk("abc")},
      {"CR and another byte after the data", chunked("3\r\nabc\rX0\r\n\r\n"), bad_chunk("abc")},
      {"CR and another byte at the end", chunked("3\r\nabc\r\n0\r\n\rX\r\n"), bad_chunk("abc")},
      {"LF at the end", chunked("0\r\n\n"), bad_chunk()},
      {"last chunk ended by LF", chunked("0\n\r\n"), bad_chunk()},
      {"trailer ended by LF", chunked("0\r\nX: y\n\r\n"), bad_chunk()},
      {"trailer folded", chunked("0\r\nX: y\r\n z\r\n\r\n"), bad_chunk()},
      {"trailer without a name", chunked("0\r\n: y\r\n\r\n"), bad_chunk()},
      {"Content-Length as trailer", chunked("0\r\nContent-Length: 3\r\n\r\n"), bad_chunk()},
      {"Transfer-Encoding as trailer", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
       bad_chunk()},
      {"Host as trailer", chunked("0\r\nhost: p\r\n\r\n"), bad_chunk()},
      {"eleven trailers", chunked("0\r\n" + many(11, "X: y\r\n") + "\r\n"),
       kChunkedHead + "\n1 reset head_too_large"},
  });
}

TEST_CASE("verdicts: answers' heads") {
  const auto ok = [](const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; };
  const auto empty = [](const std::string& status_line) {
    return status_line + "\r\nContent-Length: 0\r\n\r\n";
  };
  check_answers(
      "GET", false,
      {
          {"no reason", empty("HTTP/1.1 200"), told("200  1.1 [Content-Length: 0] 0")},
          {"empty reason", empty("HTTP/1.1 200 "), told("200  1.1 [Content-Length: 0] 0")},
          {"reason with obs-text", empty("HTTP/1.1 200 \xe9t\xe9"),
           told("200 \xe9t\xe9 1.1 [Content-Length: 0] 0")},
          {"reason with blanks", empty("HTTP/1.1 200 a \tb"),
           told("200 a \tb 1.1 [Content-Length: 0] 0")},
          {"unknown status", empty("HTTP/1.1 799 X"), told("799 X 1.1 [Content-Length: 0] 0")},
          {"status 099", empty("HTTP/1.1 099 X"), kBad},
          {"status 000", empty("HTTP/1.1 000 X"), kBad},
          {"status 1000", empty("HTTP/1.1 1000 X"), kBad},
          {"status of two digits", empty("HTTP/1.1 20 X"), kBad},
          {"status 20a", empty("HTTP/1.1 20a X"), kBad},
          {"status -20", empty("HTTP/1.1 -20 X"), kBad},
          {"no status", empty("HTTP/1.1"), kBad},
          {"two spaces before the status", empty("HTTP/1.1  200 OK"), kBad},
          {"tab before the status", empty("HTTP/1.1\t200 OK"), kBad},
          {"tab after the status", empty("HTTP/1.1 200\tOK"), kBad},
          {"HTTP/1.2", empty("HTTP/1.2 200 OK"), kBad},
          {"HTTP/2", empty("HTTP/2 200 OK"), kBad},
          {"HTTP/2.0", empty("HTTP/2.0 200 OK"), kBad},
          {"http/1.1", empty("http/1.1 200 OK"), kBad},
          {"ICY", empty("ICY 200 OK"), kBad},
          {"RTSP", empty("RTSP/1.0 200 OK"), kBad},
          {"no head at all", "<html>", kBad},
          {"empty line before", "\r\n" + empty("HTTP/1.1 200 OK"), kBad},
          {"space before", " " + empty("HTTP/1.1 200 OK"), kBad},
          {"LF ends the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", kBad},
          {"LF ends a field", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", kBad},
          {"CR in the reason", empty("HTTP/1.1 200 a\rb"), kBad},
          {"NUL in the reason", empty("HTTP/1.1 200 a\0b"s), kBad},
          {"NUL in a value", ok("A: b\0\r\nContent-Length: 0\r\n"s), kBad},
          {"space before the colon", ok("Content-Length : 0\r\n"), kBad},
          {"folded", ok("A: b\r\n c\r\nContent-Length: 0\r\n"), kBad},
          {"empty name", ok(": b\r\nContent-Length: 0\r\n"), kBad},
          {"length twice", ok("Content-Length: 0\r\nContent-Length: 0\r\n"), kBad},
          {"length as a list", ok("Content-Length: 0, 0\r\n"), kBad},
          {"length +0", ok("Content-Length: +0\r\n"), kBad},
          {"length 2^64", ok("Content-Length: 18446744073709551616\r\n"), kBad},
          {"length, then chunked", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), kBad},
          {"chunked, then length", ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), kBad},
          {"gzip", ok("Transfer-Encoding: gzip\r\n"), kBad},
          {"gzip, chunked", ok("Transfer-Encoding: gzip, chunked\r\n"), kBad},
          {"chunked on 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", kBad},
          {"switched without being asked", "HTTP/1.1 101 X\r\n\r\n", kBad},
          {"an interim answer with a length", "HTTP/1.1 103 X\r\nContent-Length: 3\r\n\r\n", kBad},
          {"an interim answer in chunks", "HTTP/1.1 103 X\r\nTransfer-Encoding: chunked\r\n\r\n",
           kBad},
          {"eleven fields", ok(many(11, "A: b\r\n")), "\n1 reset head_too_large"},
          {"too many bytes", ok("A: " + many(2000, "b") + "\r\n"), "\n1 reset head_too_large"},
      });
}

TEST_CASE("verdicts: answers' bodies") {
  const std::string chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string told_head = "\n1 200 OK 1.1 [Transfer-Encoding: chunked] unknown";
  const std::string cut = "\n1 reset truncated";
  check_answers(
      "GET", true,
      {
          {"Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
           told("200 OK 1.1 [Content-Length: 3] 3", "\n1 body abc")},
          {"chunked", chunked_head + "3\r\nabc\r\n0\r\nX: y\r\n\r\n",
           told_head + "\n1 body abc\n1 trailers [X: y]\n1 end"},
          {"until close", "HTTP/1.1 200 OK\r\n\r\nabc",
           told("200 OK 1.1 [] unknown", "\n1 body abc")},
          {"until close, nothing", "HTTP/1.1 200 OK\r\n\r\n", told("200 OK 1.1 [] unknown")},
          {"until close, 1.0", "HTTP/1.0 200 OK\r\n\r\nabc",
           told("200 OK 1.0 [] unknown", "\n1 body abc")},
          {"204", "HTTP/1.1 204 No Content\r\n\r\n", told("204 No Content 1.1 [] none")},
          {"204 with a length", "HTTP/1.1 204 X\r\nContent-Length: 3\r\n\r\n",
           told("204 X 1.1 [Content-Length: 3] none")},
          {"304 with a length", "HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n",
           told("304 X 1.1 [Content-Length: 3] none")},
          {"interim answers",
           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\n"
           "HTTP/1.1 204 X\r\n\r\n",
           "\n1 interim 100 Continue 1.1 [] none\n1 interim 103 X 1.1 [Link: a] none" +
               told("204 X 1.1 [] none")},
          {"bytes after it", "HTTP/1.1 204 X\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
           told("204 X 1.1 [] none")},
          {"nothing", kNone, "\n1 reset connection_closed"},
          {"cut in the head", "HTTP/1.1 200 OK\r\nConte", cut},
          {"cut after an interim answer", "HTTP/1.1 103 X\r\n\r\n",
           "\n1 interim 103 X 1.1 [] none\n1 reset connection_closed"},
          {"cut in a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
           "\n1 200 OK 1.1 [Content-Length: 5] 5\n1 body abc" + cut},
          {"cut in a chunk", chunked_head + "5\r\nabc", told_head + "\n1 body abc" + cut},
          {"cut between chunks", chunked_head + "3\r\nabc\r\n", told_head + "\n1 body abc" + cut},
          {"cut in the trailers", chunked_head + "0\r\nX: y\r\n", told_head + cut},
          {"chunk ended by LF", chunked_head + "3\nabc\r\n0\r\n\r\n", told_head + kBad},
          {"junk after a chunk", chunked_head + "3\r\nabcd\r\n0\r\n\r\n",
           told_head + "\n1 body abc" + kBad},
      });
  check_answers(
      "HEAD", true,
      {
          {"length of a body that is not there", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
           told("200 OK 1.1 [Content-Length: 3] none")},
          {"chunks that are not there", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           told("200 OK 1.1 [Transfer-Encoding: chunked] none")},
          {"no length", "HTTP/1.1 200 OK\r\n\r\n", told("200 OK 1.1 [] none")},
          {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
           kBad},
          {"after an interim answer",
           "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
           "\n1 interim 103 X 1.1 [] none" + told("200 OK 1.1 [Content-Length: 9] none")},
      });
}
