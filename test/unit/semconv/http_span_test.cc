#include "sidespan/semconv/http_span.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sidespan/semconv/redact.h"

using namespace std::chrono_literals;
using sidespan::Code;
using sidespan::Error;
using sidespan::MonoTime;
using sidespan::Side;
using sidespan::WallTime;
using sidespan::http::BodyLength;
using sidespan::http::Head;
using sidespan::http::Url;
using sidespan::semconv::end_tunnel_span;
using sidespan::semconv::Ending;
using sidespan::semconv::http_error_type;
using sidespan::semconv::HttpFacts;
using sidespan::semconv::HttpSpanOptions;
using sidespan::semconv::known_peer;
using sidespan::semconv::KnownCalls;
using sidespan::semconv::KnownTarget;
using sidespan::semconv::make_http_span;
using sidespan::semconv::Mode;
using sidespan::trace::Span;
using sidespan::trace::SpanContext;
using sidespan::trace::SpanKind;
using sidespan::trace::SpanStatus;

namespace {

constexpr MonoTime kStart{1000s};
// A call is said like others when it came so often.
constexpr int kTimesToBeKnown = 8;

// Everything make_http_span() is told about one call.
struct Call {
  Head request;
  Url url;
  Head response;
  SpanContext context;
  std::optional<Error> error;
  HttpFacts facts;
  HttpSpanOptions options;

  void go_to(std::string_view target) { url = sidespan::http::parse_url(target).value(); }
  void fail(Code code, Side side, Ending ending) {
    facts.response = nullptr;
    facts.first_byte.reset();
    error = Error{code, side, false, "it went wrong"};
    facts.ending = ending;
  }
  void never_connect() {
    facts.peer_ip = {};
    facts.protocol_version = {};
    facts.send_started.reset();
    facts.sent.reset();
  }
  Span span() {
    facts.context = &context;
    facts.request = &request;
    facts.url = &url;
    facts.error = error ? &*error : nullptr;
    Span span = make_http_span(facts, options);
    // Baggage may have any name.
    if (facts.further_attributes.empty()) {
      CHECK(http_error_type(facts) == span.attributes.text("error.type"));
    }
    check_known(span);
    return span;
  }
  // What was put together once is the same as what is put together for each.
  void check_known(const Span& span) {
    const KnownTarget target(url, options);
    const auto peer = known_peer(facts.peer_ip, facts.peer_port, options);
    HttpFacts known = facts;
    known.target = &target;
    known.secret = !url.userinfo.empty() || url.path.contains('?');
    const bool is_origin = facts.mode != Mode::kIngress && !facts.peer_ip.empty();
    if (is_origin) known.peer = &peer;
    KnownCalls calls;
    for (int time = 0; time < kTimesToBeKnown + 2; ++time) {
      known.alike = time > 0 ? &calls : nullptr;
      const Span again = make_http_span(known, options);
      CHECK(again.attributes.encoded() == span.attributes.encoded());
      CHECK(again.attributes.dropped() == span.attributes.dropped());
      CHECK(again.name == span.name);
      CHECK(again.status == span.status);
    }
  }
};

// A plain GET that went well over a connection that was there before.
void prepare(Call& call) {
  call.request.set_method("GET");
  call.go_to("http://api.example.com/v1/items?q=1");
  call.response.status = 200;
  call.response.body = BodyLength::known(512);
  HttpFacts& facts = call.facts;
  facts.response = &call.response;
  call.context.trace_id = {1, 2};
  call.context.span_id = {3};
  facts.parent_id = {4};
  facts.parent_is_remote = true;
  facts.parent_source = "wire";
  facts.protocol_version = "1.1";
  facts.peer_ip = "192.0.2.7";
  facts.peer_port = 80;
  facts.response_body_bytes = 512;
  facts.start = {kStart, WallTime(1'700'000'000s)};
  facts.send_started = kStart + 1ms;
  facts.sent = kStart + 3ms;
  facts.first_byte = kStart + 53ms;
  facts.end = kStart + 250ms;
}

std::string print(const sidespan::trace::Attributes::Value& value) {
  const auto in_quotes = [](std::string_view text) { return "'" + std::string(text) + "'"; };
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string_view>(&value)) return in_quotes(*text);
  if (const auto* real = std::get_if<double>(&value)) {
    std::array<char, 32> digits{};
    return {digits.data(), std::to_chars(digits.begin(), digits.end(), *real).ptr};
  }
  std::string list;
  for (const auto text : std::get<std::vector<std::string_view>>(value)) list += in_quotes(text);
  return "[" + list + "]";
}

std::vector<std::string> lines_of(const Span& span) {
  constexpr std::array<const char*, 3> kStatus = {"unset", "ok", "error"};
  std::vector<std::string> lines = {
      "name " + span.name, "status " + std::string(kStatus[static_cast<size_t>(span.status)]) +
                               (span.status_message.empty() ? "" : ": " + span.status_message)};
  for (size_t i = 0; i < span.attributes.size(); ++i) {
    const auto attribute = span.attributes.at(i);
    lines.push_back(std::string(attribute.key) + " " + print(attribute.value));
  }
  return lines;
}

std::vector<std::string> base_lines() {
  Call call;
  prepare(call);
  return lines_of(call.span());
}

// How the span differs from the plain GET's: "-" lines first, then "+" lines, in order.
std::string difference(const Span& span) {
  const std::vector<std::string> before = base_lines();
  const std::vector<std::string> after = lines_of(span);
  const auto missing = [](const std::vector<std::string>& from, const std::string& line) {
    return std::ranges::find(from, line) == from.end();
  };
  std::string out;
  for (const std::string& line : before) {
    if (missing(after, line)) out += "-" + line + "\n";
  }
  for (const std::string& line : after) {
    if (missing(before, line)) out += "+" + line + "\n";
  }
  return out;
}

struct Row {
  const char* test;
  void (*change)(Call&);
  std::string difference;
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Call call;
    prepare(call);
    row.change(call);
    CHECK(difference(call.span()) == row.difference);
  }
}

}  // namespace

