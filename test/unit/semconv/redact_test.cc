#include "sidespan/semconv/redact.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::Result;
using sidespan::http::parse_url;
using sidespan::http::Url;
using sidespan::semconv::append_redacted_query;
using sidespan::semconv::has_secret;
using sidespan::semconv::is_secret_header;
using sidespan::semconv::is_secret_parameter;
using sidespan::semconv::redacted_url;

TEST_CASE("URLs lose their secrets and nothing else") {
  struct Row {
    const char* test;
    std::string url;
    std::string redacted;
  };
  const std::vector<Row> rows = {
      {"nothing secret", "http://h/a/b?c=d&e", "http://h/a/b?c=d&e"},
      {"no path", "https://h", "https://h/"},
      {"port and IPv6", "http://[::1]:8080/a", "http://[::1]:8080/a"},
      {"user and password", "http://user:pass@h/a", "http://REDACTED:REDACTED@h/a"},
      {"user alone", "http://user@h:81/", "http://REDACTED:REDACTED@h:81/"},
      {"one secret", "http://h/a?api_key=x", "http://h/a?api_key=REDACTED"},
      {"secret between others", "http://h/?a=1&token=x&b=2", "http://h/?a=1&token=REDACTED&b=2"},
      {"secret twice", "http://h/?key=1&key=2", "http://h/?key=REDACTED&key=REDACTED"},
      {"empty secret", "http://h/?token=&a=1", "http://h/?token=REDACTED&a=1"},
      {"secret with '='", "http://h/?token=YQ==&a=1", "http://h/?token=REDACTED&a=1"},
      {"secret with '?' and '/'", "http://h/?token=a?b/c", "http://h/?token=REDACTED"},
      {"secret with ';'", "http://h/?token=a;b&c=d", "http://h/?token=REDACTED&c=d"},
      {"secret behind ';'", "http://h/?a=1;token=x", "http://h/?a=1;token=REDACTED"},
      {"secret behind a bare ';'", "http://h/?a;token=x;y=z", "http://h/?a;token=REDACTED"},
      {"name without a value", "http://h/?token&a", "http://h/?token&a"},
      {"empty query", "http://h/a?", "http://h/a?"},
      {"separators alone", "http://h/?&&;&=&=x", "http://h/?&&;&=&=x"},
      {"query without a path", "http://h?secret=x", "http://h/?secret=REDACTED"},
      {"name percent-encoded", "http://h/?%61pi%5Fkey=x", "http://h/?%61pi%5Fkey=REDACTED"},
      {"name percent-encoded, lower-case hex", "http://h/?api%5fkey=x",
       "http://h/?api%5fkey=REDACTED"},
      {"name half encoded", "http://h/?%zzkey=x&k%65y=y", "http://h/?%zzkey=x&k%65y=REDACTED"},
      {"other case", "http://h/?Access_Token=x&PASSWORD=y",
       "http://h/?Access_Token=REDACTED&PASSWORD=REDACTED"},
      {"longer names are others", "http://h/?keys=x&monkey=y&token_type=z",
       "http://h/?keys=x&monkey=y&token_type=z"},
      {"not in the path", "http://h/token=x/key", "http://h/token=x/key"},
      {"S3",
       "https://b.s3.amazonaws.com/o?X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Date=d&"
       "X-Amz-Security-Token=t&X-Amz-Signature=s",
       "https://b.s3.amazonaws.com/o?X-Amz-Algorithm=A&X-Amz-Credential=REDACTED&X-Amz-Date=d&"
       "X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED"},
      {"S3, version 2", "https://h/o?AWSAccessKeyId=i&Signature=s&Expires=1",
       "https://h/o?AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1"},
      {"Google and Azure", "https://h/o?X-Goog-Signature=s&sv=1&sig=s",
       "https://h/o?X-Goog-Signature=REDACTED&sv=1&sig=REDACTED"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    const Result<Url> url = parse_url(row.url);
    REQUIRE(url.has_value());
    CHECK(redacted_url(*url, {}) == row.redacted);
    CHECK(has_secret(*url, {}) == (redacted_url(*url, {}).find("REDACTED") != std::string::npos));
  }
}

TEST_CASE("no order of parameters lets a secret through") {
  const std::vector<std::string> pieces = {"api_key=hunter2",
                                           "%61ccess_token=hunter2",
                                           "key=a;b=hunter2",
                                           "Token=%20hunter2=",
                                           "sig=hunter2",
                                           "PASSWORD=?hunter2",
                                           "q=1",
                                           "x",
                                           "",
                                           "=",
                                           "&",
                                           ";",
                                           "%",
                                           "a=b;c"};
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string query;
    for (uint64_t n = random.below(6); n > 0; --n) {
      query += pieces[random.below(pieces.size())] + (random.below(4) == 0 ? ";" : "&");
    }
    std::string out;
    append_redacted_query(out, query, {});
    CAPTURE(query);
    CHECK(out.find("hunter2") == std::string::npos);
    std::string again;
    append_redacted_query(again, out, {});
    CHECK(again == out);
    Url url;
    url.path = "/?" + query;
    CHECK(has_secret(url, {}) == (out != query));
  }
}

