#include "sidespan/http/uri.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using sidespan::Code;
using sidespan::Result;
using sidespan::Side;
using sidespan::http::Authority;
using sidespan::http::check_url;
using sidespan::http::is_origin_form;
using sidespan::http::parse_authority;
using sidespan::http::parse_url;
using sidespan::http::Url;

namespace {

// As the parts were read: "scheme userinfo|host|port|path", or the error's sentence.
std::string describe(const Result<Url>& url) {
  if (!url) return "! " + url.error().what;
  return std::string(url->scheme) + " " + url->userinfo + "|" + url->authority.host + "|" +
         std::to_string(url->port()) + "|" + url->path + (url->path_given ? "" : " (no path)");
}

constexpr const char* kBadName = "! the host holds a character that no host name has";
constexpr const char* kBadPort = "! the port is not a number from 1 to 65535";
constexpr const char* kBadIpv6 = "! what stands in brackets is not an IPv6 address";
constexpr const char* kBadTarget =
    "! the URL holds a fragment or a character that is not visible ASCII";

}  // namespace

TEST_CASE("absolute URLs") {
  struct Row {
    const char* test;
    std::string text;
    std::string parts;
  };
  const std::vector<Row> rows = {
      {"plain", "http://example.com/a/b?c=d", "http |example.com|80|/a/b?c=d"},
      {"no path", "http://example.com", "http |example.com|80|/ (no path)"},
      {"query alone", "http://example.com?q=/x", "http |example.com|80|/?q=/x (no path)"},
      {"port", "http://example.com:8080/", "http |example.com|8080|/"},
      {"https", "https://example.com/", "https |example.com|443|/"},
      {"websocket", "wss://example.com/s", "wss |example.com|443|/s"},
      {"ws", "ws://example.com/s", "ws |example.com|80|/s"},
      {"upper case", "HTTP://EXAMPLE.com/A", "http |example.com|80|/A"},
      {"user and password", "http://u:p%40@h/", "http u:p%40|h|80|/"},
      {"user alone", "http://u@h/", "http u|h|80|/"},
      {"empty user", "http://@h/", "http |h|80|/"},
      {"at sign in the path", "http://h/a@b", "http |h|80|/a@b"},
      {"at sign in a bare query", "http://h?a@b", "http |h|80|/?a@b (no path)"},
      {"IPv6", "http://[2001:DB8::1]:81/x", "http |2001:db8::1|81|/x"},
      {"IPv6 without a port", "http://[::1]", "http |::1|80|/ (no path)"},
      {"IPv6 with an IPv4 tail", "http://[::ffff:10.0.0.1]/", "http |::ffff:10.0.0.1|80|/"},
      {"underscore", "http://my_service.svc/", "http |my_service.svc|80|/"},
      {"every reg-name character", "http://a-._~!$&'()*+,;=z/", "http |a-._~!$&'()*+,;=z|80|/"},
      {"octal spelling is a name", "http://0177.0.0.1/", "http |0177.0.0.1|80|/"},
      {"decimal spelling is a name", "http://2130706433/", "http |2130706433|80|/"},
      {"trailing dot", "http://example.com./", "http |example.com.|80|/"},
      {"empty port", "http://h:/x", "http |h|80|/x"},
      {"leading zero in a port", "http://h:00080/x", "http |h|80|/x"},
      {"path not normalised", "http://h//a/../%2e/{x}|^", "http |h|80|//a/../%2e/{x}|^"},
      {"backslash in a path", "http://h/a\\b", "http |h|80|/a\\b"},

      {"empty", "", "! the URL has no scheme"},
      {"no scheme", "example.com/a", "! the URL has no scheme"},
      {"origin form", "/a", "! the URL has no scheme"},
      {"scheme without slashes", "http:example.com", "! the URL has no scheme"},
      {"empty scheme", "://h/", "! the URL's scheme is not http or https"},
      {"other scheme", "ftp://h/", "! the URL's scheme is not http or https"},
      {"scheme with a blank", "ht tp://h/", kBadTarget},
      {"empty host", "http:///a", "! the host is empty"},
      {"empty host with a port", "http://:80/a", "! the host is empty"},
      {"empty host with a user", "http://u@/a", "! the host is empty"},
      {"three slashes", "http:////h/", "! the host is empty"},
      {"percent-encoded host", "http://ex%61mple.com/", "! the host is percent-encoded"},
      {"blank", "http://h/a b", kBadTarget},
      {"tab", "http://h/a\tb", kBadTarget},
      {"CR LF", "http://h/a\r\nX: y", kBadTarget},
      {"NUL", std::string("http://h/\0", 10), kBadTarget},
      {"DEL", "http://h/\x7f", kBadTarget},
      {"beyond ASCII", "http://h/\xc3\xa4", kBadTarget},
      {"fragment", "http://h/a#b", kBadTarget},
      {"two user parts", "http://a@b@c/", "! a user name stands where only a host may"},
      {"brackets in the user", "http://[u]@h/",
       "! the user name holds a character that must be percent-encoded"},
      {"backslash before the path", "http://good\\@evil/",
       "! the user name holds a character that must be percent-encoded"},
      {"backslash in a host", "http://good\\evil/", kBadName},
      {"host with braces", "http://{h}/", kBadName},
      {"host with a quote", "http://\"h\"/", kBadName},
      {"host too long", "http://" + std::string(256, 'a') + "/",
       "! the host is longer than 255 characters"},
      {"port zero", "http://h:0/", kBadPort},
      {"port too big", "http://h:65536/", kBadPort},
      {"port huge", "http://h:99999999999999999999/", kBadPort},
      {"port with zeros without end", "http://h:000080/", kBadPort},
      {"port with a sign", "http://h:+80/", kBadPort},
      {"port hexadecimal", "http://h:0x50/", kBadPort},
      {"two ports", "http://h:80:81/", kBadPort},
      {"IPv6 without brackets", "http://::1/", "! the host is empty"},
      {"IPv6 without brackets, long", "http://2001:db8::1/", kBadPort},
      {"IPv6 unclosed", "http://[::1/", kBadIpv6},
      {"IPv6 empty", "http://[]/", kBadIpv6},
      {"IPv6 with a zone", "http://[fe80::1%25eth0]/", kBadIpv6},
      {"IPv6 with two gaps", "http://[1::2::3]/", kBadIpv6},
      {"IPv6 too long", "http://[1:2:3:4:5:6:7:8:9]/", kBadIpv6},
      {"IPv6 very long", "http://[" + std::string(100, '1') + "]/", kBadIpv6},
      {"IPv4 in brackets", "http://[127.0.0.1]/", kBadIpv6},
      {"future literal", "http://[v1.a]/", kBadIpv6},
      {"text after brackets", "http://[::1]x/",
       "! something other than a port follows the address"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    const Result<Url> url = parse_url(row.text);
    CHECK(describe(url) == row.parts);
    if (!url) CHECK(url.error().side == Side::kAgent);
  }
  CHECK(parse_url("ftp://h/").error().code == Code::kUnsupported);
  CHECK(parse_url("http:///").error().code == Code::kMalformed);
}

TEST_CASE("authorities come back as they are written") {
  struct Row {
    const char* test;
    std::string text;
    std::string back;  // empty: refused
  };
  const std::vector<Row> rows = {
      {"name", "Example.COM", "example.com"},
      {"name and port", "example.com:443", "example.com:443"},
      {"IPv6", "[::1]", "[::1]"},
      {"IPv6 and port", "[2001:db8::A]:80", "[2001:db8::a]:80"},
      {"empty port", "h:", "h"},
      {"empty", "", ""},
      {"port alone", ":80", ""},
      {"user", "u@h", ""},
      {"path", "h/a", ""},
      {"blank", "a b", ""},
      {"list", "a, b", ""},
      {"NUL in brackets", std::string("[::1\0]", 6), ""},
      {"beyond ASCII", "m\xc3\xbcnchen.de", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    const Result<Authority> authority = parse_authority(row.text);
    CHECK(authority.has_value() == !row.back.empty());
    if (authority) CHECK(authority->to_string() == row.back);
  }
  CHECK(parse_authority("m\xc3\xbcnchen.de").error().what ==
        "the host holds characters beyond ASCII; an international name must come as its A-label");
}

TEST_CASE("a URL whose authority was found good is judged by what else it has") {
  struct Row {
    const char* url;
    bool good;
  };
  const std::vector<Row> rows = {
      {"http://a.example:1/x", true},
      {"http://user:s@a.example:1/x", true},
      {"http://b.example/", true},
      {"http://b.example:0/", false},
      {"ftp://a.example:1/x", false},
      {"http://a.example:1/#", false},
      {"http://\x01@a.example:1", false},
      {"a.example:1", false},
      {"http://a.example:1", true},
      {"HTTPS://a.example:1?x", true},
      {"http://a.example:12/", true},
      {"http://a.example:1x/", false},
      {"http://a.example:1@b.example", true},
      {"http://a.example:1#", false},
      {"http://a.example:1/\x7f", false},
      {"http://a.example:1/\xc3\xbc", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    CHECK(check_url(row.url, "a.example:1").has_value() == row.good);
    CHECK(check_url(row.url).has_value() == row.good);
    CHECK(parse_url(row.url).has_value() == row.good);
  }
  CHECK_FALSE(check_url("http:///x", "").has_value());
}

TEST_CASE("errors never repeat what the agent sent") {
  for (const char* text : {"http://user:hunter2@/", "http://hunter2@hunter2@h/",
                           "http://u:hunter2\\@h/", "http://u:hunter2@h:99999/"}) {
    CAPTURE(text);
    const Result<Url> url = parse_url(text);
    REQUIRE_FALSE(url.has_value());
    CHECK(url.error().what.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("origin-form") {
  for (const char* good : {"/", "/a?b=c", "/a/{x}|\"<>", "//h/p"}) {
    CAPTURE(good);
    CHECK(is_origin_form(good));
  }
  for (const char* bad : {"", "*", "a", "http://h/", "/a#b", "/a b", "/\x7f", "/\xc3\xa4", "/\t"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_origin_form(bad));
  }
}