TEST_CASE("calls of one kind and of another to the same peer are told as each of them is") {
  using Change = void (*)(Call&);
  const Change changes[] = {
      [](Call& call) { call.request.set_method("PUT"); },
      [](Call& call) { call.request.set_method("ODD"); },
      [](Call& call) { call.facts.mode = Mode::kRoute; },
      [](Call& call) { call.facts.mode = Mode::kIntercept; },
      [](Call& call) { call.facts.parent_source = "root"; },
      [](Call& call) { call.facts.protocol_version = "2"; },
      [](Call& call) { call.facts.tls_version = "1.3"; },
      [](Call& call) { call.facts.ending = Ending::kAgentCancelled; },
      [](Call& call) { call.response.status = 404; },
      [](Call& call) { call.response.status = 503; },
      [](Call& call) { call.facts.response = nullptr; },
      [](Call& call) { call.facts.resend_count = 1; },
      [](Call& call) { call.facts.context_blocked = true; },
      [](Call& call) { call.facts.execution_id = "e"; },
      [](Call& call) { call.facts.grpc = true; },
  };
  Call usual;
  prepare(usual);
  const KnownTarget target(usual.url, usual.options);
  const auto peer = known_peer(usual.facts.peer_ip, usual.facts.peer_port, usual.options);
  KnownCalls calls;
  // Once as they come, and once with each often enough to be known, and to displace another.
  for (const int times : {1, kTimesToBeKnown + 1}) {
    for (const Change change : changes) {
      for (int time = 0; time < 2 * times; ++time) {
        Call call;
        prepare(call);
        if (time < times) change(call);
        call.facts.context = &call.context;
        call.facts.request = &call.request;
        call.facts.url = &call.url;
        call.facts.target = &target;
        call.facts.peer = &peer;
        const Span alone = make_http_span(call.facts, call.options);
        call.facts.alike = &calls;
        const Span alike = make_http_span(call.facts, call.options);
        CHECK(alike.attributes.encoded() == alone.attributes.encoded());
        CHECK(alike.name == alone.name);
        CHECK(alike.status == alone.status);
      }
    }
  }
}

