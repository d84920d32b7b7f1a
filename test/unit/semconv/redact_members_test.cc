#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/semconv/redact.h"

namespace sidespan::semconv {
namespace {

TEST_CASE("redaction: members of JSON with secret names lose their values") {
  const std::vector<std::string> further = {"Iban"};
  const auto redacted = [&](std::string_view text) {
    std::string out;
    append_redacted_members(out, text, further);
    return out;
  };
  CHECK(redacted("no JSON, and a \"quote\"") == "no JSON, and a \"quote\"");
  CHECK(redacted(R"({"a":"b","password":"x\"y","n":1})") ==
        R"({"a":"b","password":"REDACTED","n":1})");
  CHECK(redacted(R"({"token" : {"a":["}",1]}, "iban":[1,2],"secret":17})") ==
        R"({"token" : "REDACTED", "iban":"REDACTED","secret":"REDACTED"})");
  CHECK(redacted(R"(he said "x and {"password":"y"})") ==
        R"(he said "x and {"password":"REDACTED"})");
  CHECK(redacted(R"({"in":"{\"password\":\"a,b\",\"c\":1}"})") ==
        R"({"in":"{\"password\":\"REDACTED\",\"c\":1}"})");
  CHECK(redacted(R"({"password":"cut of)") == R"({"password":"REDACTED")");
  CHECK(redacted(R"({"password":)") == R"({"password":"REDACTED")");
  CHECK(redacted(R"({"password)") == R"({"password)");
  CHECK(redacted("\"") == "\"");
}

TEST_CASE("redaction: a value within a text ends where it does, and where the text does") {
  const auto redacted = [](std::string_view text) {
    std::string out;
    append_redacted_members(out, text, {});
    return out;
  };
  CHECK(redacted(R"({"body":"{\"password\":\"ab\\\"TOP,SECRET\"}"})") ==
        R"({"body":"{\"password\":\"REDACTED\"}"})");
  CHECK(redacted(R"({"body":"{\"password\":\"ab\\\\\",\"c\":1}"})") ==
        R"({"body":"{\"password\":\"REDACTED\",\"c\":1}"})");
  CHECK(redacted(R"(["{\"a\":\"{\\\"pwd\\\":\\\"x\\\\\\\"y\\\"}\"}"])") ==
        R"(["{\"a\":\"{\\\"pwd\\\":\\\"REDACTED\\\"}\"}"])");
  CHECK(redacted(R"({"a":"\"password\":tru"})") == R"({"a":"\"password\":\"REDACTED\""})");
  CHECK(redacted(R"({"a":"\"password\":\"cut"})") == R"({"a":"\"password\":\"REDACTED\""})");
  CHECK(redacted(R"({"a":"\"password\":{\"b\":[\"}\",1","c":2})") ==
        R"({"a":"\"password\":\"REDACTED\"","c":2})");
  CHECK(redacted(R"({"a":"\"password\":"})") == R"({"a":"\"password\":\"REDACTED\""})");
  CHECK(redacted(R"({"password":"x\\","c":"d"})") == R"({"password":"REDACTED","c":"d"})");
}

TEST_CASE("redaction: a member is known by its name, however that is written") {
  const std::vector<std::string> further = {"tax_id"};
  const auto hides = [&](const std::string& name) {
    std::string out;
    append_redacted_members(out, "{\"" + name + "\":1}", further);
    return out == "{\"" + name + "\":\"REDACTED\"}";
  };
  for (const char* name : {"accessToken",
                           "access-token",
                           "clientSecret",
                           "clientsecret",
                           "CLIENT_SECRET",
                           "refreshToken",
                           "secret_key",
                           "secretKey",
                           "secretkey",
                           "private_key",
                           "privateKey",
                           "session_token",
                           "authorization",
                           "Proxy-Authorization",
                           "cookie",
                           "setCookie",
                           "X-Api-Key",
                           "xApiKey",
                           "AWSSecretAccessKey",
                           "db_password",
                           "p\\u0061ssword",
                           "\\u0050wd",
                           "taxId",
                           "tax-id",
                           "token",
                           "idToken"}) {
    CAPTURE(name);
    CHECK(hides(name));
  }
  for (const char* name :
       {"max_tokens", "total_tokens", "prompt_tokens", "maxTokens", "promptTokenCount",
        "token_count", "token_type", "cost_per_token", "time_to_first_token", "idempotency_key",
        "keys", "monkey", "author", "gr\\u00f6\\u00dfe", "\\u", "tokenizer", "-", "a"}) {
    CAPTURE(name);
    CHECK_FALSE(hides(name));
  }
  std::string out;
  append_redacted_members(out, R"(["{\"p\\u0061ssword\":\"x\"}"])", {});
  CHECK(out == R"(["{\"p\\u0061ssword\":\"REDACTED\"}"])");
}

TEST_CASE("redaction: what is visible within a text may be written as a code") {
  const auto redacted = [](std::string_view text) {
    std::string out;
    append_redacted_members(out, text, {});
    return out;
  };
  CHECK(redacted(R"({"in":"{\u0022password\u0022:\u0022a,b\u0022,\u0022c\u0022:1}"})") ==
        R"({"in":"{\"password\":\"REDACTED\",\"c\":1}"})");
  CHECK(redacted(R"({"in":"{\u0022password\u0022:\u0022ab\\u0022TOP,SECRET\u0022}"})") ==
        R"({"in":"{\"password\":\"REDACTED\"}"})");
  CHECK(redacted(R"({"in":"{\u0022password\u0022:\u0022ab\\\u0022TOP,SECRET\u0022}"})") ==
        R"({"in":"{\"password\":\"REDACTED\"}"})");
  CHECK(redacted(
            R"(["{\u0022a\u0022:\u0022{\\u0022pwd\\u0022:\\u0022x\\\\u0022y\\u0022}\u0022}"])") ==
        R"(["{\"a\":\"{\\\"pwd\\\":\\\"REDACTED\\\"}\"}"])");
  CHECK(redacted(R"({"in":"{\"pwd\u0022:\u0022x\", \u0022n\":1}"})") ==
        R"({"in":"{\"pwd\":\"REDACTED\", \"n\":1}"})");
  CHECK(redacted(R"({"password":"a\u0022b","c":"u0022"})") ==
        R"({"password":"REDACTED","c":"u0022"})");
  CHECK(redacted(R"({"in":"\u0022pwd\u0022:\u0022cut \u00)") == R"({"in":"\"pwd\":\"REDACTED\")");
  CHECK(redacted(R"(Body: {\u0022password\u0022:\u0022hunter2\u0022})") ==
        R"(Body: {\"password\":\"REDACTED\"})");
  CHECK(redacted(R"({"k":"{\"pwd\": \"\u005c\"SECRET\"}"})") ==
        R"({"k":"{\"pwd\": \"REDACTED\"}"})");
  CHECK(redacted(R"({"k":"{\"pwd\": \"a\u005C\u0022SECRET\"}"})") ==
        R"({"k":"{\"pwd\": \"REDACTED\"}"})");
  CHECK(redacted(R"(["{\"a\":\"{\\\"pwd\\\":\\\"\\u005c\\\"SECRET\\\"}\"}"])") ==
        R"(["{\"a\":\"{\\\"pwd\\\":\\\"REDACTED\\\"}\"}"])");
  CHECK(redacted(R"({"k":"{\"pwd\"\u003a\"SECRET\"}"})") == R"({"k":"{\"pwd\":\"REDACTED\"}"})");
  CHECK(redacted(R"({"k":"{\n \"pwd\"\n:\t\"SECRET\"\n}"})") ==
        R"({"k":"{\n \"pwd\"\n:\t\"REDACTED\"\n}"})");
  // Where nothing is hidden nothing is written anew.
  for (const char* text : {R"({"in":"{\u0022words\u0022:\u0022a\u0022}"})", R"(\u0022)", "u0022"}) {
    CHECK(redacted(text) == text);
  }
}

}  // namespace
}  // namespace sidespan::semconv