TEST_CASE("names of secrets, in any case") {
  for (const char* name : {"AWSAccessKeyId",
                           "Signature",
                           "X-Amz-Credential",
                           "X-Amz-Security-Token",
                           "X-Amz-Signature",
                           "X-Goog-Signature",
                           "sig",
                           "access_token",
                           "api_key",
                           "key",
                           "token",
                           "password",
                           "secret",
                           "TOKEN",
                           "Api_Key",
                           "client_secret",
                           "refresh_token",
                           "apikey",
                           "signature",
                           "SIG",
                           "x-amz-signature",
                           "awsaccesskeyid",
                           "pwd",
                           "passwd",
                           "Passwd",
                           "jwt",
                           "JWT"}) {
    CAPTURE(name);
    CHECK(is_secret_parameter(name, {}));
  }
  for (const char* name : {"signatures", "", "q", "max_tokens", "tokens", "page_token_", "%"}) {
    CAPTURE(name);
    CHECK_FALSE(is_secret_parameter(name, {}));
  }
}

TEST_CASE("configured names are secrets too, in any case and encoding") {
  const std::vector<std::string> own = {"code", "session-id"};
  for (const char* name : {"code", "CODE", "c%6Fde", "session-id", "token"}) {
    CAPTURE(name);
    CHECK(is_secret_parameter(name, own));
  }
  CHECK_FALSE(is_secret_parameter("codes", own));
  std::string out = "?";
  append_redacted_query(out, "code=1&x=2", own);
  CHECK(out == "?code=REDACTED&x=2");
}

TEST_CASE("URLs in header fields lose their secrets") {
  struct Row {
    const char* name;
    std::string_view value;
    std::string_view shown;
  };
  for (const auto& [name, value, shown] : std::vector<Row>{
           {"location", "https://h/cb?code=1&token=x#a", "https://h/cb?code=1&token=REDACTED#a"},
           {"Location", "/cb?token=x", "/cb?token=REDACTED"},
           {"location", "?token=a?b/c", "?token=REDACTED"},
           {"location", "https://u:p@h/a@b", "https://REDACTED:REDACTED@h/a@b"},
           {"location", "//u:p@h?key=1", "//REDACTED:REDACTED@h?key=REDACTED"},
           {"location", "https://app/#access_token=x&a=1",
            "https://app/#access_token=REDACTED&a=1"},
           {"location", "https://h/?token=x#jwt=y", "https://h/?token=REDACTED#jwt=REDACTED"},
           {"location", "cb", "cb"},
           {"location", "", ""},
           {"content-location", "/o?sig=s", "/o?sig=REDACTED"},
           {"referer", "http://h/?password=x", "http://h/?password=REDACTED"},
           {"link", "<https://h/?page=2&key=x>; rel=\"next\", <https://u:p@h/?key=y>; rel=prev",
            "<https://h/?page=2&key=REDACTED>; rel=\"next\", "
            "<https://REDACTED:REDACTED@h/?key=REDACTED>; rel=prev"},
           {"refresh", "5; url=https://u:p@h/?token=x",
            "5; url=https://REDACTED:REDACTED@h/?token=REDACTED"},
           {"refresh", "0;URL='cb?token=x'", "0;URL='cb?token=REDACTED"},
           {"x-note", "https://u:p@h/?token=x", "https://u:p@h/?token=x"},
       }) {
    CAPTURE(value);
    CHECK(sidespan::semconv::redacted_field(name, value, {}) == shown);
  }
  const std::vector<std::string> own = {"code"};
  CHECK(sidespan::semconv::redacted_field("location", "/cb?code=1", own) == "/cb?code=REDACTED");
}

TEST_CASE("headers that are never captured") {
  for (const char* name : {"authorization",
                           "Authorization",
                           "proxy-authorization",
                           "cookie",
                           "Set-Cookie",
                           "set-cookie2",
                           "x-api-key",
                           "api-key",
                           "x-goog-api-key",
                           "xi-api-key",
                           "anthropic-api-key",
                           "dd-application-key",
                           "x-functions-key",
                           "Ocp-Apim-Subscription-Key",
                           "x-rapidapi-key",
                           "x-apikey",
                           "x-auth-token",
                           "x-access-token",
                           "X-Amz-Security-Token",
                           "x-amzn-oidc-accesstoken",
                           "x-amzn-oidc-data",
                           "x-vault-token",
                           "private-token",
                           "x-csrf-token",
                           "x_api_key",
                           "x-hub-signature-256",
                           "x-client-secret",
                           "x-password",
                           "cf-access-jwt-assertion",
                           "x-forwarded-authorization",
                           "x-ms-authorization-auxiliary",
                           "x-amz-server-side-encryption-customer-key",
                           "authentication-info"}) {
    CAPTURE(name);
    CHECK(is_secret_header(name));
  }
  for (const char* name :
       {"content-type", "x-request-id", "traceparent", "idempotency-key", "sec-websocket-key",
        "x-cache-key", "surrogate-key", "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-tokens-remaining", "www-authenticate", "openai-organization",
        "user-agent", "retry-after", "x-author", "authority", "cookies-policy", "key", "-", ""}) {
    CAPTURE(name);
    CHECK_FALSE(is_secret_header(name));
  }
}
