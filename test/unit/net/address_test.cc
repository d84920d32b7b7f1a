#include "sidespan/net/address.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "sidespan/net/interfaces.h"

namespace sidespan::net {
namespace {

using namespace std::string_literals;

Address ip(std::string_view text) {
  const auto address = Address::parse(text, 0);
  CAPTURE(text);
  REQUIRE(address);
  return *address;
}

TEST_CASE("address: literals and how they are written") {
  struct Row {
    std::string_view text;
    std::string ip;
    std::string full;
  };
  const Row rows[] = {
      {"127.0.0.1", "127.0.0.1", "127.0.0.1:80"},
      {"0.0.0.0", "0.0.0.0", "0.0.0.0:80"},
      {"255.255.255.255", "255.255.255.255", "255.255.255.255:80"},
      {"::1", "::1", "[::1]:80"},
      {"[::1]", "::1", "[::1]:80"},
      {"::", "::", "[::]:80"},
      {"2001:DB8::0:1", "2001:db8::1", "[2001:db8::1]:80"},
      {"::ffff:10.0.0.1", "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80"},
      {"fe80::1%7", "fe80::1%7", "[fe80::1%7]:80"},
      {"[fe80::1%7]", "fe80::1%7", "[fe80::1%7]:80"},
      {"fe80::1%lo", "fe80::1%1", "[fe80::1%1]:80"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto address = Address::parse(row.text, 80);
    REQUIRE(address);
    CHECK(address->ip() == row.ip);
    CHECK(address->to_string() == row.full);
    CHECK(address->port() == 80);
    CHECK(Address::parse(address->ip(), 80) == *address);
    CHECK(Address::from_sockaddr(address->get()) == *address);
  }
}

TEST_CASE("address: what a translator makes of it") {
  struct Row {
    std::string_view text;
    std::string translated;
  };
  const Row rows[] = {
      {"64:ff9b::169.254.169.254", "169.254.169.254:80"},
      {"64:ff9b::a00:1", "10.0.0.1:80"},
      {"::169.254.169.254", "169.254.169.254:80"},
      {"::1", "no address"},
      {"::", "no address"},
      {"::0.0.1.1", "no address"},
      {"::ffff:10.0.0.1", "no address"},
      {"64:ff9b:1::10.0.0.1", "no address"},
      {"64:ff9b::1:10.0.0.1", "no address"},
      {"2001:db8::1", "no address"},
      {"10.0.0.1", "no address"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(Address::parse(row.text, 80)->translated().to_string() == row.translated);
  }
  CHECK_FALSE(Address().translated());
}

TEST_CASE("address: what is no literal here") {
  const std::string texts[] = {"",
                               "1",
                               "127.1",
                               "127.0.1",
                               "0177.0.0.1",
                               "127.0.0.01",
                               "0x7f.0.0.1",
                               "0x7f000001",
                               "2130706433",
                               "256.0.0.1",
                               "1.2.3.4.5",
                               "1.2.3.4.",
                               ".1.2.3.4",
                               "1..2.3",
                               " 127.0.0.1",
                               "127.0.0.1 ",
                               "+1.2.3.4",
                               "-1.2.3.4",
                               "127.0.0.1%1",
                               "[127.0.0.1]",
                               "127.0.0.1:80",
                               "[::1",
                               "::1]",
                               "[]",
                               "[::1]:80",
                               ":::",
                               "1::2::3",
                               "::g",
                               "12345::",
                               "::ffff:1.2.3",
                               "::1%",
                               "%1",
                               "::1%0",
                               "fe80::1%nosuchinterface0",
                               "fe80::1%4294967296",
                               "localhost",
                               "example.com",
                               "127.0.0.1\0"s,
                               "127.0.0.1\0.example"s,
                               "::1\0"s,
                               "1:2:3:4:5:6:7:8:9",
                               "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
                               std::string(5000, ':')};
  for (const std::string& text : texts) {
    CAPTURE(text);
    CHECK(!Address::parse(text, 0));
  }
}

TEST_CASE("address: none") {
  const Address none;
  CHECK(!none);
  CHECK(none.family() == AF_UNSPEC);
  CHECK(none.port() == 0);
  CHECK(none.size() == 0);
  CHECK(none.ip().empty());
  CHECK(none.to_string() == "no address");
  CHECK(none == none.with_port(5));
  CHECK(!none.same_ip(none));
  CHECK(!(none.is_loopback() || none.is_any() || none.is_link_local() || none.is_private()));
  CHECK(!Address::from_sockaddr(nullptr));
  sockaddr unix_family{};
  unix_family.sa_family = AF_UNIX;
  CHECK(!Address::from_sockaddr(&unix_family));
}

TEST_CASE("address: rubbish in paddings and flow labels is not compared") {
  sockaddr_in v4{};
  std::memset(&v4, 0x5a, sizeof v4);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(80);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(Address::from_sockaddr(reinterpret_cast<sockaddr*>(&v4)) ==
        Address::parse("127.0.0.1", 80));
  CHECK(ip("127.0.0.1").size() == sizeof(sockaddr_in));
  CHECK(ip("::1").size() == sizeof(sockaddr_in6));
}

TEST_CASE("address: the same, with port and zone or without") {
  CHECK(Address::parse("10.0.0.1", 1) != Address::parse("10.0.0.1", 2));
  CHECK(Address::parse("10.0.0.1", 1)->with_port(2) == Address::parse("10.0.0.1", 2));
  CHECK(Address::parse("::1", 1)->with_port(2) == Address::parse("::1", 2));
  CHECK(ip("10.0.0.1").same_ip(ip("10.0.0.1").with_port(9)));
  CHECK(ip("10.0.0.1").same_ip(ip("::ffff:10.0.0.1")));
  CHECK(ip("::ffff:a00:1").same_ip(ip("10.0.0.1")));
  CHECK(ip("10.0.0.1") != ip("::ffff:10.0.0.1"));
  CHECK(!ip("10.0.0.1").same_ip(ip("10.0.0.2")));
  CHECK(!ip("10.0.0.1").same_ip(ip("::10.0.0.1")));
  CHECK(ip("fe80::1%1").same_ip(ip("fe80::1")));
  CHECK(ip("fe80::1%3").same_ip(ip("fe80::1%3")));
  CHECK(!ip("fe80::1%1").same_ip(ip("fe80::1%2")));
  CHECK(ip("fe80::1%1") != ip("fe80::1%2"));
}

TEST_CASE("address: which network") {
  struct Row {
    std::string_view text;
    bool loopback, any, link_local, is_private;
  };
  const Row rows[] = {
      {"127.0.0.1", true, false, false, false},
      {"127.255.255.254", true, false, false, false},
      {"128.0.0.1", false, false, false, false},
      {"126.255.255.255", false, false, false, false},
      {"::1", true, false, false, false},
      {"::2", false, false, false, false},
      {"::ffff:127.0.0.1", true, false, false, false},
      {"0.0.0.0", false, true, false, false},
      {"0.0.0.1", false, false, false, false},
      {"::", false, true, false, false},
      {"::ffff:0.0.0.0", false, true, false, false},
      {"169.254.169.254", false, false, true, false},
      {"169.253.255.255", false, false, false, false},
      {"::ffff:169.254.169.254", false, false, true, false},
      {"fe80::1", false, false, true, false},
      {"fe80::1%2", false, false, true, false},
      {"febf::1", false, false, true, false},
      {"fec0::1", false, false, false, false},
      {"10.0.0.0", false, false, false, true},
      {"10.255.255.255", false, false, false, true},
      {"11.0.0.0", false, false, false, false},
      {"172.15.255.255", false, false, false, false},
      {"172.16.0.0", false, false, false, true},
      {"172.31.255.255", false, false, false, true},
      {"172.32.0.0", false, false, false, false},
      {"192.168.1.1", false, false, false, true},
      {"192.169.0.0", false, false, false, false},
      {"100.63.255.255", false, false, false, false},
      {"100.64.0.0", false, false, false, true},
      {"100.127.255.255", false, false, false, true},
      {"100.128.0.0", false, false, false, false},
      {"::ffff:10.1.2.3", false, false, false, true},
      {"fbff::1", false, false, false, false},
      {"fc00::1", false, false, false, true},
      {"fdff::1", false, false, false, true},
      {"fe00::1", false, false, false, false},
      {"8.8.8.8", false, false, false, false},
      {"2001:db8::1", false, false, false, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(ip(row.text).is_loopback() == row.loopback);
    CHECK(ip(row.text).is_any() == row.any);
    CHECK(ip(row.text).is_link_local() == row.link_local);
    CHECK(ip(row.text).is_private() == row.is_private);
  }
}

TEST_CASE("network: what it holds") {
  struct Row {
    std::string_view network, address;
    bool holds;
  };
  const Row rows[] = {
      {"10.0.0.0/8", "10.9.9.9", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.3/8", "10.9.9.9", true},
      {"10.0.0.0/8", "::ffff:10.1.1.1", true},
      {"10.1.2.3", "10.1.2.3", true},
      {"10.1.2.3", "10.1.2.4", false},
      {"10.1.2.0/31", "10.1.2.1", true},
      {"10.1.2.0/31", "10.1.2.2", false},
      {"10.1.2.128/25", "10.1.2.127", false},
      {"10.1.2.128/25", "10.1.2.128", true},
      {"0.0.0.0/0", "8.8.8.8", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "8.8.8.8", false},
      {"::/0", "::ffff:8.8.8.8", false},
      {"::ffff:10.0.0.0/104", "10.3.2.1", true},
      {"fd00::/8", "fd12::1", true},
      {"fd00::/8", "fc00::1", false},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1/128", "::1", true},
      {"fe80::/10", "fe80::1%3", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.network);
    CAPTURE(row.address);
    const auto network = Network::parse(row.network);
    REQUIRE(network);
    CHECK(network->contains(ip(row.address)) == row.holds);
    CHECK(!network->contains(Address()));
  }
  CHECK(!Network().contains(ip("::1")));
}

TEST_CASE("network: what is none") {
  for (const std::string_view text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/8 ",
        "::/129", "[::]/0", "10/8", "fe80::1%1/64", "example.com/8", "10.0.0.0/0x8"}) {
    CAPTURE(text);
    CHECK(!Network::parse(text));
  }
}

TEST_CASE("host and port: what is taken apart") {
  struct Row {
    std::string_view text;
    std::string host;
    uint16_t port;
  };
  const Row rows[] = {
      {"127.0.0.1:8080", "127.0.0.1", 8080},
      {"example.com:0", "example.com", 0},
      {":65535", "", 65535},
      {"[::1]:80", "::1", 80},
      {"[fe80::1%1]:80", "fe80::1%1", 80},
      {"my_host-1.x:1", "my_host-1.x", 1},
      {"*:80", "*", 80},
      {"b\xc3\xbc\x63her.example:443", "b\xc3\xbc\x63her.example", 443},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto got = parse_host_port(row.text);
    REQUIRE(got);
    CHECK(got->host == row.host);
    CHECK(got->port == row.port);
  }
}

TEST_CASE("host and port: what is refused") {
  for (const std::string_view text : {"",          "host",     "host:",          "80",
                                      "::1:80",    "[::1]",    "[::1]80",        "[::1:80",
                                      "::1]:80",   "[x]:80",   "[127.0.0.1]:80", "host:65536",
                                      "host:-1",   "host:+1",  "host:0x1",       "host: 80",
                                      "host:80 ",  "ho st:80", "user@host:80",   "http://host:80",
                                      "host/x:80", "a:b:80",   "host:000080",    "h\\x:80",
                                      "h\"x:80",   "h\nx:80"}) {
    CAPTURE(text);
    const auto got = parse_host_port(text);
    REQUIRE(!got);
    CHECK(got.error().code == Code::kInvalid);
    CHECK(got.error().side == Side::kSelf);
  }
}

TEST_CASE("interfaces: loopback is one of ours, each address once") {
  const auto all = local_addresses();
  int found = 0;
  for (const Address& address : all) found += address.same_ip(ip("127.0.0.1")) ? 1 : 0;
  CHECK(found == 1);
}

}  // namespace
}  // namespace sidespan::net