TEST_CASE("the golden span of a plain GET") {
  const std::vector<std::string> expected = {
      "name GET",
      "status unset",
      "http.request.method 'GET'",
      "server.address 'api.example.com'",
      "server.port 80",
      "url.full 'http://api.example.com/v1/items?q=1'",
      "sidespan.mode 'forward'",
      "sidespan.parent.source 'wire'",
      "network.peer.address '192.0.2.7'",
      "network.peer.port 80",
      "network.protocol.version '1.1'",
      "http.response.status_code 200",
      "sidespan.end 'complete'",
      "http.response.body.size 512",
      "sidespan.phase.send 0.002",
      "sidespan.phase.wait 0.05",
      "sidespan.phase.receive 0.197",
      "sidespan.time_to_first_byte 0.053",
  };
  CHECK(base_lines() == expected);

  Call call;
  prepare(call);
  call.context.flags = 3;
  sidespan::trace::SpanContext earlier;
  earlier.span_id = {9};
  call.facts.earlier = &earlier;
  const Span span = call.span();
  CHECK(span.kind == SpanKind::kClient);
  CHECK(span.context.trace_id == sidespan::trace::TraceId{1, 2});
  CHECK(span.context.span_id.value == 3);
  CHECK(span.context.flags == 3);
  CHECK(span.parent_id.value == 4);
  CHECK(span.parent_is_remote);
  CHECK(span.start == WallTime(1'700'000'000s));
  CHECK(span.duration == 250ms);
  REQUIRE(span.links.size() == 1);
  CHECK(span.links[0].context.span_id.value == 9);
}

namespace {

void serve(Call& call) {
  call.facts.mode = Mode::kIngress;
  call.facts.peer_ip = "127.0.0.1";
  call.facts.peer_port = 40'000;
}

}  // namespace

TEST_CASE("the golden span of a request to the agent's server") {
  Call call;
  prepare(call);
  serve(call);
  call.go_to("http://agent.example:8080/chat?token=x&q=1");
  call.request.headers.add("User-Agent", "curl/8");
  const Span span = call.span();
  const std::vector<std::string> expected = {
      "name GET",
      "status unset",
      "http.request.method 'GET'",
      "url.scheme 'http'",
      "url.path '/chat'",
      "url.query 'token=REDACTED&q=1'",
      "server.address 'agent.example'",
      "server.port 8080",
      "client.address '127.0.0.1'",
      "user_agent.original 'curl/8'",
      "sidespan.mode 'ingress'",
      "sidespan.parent.source 'wire'",
      "network.peer.address '127.0.0.1'",
      "network.peer.port 40000",
      "network.protocol.version '1.1'",
      "http.response.status_code 200",
      "sidespan.end 'complete'",
      "http.response.body.size 512",
      "sidespan.phase.send 0.002",
      "sidespan.phase.wait 0.05",
      "sidespan.phase.receive 0.197",
      "sidespan.time_to_first_byte 0.053",
  };
  CHECK(lines_of(span) == expected);
  CHECK(span.kind == SpanKind::kServer);
}

TEST_CASE("a server's span: what the client knows it by, and what is its own error") {
  const auto said = [](void (*change)(Call&)) {
    Call call;
    prepare(call);
    serve(call);
    call.go_to("http://agent.example/chat");
    change(call);
    return call.span();
  };
  const Span proxied = said([](Call& c) {
    c.request.headers.add("X-Forwarded-For", "203.0.113.9, 10.0.0.1");
    c.request.headers.add("X-Forwarded-Proto", "https");
    c.request.headers.add("X-Forwarded-Host", "chat.example");
  });
  CHECK(proxied.attributes.text("client.address") == "203.0.113.9");
  CHECK(proxied.attributes.text("network.peer.address") == "127.0.0.1");
  CHECK(proxied.attributes.text("url.scheme") == "https");
  CHECK(proxied.attributes.text("server.address") == "chat.example");
  CHECK(std::ranges::count(lines_of(proxied), "server.port 443") == 1);

  const Span nameless = said([](Call& c) { c.url.authority = {}; });
  CHECK_FALSE(nameless.attributes.contains("server.address"));

  const Span templated = said([](Call& c) { c.options.url_templates = {"/{what}"}; });
  CHECK(templated.name == "GET");

  const Span not_found = said([](Call& c) { c.response.status = 404; });
  CHECK(not_found.status == SpanStatus::kUnset);
  CHECK_FALSE(not_found.attributes.contains("error.type"));
  const Span failed = said([](Call& c) { c.response.status = 503; });
  CHECK(failed.status == SpanStatus::kError);
  CHECK(failed.attributes.text("error.type") == "503");
  const Span unreachable =
      said([](Call& c) { c.fail(Code::kConnectionRefused, Side::kOrigin, Ending::kOriginClosed); });
  CHECK(unreachable.status == SpanStatus::kError);
  CHECK(unreachable.attributes.text("error.type") == "connection_refused");

  const Span repeated = said([](Call& c) { c.facts.resend_count = 1; });
  CHECK_FALSE(repeated.attributes.contains("http.request.resend_count"));
}

TEST_CASE("of gRPC's statuses six are a server's errors") {
  const std::vector<uint32_t> errors = {2, 4, 12, 13, 14, 15};
  for (uint32_t status = 0; status <= 17; ++status) {
    CAPTURE(status);
    Call call;
    prepare(call);
    serve(call);
    call.go_to("http://agent.example/pkg.Service/Method");
    call.facts.grpc = true;
    call.facts.grpc_status = status;
    const Span span = call.span();
    CHECK(span.name == "pkg.Service/Method");
    CHECK(span.attributes.text("rpc.system.name") == "grpc");
    const bool error = std::ranges::find(errors, status) != errors.end();
    CHECK((span.status == SpanStatus::kError) == error);
  }
}

TEST_CASE("to a gRPC client any status but OK is an error, and so is an answer without one") {
  for (uint32_t status = 0; status <= 17; ++status) {
    CAPTURE(status);
    Call call;
    prepare(call);
    call.facts.grpc = true;
    call.facts.grpc_status = status;
    const Span span = call.span();
    CHECK((span.status == SpanStatus::kError) == (status != 0));
    CHECK(span.attributes.contains("error.type") == (status != 0));
    CHECK(span.attributes.contains("rpc.status_code"));
  }
  struct Row {
    int http;
    std::string status;
  };
  const std::vector<Row> rows = {
      {200, "UNKNOWN"},         {204, "UNKNOWN"},           {400, "INTERNAL"},
      {401, "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED"}, {404, "UNIMPLEMENTED"},
      {429, "UNAVAILABLE"},     {500, "UNKNOWN"},           {502, "UNAVAILABLE"},
      {503, "UNAVAILABLE"},     {504, "UNAVAILABLE"}};
  for (const Row& row : rows) {
    CAPTURE(row.http);
    Call call;
    prepare(call);
    call.facts.grpc = true;
    call.response.status = row.http;
    const Span span = call.span();
    CHECK(span.status == SpanStatus::kError);
    CHECK(span.attributes.text("error.type") == row.status);
    CHECK(span.attributes.text("rpc.status_code") == row.status);
  }
  Call broken;
  prepare(broken);
  broken.facts.grpc = true;
  broken.fail(Code::kConnectionReset, Side::kOrigin, Ending::kOriginClosed);
  const Span span = broken.span();
  CHECK(span.attributes.text("error.type") == "connection_reset");
  CHECK_FALSE(span.attributes.contains("rpc.status_code"));
}

TEST_CASE("methods, targets and sizes") {
  check({
      {"POST with a body",
       [](Call& c) {
         c.request.set_method("POST");
         c.request.body = BodyLength::known(10);
         c.facts.request_body_bytes = 10;
       },
       "-name GET\n-http.request.method 'GET'\n"
       "+name POST\n+http.request.method 'POST'\n+http.request.body.size 10\n"},
      {"an empty body is a body", [](Call& c) { c.request.body = BodyLength::known(0); },
       "+http.request.body.size 0\n"},
      {"a body of unknown length",
       [](Call& c) {
         c.request.body = BodyLength::unknown();
         c.facts.request_body_bytes = 70'000;
       },
       "+http.request.body.size 70000\n"},
      {"an answer that can have no body",
       [](Call& c) {
         c.response.status = 204;
         c.response.body = BodyLength::none();
       },
       "-http.response.status_code 200\n-http.response.body.size 512\n"
       "+http.response.status_code 204\n"},
      {"QUERY is known", [](Call& c) { c.request.set_method("QUERY"); },
       "-name GET\n-http.request.method 'GET'\n+name QUERY\n+http.request.method 'QUERY'\n"},
      {"unknown method", [](Call& c) { c.request.set_method("PROPFIND"); },
       "-name GET\n-http.request.method 'GET'\n"
       "+name HTTP\n+http.request.method '_OTHER'\n+http.request.method_original 'PROPFIND'\n"},
      {"methods keep their case", [](Call& c) { c.request.set_method("get"); },
       "-name GET\n-http.request.method 'GET'\n"
       "+name HTTP\n+http.request.method '_OTHER'\n+http.request.method_original 'get'\n"},
      {"configured methods replace the known ones",
       [](Call& c) {
         c.request.set_method("PROPFIND");
         c.options.known_methods = {"PROPFIND"};
       },
       "-name GET\n-http.request.method 'GET'\n+name PROPFIND\n+http.request.method 'PROPFIND'\n"},
      {"not in the configured methods", [](Call& c) { c.options.known_methods = {"POST"}; },
       "-name GET\n-http.request.method 'GET'\n"
       "+name HTTP\n+http.request.method '_OTHER'\n+http.request.method_original 'GET'\n"},
      {"secrets in the URL",
       [](Call& c) {
         c.options.redact_query = {"session"};
         c.go_to("http://u:p@api.example.com:8080/v1?api_key=x&session=y&q=1");
       },
       "-server.port 80\n-url.full 'http://api.example.com/v1/items?q=1'\n+server.port 8080\n"
       "+url.full 'http://REDACTED:REDACTED@api.example.com:8080/"
       "v1?api_key=REDACTED&session=REDACTED&q=1'\n"},
      {"IPv6", [](Call& c) { c.go_to("http://[2001:db8::1]/"); },
       "-server.address 'api.example.com'\n-url.full 'http://api.example.com/v1/items?q=1'\n"
       "+server.address '2001:db8::1'\n+url.full 'http://[2001:db8::1]/'\n"},
      {"https has its own port", [](Call& c) { c.go_to("https://api.example.com/v1/items?q=1"); },
       "-server.port 80\n-url.full 'http://api.example.com/v1/items?q=1'\n"
       "+server.port 443\n+url.full 'https://api.example.com/v1/items?q=1'\n"},
      {"template", [](Call& c) { c.options.url_templates = {"/v1/users/{id}", "/v1/{kind}"}; },
       "-name GET\n+name GET /v1/{kind}\n+url.template '/v1/{kind}'\n"},
      {"template of an unknown method",
       [](Call& c) {
         c.request.set_method("FOO");
         c.options.url_templates = {"/v1/items"};
       },
       "-name GET\n-http.request.method 'GET'\n"
       "+name HTTP /v1/items\n+http.request.method '_OTHER'\n"
       "+http.request.method_original 'FOO'\n+url.template '/v1/items'\n"},
      {"no template matches",
       [](Call& c) { c.options.url_templates = {"/v2/{kind}", "/v1/items/{id}"}; }, ""},
  });
}

TEST_CASE("url.full is the URL without its secrets") {
  const std::string long_path = "/" + std::string(200, 'p');
  const std::vector<std::string> urls = {"http://h/",
                                         "http://h:8080/a/b?c=d&e",
                                         "https://[::1]/",
                                         "ws://[fe80::1]:65535/x?y",
                                         "http://user:secret@h/",
                                         "http://h/?sig=secret",
                                         "http://h/?a=b;token=secret",
                                         "http://h/?own=secret",
                                         "http://h/%e9?%ff",
                                         "http://h" + long_path,
                                         "http://h" + long_path + "?key=secret"};
  for (const std::string& url : urls) {
    CAPTURE(url);
    Call call;
    prepare(call);
    call.go_to(url);
    call.options.redact_query = {"own"};
    const std::string full = sidespan::semconv::redacted_url(call.url, call.options.redact_query);
    CHECK(full.find("secret") == std::string::npos);
    CHECK(call.span().attributes.text("url.full") == full);
  }
}

TEST_CASE("how a tunnel ended takes the place of what its span said before") {
  Call call;
  call.request.set_method("CONNECT");
  call.url = Url{};
  call.url.authority = {"example.org", 443};
  call.facts.mode = Mode::kTunnel;
  call.facts.bytes_sent = 1;
  // A name of ours that came as baggage is not told twice.
  const std::vector<std::pair<std::string, std::string>> further = {{"error.type", "theirs"}};
  call.facts.further_attributes = further;
  Span span = call.span();
  const MonoTime start = call.facts.start.mono;
  const Error error{Code::kConnectionReset, Side::kOrigin, false, "it broke off"};
  end_tunnel_span(span, {.bytes_sent = 1000,
                         .bytes_received = 20'000,
                         .start = start,
                         .opened = start + 500ms,
                         .end = start + 2500ms,
                         .ending = Ending::kOriginClosed,
                         .error = &error});
  CHECK(span.duration == 2500ms);
  CHECK(span.status == SpanStatus::kError);
  CHECK(span.status_message == "it broke off");
  CHECK(span.attributes.text("error.type") == "connection_reset");
  CHECK(span.attributes.text("sidespan.end") == "origin_closed");
  std::map<std::string_view, size_t> keys;
  for (const sidespan::trace::Attributes::View attribute : span.attributes) {
    ++keys[attribute.key];
    if (attribute.key == "sidespan.bytes.sent") CHECK(std::get<int64_t>(attribute.value) == 1000);
    if (attribute.key == "sidespan.bytes.received") {
      CHECK(std::get<int64_t>(attribute.value) == 20'000);
    }
    if (attribute.key == "sidespan.phase.receive") CHECK(std::get<double>(attribute.value) == 2.0);
  }
  for (const auto& [key, times] : keys) CHECK_MESSAGE(times == 1, key);
}

TEST_CASE("an agent that leaves its tunnel has made no error") {
  Call call;
  Span span = call.span();
  const Error error{Code::kConnectionReset, Side::kAgent, false, "it left"};
  end_tunnel_span(span, {.ending = Ending::kAgentCancelled, .error = &error});
  CHECK(span.status == SpanStatus::kUnset);
  CHECK_FALSE(span.attributes.contains("error.type"));
  CHECK(span.attributes.text("sidespan.end") == "agent_cancelled");
}

TEST_CASE("tunnels have bytes instead of bodies, and no URL") {
  check({
      {"CONNECT",
       [](Call& c) {
         c.request.set_method("CONNECT");
         c.url = Url{};
         c.url.authority = {"example.org", 443};
         c.facts.mode = Mode::kTunnel;
         c.facts.response = nullptr;
         c.facts.peer_port = 443;
         c.facts.send_started.reset();
         c.facts.sent.reset();
         c.facts.first_byte.reset();
         c.facts.bytes_sent = 1000;
         c.facts.bytes_received = 20'000;
       },
       "-name GET\n-http.request.method 'GET'\n-server.address 'api.example.com'\n-server.port "
       "80\n-url.full 'http://api.example.com/v1/items?q=1'\n-sidespan.mode "
       "'forward'\n-network.peer.port 80\n-http.response.status_code "
       "200\n-http.response.body.size 512\n-sidespan.phase.send 0.002\n-sidespan.phase.wait "
       "0.05\n-sidespan.phase.receive 0.197\n-sidespan.time_to_first_byte 0.053\n"
       "+name CONNECT\n+http.request.method 'CONNECT'\n+server.address "
       "'example.org'\n+server.port 443\n+sidespan.mode 'tunnel'\n+network.peer.port "
       "443\n+sidespan.bytes.sent 1000\n+sidespan.bytes.received 20000\n"},
      {"a WebSocket",
       [](Call& c) {
         c.response.status = 101;
         c.facts.bytes_sent = 7;
         c.facts.bytes_received = 9;
       },
       "-http.response.status_code 200\n-http.response.body.size 512\n"
       "+http.response.status_code 101\n+sidespan.bytes.sent 7\n+sidespan.bytes.received 9\n"},
  });
}

TEST_CASE("errors, and what is none") {
  check({
      {"404", [](Call& c) { c.response.status = 404; },
       "-status unset\n-http.response.status_code 200\n"
       "+status error\n+http.response.status_code 404\n+error.type '404'\n"},
      {"500", [](Call& c) { c.response.status = 500; },
       "-status unset\n-http.response.status_code 200\n"
       "+status error\n+http.response.status_code 500\n+error.type '500'\n"},
      {"a status nobody knows", [](Call& c) { c.response.status = 799; },
       "-status unset\n-http.response.status_code 200\n"
       "+status error\n+http.response.status_code 799\n+error.type '799'\n"},
      {"302 is none", [](Call& c) { c.response.status = 302; },
       "-http.response.status_code 200\n+http.response.status_code 302\n"},
      {"connection refused",
       [](Call& c) {
         c.never_connect();
         c.fail(Code::kConnectionRefused, Side::kOrigin, Ending::kOriginClosed);
         c.facts.dns = 4ms;
       },
       "-status unset\n-network.peer.address '192.0.2.7'\n-network.peer.port "
       "80\n-network.protocol.version '1.1'\n-http.response.status_code 200\n-sidespan.end "
       "'complete'\n-http.response.body.size 512\n-sidespan.phase.send "
       "0.002\n-sidespan.phase.wait 0.05\n-sidespan.phase.receive "
       "0.197\n-sidespan.time_to_first_byte 0.053\n"
       "+status error: it went wrong\n+error.type 'connection_refused'\n"
       "+sidespan.end 'origin_closed'\n+sidespan.phase.dns 0.004\n"},
      {"no answer in time",
       [](Call& c) { c.fail(Code::kTimeout, Side::kOrigin, Ending::kTimeout); },
       "-status unset\n-http.response.status_code 200\n-sidespan.end "
       "'complete'\n-http.response.body.size 512\n-sidespan.phase.wait "
       "0.05\n-sidespan.phase.receive 0.197\n-sidespan.time_to_first_byte 0.053\n"
       "+status error: it went wrong\n+error.type 'timeout'\n+sidespan.end 'timeout'\n"},
      {"cut off in the middle of a good answer",
       [](Call& c) {
         c.error = Error{Code::kTruncated, Side::kOrigin, false, "it went wrong"};
         c.facts.ending = Ending::kOriginClosed;
       },
       "-status unset\n-sidespan.end 'complete'\n"
       "+status error: it went wrong\n+error.type 'truncated'\n+sidespan.end 'origin_closed'\n"},
      {"cut off in the middle of an error: the status says more",
       [](Call& c) {
         c.response.status = 503;
         c.error = Error{Code::kTruncated, Side::kOrigin, false, "it went wrong"};
         c.facts.ending = Ending::kOriginClosed;
       },
       "-status unset\n-http.response.status_code 200\n-sidespan.end 'complete'\n"
       "+status error\n+http.response.status_code 503\n+error.type '503'\n"
       "+sidespan.end 'origin_closed'\n"},
      {"denied",
       [](Call& c) {
         c.never_connect();
         c.fail(Code::kDenied, Side::kSelf, Ending::kRefused);
       },
       "-status unset\n-network.peer.address '192.0.2.7'\n-network.peer.port "
       "80\n-network.protocol.version '1.1'\n-http.response.status_code 200\n-sidespan.end "
       "'complete'\n-http.response.body.size 512\n-sidespan.phase.send "
       "0.002\n-sidespan.phase.wait 0.05\n-sidespan.phase.receive "
       "0.197\n-sidespan.time_to_first_byte 0.053\n"
       "+status error: it went wrong\n+error.type 'denied'\n+sidespan.end 'refused'\n"},
      {"the agent's request is malformed in its body",
       [](Call& c) {
         c.error = Error{Code::kMalformed, Side::kAgent, false, "it went wrong"};
         c.facts.ending = Ending::kRefused;
       },
       "-status unset\n-sidespan.end 'complete'\n"
       "+status error: it went wrong\n+error.type 'malformed'\n+sidespan.end 'refused'\n"},
      {"the agent cancels", [](Call& c) { c.facts.ending = Ending::kAgentCancelled; },
       "-sidespan.end 'complete'\n+sidespan.end 'agent_cancelled'\n"},
      {"the agent cancels, with an error to show for it",
       [](Call& c) {
         c.error = Error{Code::kConnectionReset, Side::kAgent, false, "it went away"};
         c.facts.ending = Ending::kAgentCancelled;
       },
       "-sidespan.end 'complete'\n+sidespan.end 'agent_cancelled'\n"},
      {"the agent goes away while we drain",
       [](Call& c) {
         c.error = Error{Code::kTruncated, Side::kAgent, false, "it went away"};
         c.facts.ending = Ending::kDrain;
       },
       "-sidespan.end 'complete'\n+sidespan.end 'drain'\n"},
      {"the agent leaves in the middle of an error answer",
       [](Call& c) {
         c.response.status = 429;
         c.facts.ending = Ending::kAgentCancelled;
       },
       "-status unset\n-http.response.status_code 200\n-sidespan.end 'complete'\n"
       "+status error\n+http.response.status_code 429\n+error.type '429'\n"
       "+sidespan.end 'agent_cancelled'\n"},
  });
}

TEST_CASE("phases, attempts, lineage") {
  check({
      {"a fresh connection",
       [](Call& c) {
         c.facts.dns = 2ms;
         c.facts.connect = 30ms;
       },
       "+sidespan.phase.dns 0.002\n+sidespan.phase.connect 0.03\n"},
      {"an early answer: nobody waited", [](Call& c) { c.facts.sent = kStart + 60ms; },
       "-sidespan.phase.send 0.002\n-sidespan.phase.wait 0.05\n"
       "+sidespan.phase.send 0.059\n+sidespan.phase.wait 0\n"},
      {"an answer to a request that never ended", [](Call& c) { c.facts.sent.reset(); },
       "-sidespan.phase.send 0.002\n-sidespan.phase.wait 0.05\n"},
      {"third attempt", [](Call& c) { c.facts.resend_count = 2; },
       "+http.request.resend_count 2\n"},
      {"in a run, by a route",
       [](Call& c) {
         c.facts.mode = Mode::kRoute;
         c.facts.execution_id = "run-7";
         c.facts.execution_source = "listener";
         c.facts.parent_source = "listener";
       },
       "-sidespan.mode 'forward'\n-sidespan.parent.source 'wire'\n"
       "+sidespan.mode 'route'\n+sidespan.parent.source 'listener'\n"
       "+sidespan.execution.id 'run-7'\n+sidespan.execution.source 'listener'\n"},
  });
  Call call;
  prepare(call);
  call.facts.end = kStart - 1s;
  CHECK(call.span().duration == 0s);
}

TEST_CASE("peers: an exact name first, then the longest pattern") {
  struct PeerRow {
    const char* test;
    const char* host;
    const char* peer;
  };
  const std::vector<PeerRow> rows = {
      {"exact", "api.stripe.com", "stripe"},
      {"pattern", "b.s3.amazonaws.com", "s3"},
      {"shorter pattern", "sqs.amazonaws.com", "aws"},
      {"written in another case", "api.openai.com", "openai"},
      {"exact before a pattern", "exact.s3.amazonaws.com", "mine"},
      {"none", "example.org", ""},
      {"not a suffix by accident", "amazonaws.com.evil", ""},
  };
  for (const PeerRow& row : rows) {
    CAPTURE(row.test);
    Call call;
    prepare(call);
    call.options.peers = {{"api.stripe.com", "stripe"},
                          {"*.amazonaws.com", "aws"},
                          {"*.s3.amazonaws.com", "s3"},
                          {"API.OpenAI.com", "openai"},
                          {"exact.s3.amazonaws.com", "mine"}};
    call.go_to(std::string("http://") + row.host + "/");
    const Span span = call.span();
    CHECK(span.attributes.text("service.peer.name") == row.peer);
    CHECK(span.attributes.text("peer.service") == row.peer);
    CHECK(span.attributes.contains("peer.service") == (row.peer[0] != '\0'));
  }
}

TEST_CASE("headers are captured by name, secrets never") {
  check({
      {"request and answer",
       [](Call& c) {
         c.request.headers.add("X-Tenant", "a");
         c.request.headers.add("Accept", "b");
         c.request.headers.add("x-tenant", "c");
         c.response.headers.add("X-Request-Id", "42");
         c.response.headers.add("X-Tenant", "not asked for here");
         c.options.request_headers = {"x-tenant", "absent"};
         c.options.response_headers = {"x-request-id"};
       },
       "+http.request.header.x-tenant ['a''c']\n+http.response.header.x-request-id ['42']\n"},
      {"bytes that are no text are mended",
       [](Call& c) {
         c.request.headers.add("X-Tenant", "a\xff");
         c.options.request_headers = {"x-tenant"};
       },
       "+http.request.header.x-tenant ['a\xef\xbf\xbd']\n"},
      {"a secret that configuration let through",
       [](Call& c) {
         c.request.headers.add("Authorization", "Bearer s3cret");
         c.response.headers.add("Set-Cookie", "s3cret");
         c.options.request_headers = {"authorization"};
         c.options.response_headers = {"set-cookie"};
       },
       ""},
      {"a URL with a token in it",
       [](Call& c) {
         c.response.headers.add("Location", "https://h/cb?token=s3cret&code=s3cret&a=1");
         c.options.response_headers = {"location"};
         c.options.redact_query = {"code"};
       },
       "+http.response.header.location ['https://h/cb?token=REDACTED&code=REDACTED&a=1']\n"},
      {"no answer",
       [](Call& c) {
         c.options.response_headers = {"x-request-id"};
         c.fail(Code::kTimeout, Side::kOrigin, Ending::kTimeout);
       },
       "-status unset\n-http.response.status_code 200\n-sidespan.end "
       "'complete'\n-http.response.body.size 512\n-sidespan.phase.wait "
       "0.05\n-sidespan.phase.receive 0.197\n-sidespan.time_to_first_byte 0.053\n"
       "+status error: it went wrong\n+error.type 'timeout'\n+sidespan.end 'timeout'\n"},
  });
}

TEST_CASE("attribute limits hold, and what matters to samplers comes first") {
  Call call;
  prepare(call);
  call.options.limits = {4, 12};
  const Span span = call.span();
  CHECK(span.attributes.size() == 4);
  CHECK(span.attributes.dropped() > 0);
  CHECK(span.attributes.text("http.request.method") == "GET");
  CHECK(span.attributes.text("url.full") == "http://api.e");
}

TEST_CASE("modes and endings have the contract's names") {
  CHECK(name_of(Mode::kForward) == "forward");
  CHECK(name_of(Mode::kTunnel) == "tunnel");
  CHECK(name_of(Mode::kRoute) == "route");
  CHECK(name_of(Mode::kIngress) == "ingress");
  CHECK(name_of(Ending::kComplete) == "complete");
  CHECK(name_of(Ending::kAgentCancelled) == "agent_cancelled");
  CHECK(name_of(Ending::kOriginClosed) == "origin_closed");
  CHECK(name_of(Ending::kTimeout) == "timeout");
  CHECK(name_of(Ending::kRefused) == "refused");
  CHECK(name_of(Ending::kLimit) == "limit");
  CHECK(name_of(Ending::kDrain) == "drain");
}

TEST_CASE("the status of a gRPC call has the name that the user wants") {
  using sidespan::semconv::RpcStatus;
  struct Row {
    RpcStatus form;
    std::string line;
  };
  for (const auto& [form, line] :
       {Row{RpcStatus::kName, "rpc.status_code 'UNAVAILABLE'"},
        Row{RpcStatus::kResponseName, "rpc.response.status_code 'UNAVAILABLE'"},
        Row{RpcStatus::kNumber, "rpc.grpc.status_code 14"}}) {
    CAPTURE(line);
    Call call;
    prepare(call);
    call.facts.grpc = true;
    call.facts.grpc_status = 14;
    call.options.rpc_status = form;
    const std::vector<std::string> lines = lines_of(call.span());
    CHECK(std::ranges::find(lines, line) != lines.end());
    CHECK(std::ranges::find(lines, "error.type 'UNAVAILABLE'") != lines.end());
    CHECK(std::ranges::count_if(lines, [](const std::string& one) {
            return one.find("status_code") != one.npos && one.starts_with("rpc.");
          }) == 1);
  }
}
