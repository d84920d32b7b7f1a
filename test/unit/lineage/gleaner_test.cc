#include "sidespan/lineage/gleaner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "glean.h"
#include "sidespan/base/random.h"
#include "sidespan/json/reader.h"

using namespace sidespan::lineage;
using sidespan::Random;
namespace lineage = sidespan::lineage;

namespace {

constexpr HashKey kKey{1, 2};

struct Forgotten final : Overflow {
  void forget(uint64_t) override { ++count; }
  size_t count = 0;
};

using Cut = std::vector<size_t>;

Gleaned glean(Voice voice, const std::vector<std::string>& documents, bool streamed = false,
              size_t step = 1'000'000, size_t values_max = 8192) {
  Forgotten forgotten;
  Gleaner gleaner(kKey, voice, streamed, forgotten, {.values_max = values_max});
  for (const std::string& document : documents) {
    gleaner.begin_document();
    sidespan::json::Reader reader(gleaner);
    for (size_t at = 0; at < document.size(); at += step) {
      reader.feed(std::string_view(document).substr(at, step));
    }
    CHECK(reader.finish() == sidespan::json::Reader::State::kComplete);
    gleaner.end_document();
  }
  gleaner.finish();
  return gleaner.take();
}

const Value* find(const Gleaned& gleaned, std::string_view text) {
  const uint64_t hash = hash_of(kKey, text);
  const auto found = std::ranges::find(gleaned.values, hash, &Value::hash);
  return found == gleaned.values.end() ? nullptr : &*found;
}

bool same(const Gleaned& a, const Gleaned& b) {
  const auto equal = [](const Value& x, const Value& y) {
    return x.hash == y.hash && x.weight == y.weight && x.place == y.place && x.id == y.id;
  };
  const auto level = [](const Prefix& x, const Prefix& y) {
    return x.digest == y.digest && x.values_end == y.values_end &&
           x.answer_follows == y.answer_follows;
  };
  return std::ranges::equal(a.values, b.values, equal) &&
         std::ranges::equal(a.prefixes, b.prefixes, level);
}

bool shares(const Gleaned& a, const Gleaned& b) {
  return std::ranges::any_of(a.values, [&](const Value& one) {
    return one.weight >= kEvidenceWeight &&
           std::ranges::find(b.values, one.hash, &Value::hash) != b.values.end();
  });
}

std::string nested(size_t levels, const std::string& what) {
  return std::string(levels, '[') + what + std::string(levels, ']');
}

Gleaned url(std::string_view authority, std::string_view path, bool fetches = true) {
  Gleaned out;
  glean_target(kKey, {.host = authority, .path = path, .fetches = fetches}, out);
  return out;
}

Gleaned asked(std::string_view path) {
  Gleaned out;
  glean_target(kKey, {.host = "kb.example", .path = path, .alone = true}, out);
  return out;
}

const std::string kRequest =
    R"({"model":"gpt-5","temperature":0.25,"messages":[{"role":"system","content":"You are the agent of order desk 47."},)"
    R"({"role":"user","content":"Hello, this is Mira.\nWhere is order AK-48219?"},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"call_9fA3bC77dE01xY","type":"function","function":{"name":"order","arguments":"{\"order_id\":\"AK-48219\"}"}}]},)"
    R"({"role":"tool","tool_call_id":"call_9fA3bC77dE01xY","content":"{\"shipment\":\"SH77ab01cd99\"}"}],)"
    R"("tools":[{"type":"function","function":{"name":"order","description":"What is known of an order."}}]})";

}  // namespace

TEST_CASE("a text weighs what it takes to guess it") {
  struct Row {
    const char* text;
    bool evidence;
  };
  const std::vector<Row> rows = {
      {"", false},
      {"Lisbon", false},
      {"relevance", false},
      {"metric", false},
      {"tools/call", false},
      {"2026-11-27", false},
      {"application/json", false},
      {"2026-11-27T19:20:00Z", false},
      {"1800000123", false},
      {"1800000123456", false},
      {"100000", false},
      {"call_0", false},
      {"get_current_weather", false},
      {"gpt-5", false},
      {"sha256", false},
      {"12", false},
      {"New York", false},
      {"48219", false},
      {"482193", true},
      {"20261127", false},
      {"FY2026", false},
      {"iphone15", false},
      {"windows11", false},
      {"eu-central-1", false},
      {"python3.12", false},
      {"net-zero-2050", false},
      {"linux-6.1.0-18", false},
      {"x86_64", false},
      {"AK-48219", true},
      {"SH77ab01cd99", true},
      {"machine learning books", true},
      {"mira@example.com", true},
      {"toolu_01A09q90qw90lq917835lq9", true},
      {"quarterly-revenue-report", true},
      {"0b5c6a0e-6c3b-4a52-9f6e-1d1a5b6c7d8e", true},
      {"注文はいつ届きますか", true},
      {"こんにちは", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK((weight_of(row.text) >= kEvidenceWeight) == row.evidence);
  }
}

TEST_CASE("an id is unique where a part of it was made by chance") {
  for (const char* id : {"call_7f3a9c1d5e2b8460aa17", "toolu_01A09q90qw90lq917835lq9", "D681PevKs",
                         "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "0b5c6a0e-6c3b-4a52-9f6e-1d1a5b6c7d8e",
                         "call_k3j9x2ab", "chatcmpl-tool-9c1d5e2b8460aa17", "task/4827193056"}) {
    CAPTURE(id);
    CHECK(is_unique(id));
  }
  for (const char* id :
       {"", "1", "call_0", "tool_call_10", "functions.get_weather:12", "functions.search2web:3",
        "functions.getCurrentUserInfo:0", "call_getWeatherForCity_0", "base64decode:120",
        "1800000123", "call_1800000123456", "get_weather_in_paris"}) {
    CAPTURE(id);
    CHECK_FALSE(is_unique(id));
  }
}

// They are counted sixteen bytes at a time; one by one it is the same.
TEST_CASE("words weigh what their letters and digits do, at any length") {
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(5 + random.next() % 300, ' ');
    const uint64_t range = random.next() % 2 == 0 ? 256 : 128;
    for (char& c : text) c = static_cast<char>(random.next() % range);
    text[random.next() % std::min<size_t>(text.size(), 256)] = random.next() % 2 == 0 ? ' ' : '\t';
    size_t told = 0;
    for (const char c : text.substr(0, 256)) {
      const bool letter =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80;
      told += letter ? 1 : c >= '0' && c <= '9' ? 2 : 0;
    }
    const size_t weight =
        told < 10 ? told / 2 : std::min<size_t>(std::max(told, text.size() / 4), 60);
    CAPTURE(text);
    CHECK(weight_of(text) == weight);
  }
}

TEST_CASE("a hash is SipHash-1-3") {
  constexpr HashKey kCounting = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::string bytes;
  for (char c = 0; c < 63; ++c) bytes += c;
  constexpr std::array<std::pair<size_t, uint64_t>, 6> kKnown = {{{0, 0xabac0158050fc4dcU},
                                                                  {1, 0xc9f49bf37d57ca93U},
                                                                  {7, 0xd3927d989bb11140U},
                                                                  {8, 0x369095118d299a8eU},
                                                                  {15, 0xd320d86d2a519956U},
                                                                  {63, 0x9d199062b7bbb3a8U}}};
  for (const auto& [size, hash] : kKnown) {
    CHECK(hash_of(kCounting, std::string_view(bytes).substr(0, size)) == hash);
  }
  // A word is its bytes, the lowest first, wherever it stands.
  for (size_t before = 0; before < 17; ++before) {
    Hasher hasher(kCounting);
    hasher.add(std::string_view(bytes).substr(0, before));
    hasher.add(uint64_t{0x6261393837363534U});
    hasher.add("c");
    CHECK(hasher.finish() == hash_of(kCounting, bytes.substr(0, before) + "456789abc"));
  }
}

TEST_CASE("a hash is the same in any pieces, and another with another key") {
  const std::string text = "The order AK-48219 has still not come, and 12.50 EUR were paid.";
  for (size_t size = 0; size <= text.size(); ++size) {
    const std::string_view whole = std::string_view(text).substr(0, size);
    for (size_t cut = 0; cut <= size; ++cut) {
      Hasher hasher(kKey);
      hasher.add(whole.substr(0, cut));
      hasher.add(whole.substr(cut));
      CHECK(hasher.finish() == hash_of(kKey, whole));
    }
    CHECK(hash_of({1, 3}, whole) != hash_of(kKey, whole));
  }
}

TEST_CASE("the same is gleaned whole, byte by byte and in any pieces") {
  const std::vector<std::string> answer = {
      R"({"id":"chatcmpl-a1b2c3d4e5f6a7","choices":[{"index":0,"message":{"content":"See https://kb.example/docs/slug-77ab01 and\nwrite to mira@example.com."}}]})"};
  for (const Voice voice : {Voice::kModelRequest, Voice::kToolRequest, Voice::kToolAnswer}) {
    const Gleaned whole = glean(voice, {kRequest});
    CHECK(whole.values.size() > 8);
    for (size_t step = 1; step < 40; ++step)
      CHECK(same(whole, glean(voice, {kRequest}, false, step)));
  }
  const Gleaned whole = glean(Voice::kModelAnswer, answer);
  for (size_t step = 1; step < 40; ++step) {
    CHECK(same(whole, glean(Voice::kModelAnswer, answer, false, step)));
  }
}

TEST_CASE("half a text that broke off is no evidence, in any pieces") {
  const std::string half = R"({"order":"AK-48219","tracking":"SH77ab01cd99)";
  for (size_t step = 1; step < half.size(); ++step) {
    CAPTURE(step);
    Forgotten forgotten;
    Gleaner gleaner(kKey, Voice::kToolAnswer, false, forgotten, {});
    gleaner.begin_document();
    sidespan::json::Reader reader(gleaner);
    reader.feed(std::string_view(half).substr(0, step));
    reader.feed(std::string_view(half).substr(step));
    CHECK(reader.finish() != sidespan::json::Reader::State::kComplete);
    gleaner.end_document();
    gleaner.finish();
    const Gleaned gleaned = gleaner.take();
    CHECK(find(gleaned, "AK-48219") != nullptr);
    CHECK(find(gleaned, "SH77ab01cd99") == nullptr);
  }
}

TEST_CASE("a long line is the same in any pieces") {
  std::string line = R"({"text":")";
  for (int i = 0; i < 3000; ++i) line += "w" + std::to_string(i * 7919) + (i % 97 == 0 ? "" : " ");
  line += R"("})";
  const Gleaned whole = glean(Voice::kToolAnswer, {line});
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, size_t{5000}}) {
    CHECK(same(whole, glean(Voice::kToolAnswer, {line}, false, step)));
  }
}

TEST_CASE("in messages to a model it matters who said it") {
  const Gleaned gleaned = glean(Voice::kModelRequest, {kRequest});
  REQUIRE(find(gleaned, "AK-48219") != nullptr);
  CHECK(find(gleaned, "AK-48219")->place == Place::kWords);
  REQUIRE(find(gleaned, "Hello, this is Mira.") != nullptr);
  REQUIRE(find(gleaned, "You are the agent of order desk 47.") != nullptr);
  CHECK(find(gleaned, "You are the agent of order desk 47.")->place == Place::kFixed);
  CHECK(find(gleaned, "What is known of an order.")->place == Place::kFixed);
  REQUIRE(find(gleaned, "call_9fA3bC77dE01xY") != nullptr);
  CHECK(find(gleaned, "call_9fA3bC77dE01xY")->id);
  CHECK(find(gleaned, "SH77ab01cd99") != nullptr);  // a text that is JSON
  CHECK(find(gleaned, "gpt-5") == nullptr);
  REQUIRE(gleaned.prefixes.size() == 4);
  CHECK_FALSE(gleaned.prefixes[0].answer_follows);
  CHECK(gleaned.prefixes[1].answer_follows);
  CHECK_FALSE(gleaned.prefixes[2].answer_follows);
}

TEST_CASE("a conversation that goes on has the digests of its beginning") {
  const auto request = [](const std::string& messages) {
    return glean(Voice::kModelRequest, {R"({"messages":[)" + messages + "]}"});
  };
  const std::string one = R"({"role":"user","content":"Where is order AK-48219?"})";
  const std::string marked =
      R"({"role":"user","content":[{"type":"text","text":"Where is order AK-48219?","cache_control":{"type":"ephemeral"}}]})";
  const std::string two = R"({"role":"assistant","content":"It is on its way."})";
  const std::string three = R"({"role":"user","content":"And when does it come?"})";
  const Gleaned first = request(one);
  const Gleaned second = request(one + "," + two + "," + three);
  REQUIRE(first.prefixes.size() == 1);
  REQUIRE(second.prefixes.size() == 3);
  CHECK(second.prefixes[0].digest == first.prefixes[0].digest);
  CHECK(second.prefixes[0].answer_follows);
  CHECK(request(marked).prefixes[0].digest == first.prefixes[0].digest);
  CHECK(request(three).prefixes[0].digest != first.prefixes[0].digest);
  CHECK(request(one + "," + three).prefixes[1].digest != second.prefixes[1].digest);
}

TEST_CASE("arguments that a model says in pieces are found in a tool's call") {
  const std::string arguments =
      R"({"city":"Lisbon","date":"2026-03-05","url":"https://kb.example/docs/slug-77ab01"})";
  const auto escaped = [](std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '"' ? std::string("\\\"") : std::string(1, c);
    return out;
  };
  for (size_t step = 1; step < 20; ++step) {
    CAPTURE(step);
    std::vector<std::string> chat = {
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_9fA3bC77dE01xY"}]}}]})"};
    std::vector<std::string> messages;
    std::vector<std::string> responses;
    for (size_t at = 0; at < arguments.size(); at += step) {
      const std::string piece = escaped(std::string_view(arguments).substr(at, step));
      chat.push_back(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":")" +
                     piece + R"("}}]}}]})");
      messages.push_back(
          R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":")" +
          piece + R"("}})");
    }
    for (const std::vector<std::string>* pieces : {&chat, &messages}) {
      const Gleaned said = glean(Voice::kModelAnswer, *pieces, true);
      CHECK(shares(said, url("kb.example", "/docs/slug-77ab01")));
      CHECK(find(said, "slug-77ab01") != nullptr);
    }
  }
}

TEST_CASE("a URL is what is fetched there, at its port and in its scheme") {
  struct Row {
    std::string said;
    Target fetched;
    bool value;     // it is the same page
    bool argument;  // and the same text
  };
  const std::vector<Row> rows = {
      {"http://kb.example/docs/ab", {.host = "KB.example."}, true, true},
      {"https://kb.example/docs/ab", {.host = "kb.example", .secure = true}, true, true},
      {"https://kb.example/docs/ab", {.host = "kb.example"}, true, false},
      {"http://kb.example:80/docs/ab", {.host = "kb.example", .port = 80}, true, false},
      {"http://kb.example:8080/docs/ab", {.host = "kb.example", .port = 8080}, true, true},
      {"http://kb.example:8080/docs/ab", {.host = "kb.example"}, false, false},
      {"http://kb.example:8080/docs/ab", {.host = "kb.example", .port = 8081}, false, false},
      {"http://me:pw@kb.example:8080/docs/ab", {.host = "kb.example", .port = 8080}, true, false},
      {"http://[2001:db8::5]:8080/docs/ab", {.host = "2001:db8::5", .port = 8080}, false, true},
      {"https://[2001:db8::5]/docs/ab", {.host = "2001:db8::5", .secure = true}, false, true},
      {"http://kb.example:/docs/ab", {.host = "kb.example"}, true, false},
      {"http://kb.example:99999/docs/ab", {.host = "kb.example"}, false, false},
      {"https://kb.example/docs/ab",
       {.host = "kb.example", .port = 80, .secure = true},
       true,
       false},
  };
  for (Row row : rows) {
    CAPTURE(row.said);
    row.fetched.path = "/docs/ab?page=a-long-one";
    row.fetched.fetches = row.fetched.alone = true;
    const std::string text = row.said + "?page=a-long-one";
    const std::string arguments = R"({\"url\":\")" + text + R"(\"})";
    const Gleaned said = glean(
        Voice::kModelAnswer,
        {R"({"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":")" +
         arguments + R"("}}]}}]})"});
    Gleaned asked;
    glean_target(kKey, row.fetched, asked);
    REQUIRE(said.asked.size() == 1);
    const uint64_t whole = asked.values.back().hash;
    CHECK((std::ranges::find(said.values, whole, &Value::hash) != said.values.end()) == row.value);
    CHECK((std::ranges::find(asked.asked, said.asked[0].arguments, &Asked::arguments) !=
           asked.asked.end()) == row.argument);
  }
}

TEST_CASE("all that a tool is asked for counts as one, however it is sent") {
  const auto said =
      glean(Voice::kModelAnswer,
            {R"({"content":[{"type":"tool_use","input":{"city":"Lisbon","date":"2026-03-05"}}]})"});
  CHECK(shares(said, url("api.example", "/weather?when=2026-03-05&where=Lisbon")));
  CHECK_FALSE(shares(said, url("api.example", "/weather?when=2026-03-06&where=Lisbon")));
  CHECK_FALSE(shares(said, url("api.example", "/weather?where=Lisbon")));
  CHECK(shares(said, glean(Voice::kToolRequest, {R"({"place":"Lisbon","day":"2026-03-05"})"})));
  CHECK(shares(
      said,
      glean(
          Voice::kToolRequest,
          {R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"weather","arguments":{"a":"Lisbon","b":"2026-03-05"}}})"})));
  Forgotten forgotten;
  FormGleaner form(kKey, forgotten);
  form.feed("city=Lis");
  form.feed("bon&date=2026-03-05");
  form.finish();
  CHECK(shares(said, form.gleaned()));
}

TEST_CASE("a form in parts says the same as another, in any pieces, but for its files") {
  const auto part = [](const std::string& header, const std::string& content) {
    return "--b\r\nContent-Disposition: form-data; " + header + "\r\n\r\n" + content + "\r\n";
  };
  const auto glean_form = [](const std::string& body, size_t step, std::string_view boundary) {
    Forgotten forgotten;
    FormGleaner form(kKey, forgotten, {}, boundary);
    for (size_t at = 0; at < body.size(); at += step) form.feed(body.substr(at, step));
    form.finish();
    return form.gleaned();
  };
  const std::string fields = part("name=\"subject\"", "Cracked screen\r\n--of QK-482913") +
                             part("name=\"context_id\"", "6f0d1f6e-5a0b-4c52-9f1e") +
                             part("name=\"none\"", "");
  const Gleaned plain = glean_form(
      "subject=Cracked+screen%0D%0A--of+QK-482913&context_id=6f0d1f6e-5a0b-4c52-9f1e&none=", 99,
      "");
  REQUIRE(plain.values.size() > 1);
  REQUIRE(plain.asked.size() == 1);
  const std::string file =
      part("name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain", "BL-991270 of Mira");
  for (size_t step = 1; step < 200; ++step) {
    CAPTURE(step);
    const Gleaned parts = glean_form(fields + "--b--\r\nBL-991270 of Mira", step, "b");
    REQUIRE(parts.values.size() == plain.values.size());
    for (size_t i = 0; i < plain.values.size(); ++i) {
      CHECK(parts.values[i].hash == plain.values[i].hash);
    }
    REQUIRE(parts.asked.size() == 1);
    CHECK(parts.asked[0].arguments == plain.asked[0].arguments);
    const Gleaned more = glean_form("before\r\n" + file + fields + "--b--\r\n", step, "b");
    CHECK(more.values.size() == plain.values.size());
    CHECK(more.asked.empty());
  }
}

TEST_CASE("of a form in parts it is known when nothing more tells, and when a file is in the way") {
  struct Row {
    std::string name;
    std::string form;
    bool file;
    bool over;
  };
  const std::string field = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx 48219\r\n";
  const std::string file =
      "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"q\"\r\n\r\n\1\r\n";
  for (const Row& row : std::vector<Row>{{"a field", field, false, false},
                                         {"a field, whole", field + "--b\r\n", false, false},
                                         {"its end", field + "--b--\r\n", false, true},
                                         {"a file", field + file, true, false},
                                         {"behind a file", file + field, true, false},
                                         {"all of it", file + field + "--b--\r\n", true, true}}) {
    CAPTURE(row.name);
    Forgotten forgotten;
    FormGleaner form(kKey, forgotten, {}, "b");
    for (const char c : row.form) form.feed(std::string_view(&c, 1));
    CHECK(form.met_file() == row.file);
    CHECK(form.over() == row.over);
    CHECK(form.gleaned().asked.size() == (row.over && !row.file ? 1 : 0));
    const size_t count = form.gleaned().values.size();
    form.finish();
    if (row.over) CHECK(form.gleaned().values.size() == count);
  }
}

TEST_CASE("ids that outlive a turn are no evidence, wherever they stand") {
  const std::string id = "6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41";
  for (const std::string name : {"contextId", "context_id", "sessionId", "session_id",
                                 "conversationId", "conversation_id", "threadId", "thread_id"}) {
    CAPTURE(name);
    const std::string member = "{\"" + name + "\":\"" + id + "\"}";
    const std::string number = "{\"" + name + "\":48219377}";
    for (const Voice voice : {Voice::kModelRequest, Voice::kModelAnswer, Voice::kToolRequest,
                              Voice::kToolAnswer, Voice::kGiven}) {
      for (const std::string& told : {member, number}) {
        const Gleaned gleaned = glean(voice, {told, "{\"params\":{\"message\":" + told + "}}",
                                              "{\"arguments\":" + told + "}"});
        CHECK((gleaned.values.empty() && gleaned.asked.empty()));
      }
    }
    const Gleaned said =
        glean(Voice::kModelAnswer, {R"({"arguments":"{\")" + name + R"(\":\")" + id + R"(\"}"})"});
    CHECK((said.values.empty() && said.asked.empty()));
    const Gleaned fetched = url("kb.example", "/v1?" + name + "=" + id, false);
    CHECK(find(fetched, id) == nullptr);
    CHECK(asked("/v1?" + name + "=" + id).asked.empty());
    Forgotten forgotten;
    FormGleaner form(kKey, forgotten);
    form.feed(name + "=" + id + "&x=1");
    form.finish();
    CHECK((form.gleaned().values.empty() && form.gleaned().asked.empty()));
  }
  // Beside others they are a part of what is asked.
  const auto asks = [&](const std::string& context) {
    return glean(Voice::kToolRequest,
                 {R"({"context_id":")" + context + R"(","city":"Lisbon 1999"})"});
  };
  REQUIRE(asks(id).asked.size() == 1);
  CHECK(asks(id).asked[0].arguments != asks("another").asked[0].arguments);
  const Gleaned by_url = asked("/weather?city=Lisbon+1999&context_id=" + id);
  REQUIRE(by_url.asked.size() == 1);
  CHECK(by_url.asked[0].arguments == asks(id).asked[0].arguments);
}

TEST_CASE("a word says the same whoever reads it") {
  constexpr std::string_view kBytes = "aBz059.,:;=@-_/!?~ \xc3\xa9";
  Random random(7);
  size_t telling = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string word;
    const size_t size = random.next() % 24;
    while (word.size() < size) word += kBytes[random.next() % kBytes.size()];
    CAPTURE(word);
    Forgotten forgotten;
    FormGleaner form(kKey, forgotten, {}, "boundary");
    form.feed("--boundary\r\ncontent-disposition: form-data; name=\"x\"\r\n\r\n" + word +
              "\r\n--boundary--");
    TextGleaner text(kKey, forgotten);
    text.feed(std::string_view(word).substr(0, size / 2));
    text.feed(std::string_view(word).substr(size / 2));
    text.finish();
    const Gleaned said = text.take();
    const Gleaned& sent = form.gleaned();
    REQUIRE(said.values.size() == sent.values.size());
    for (size_t value = 0; value < said.values.size(); ++value) {
      CHECK(said.values[value].hash == sent.values[value].hash);
      CHECK(said.values[value].weight == sent.values[value].weight);
    }
    telling += said.values.size();
  }
  CHECK(telling > 10'000);
}

TEST_CASE("what is nested too deep to have a name is told as what others have, too") {
  const std::string id = "6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41";
  for (const std::string& what :
       {"\"" + id + "\"", std::string("48219377"), std::string("48219377.25"),
        R"("{\"name\":\")" + id + R"(\"}")"}) {
    CAPTURE(what);
    const std::string document = R"({"city":"Lisbon 1999","list":[)" +
                                 nested(70, R"({"session_id":)" + what + "}") +
                                 R"(,"SH4c2d82ed2ed0"]})";
    for (const size_t step : {document.size(), size_t{1}, size_t{7}}) {
      CAPTURE(step);
      Forgotten forgotten;
      Gleaner gleaner(kKey, Voice::kToolRequest, false, forgotten);
      gleaner.begin_document();
      sidespan::json::Reader reader(gleaner);
      for (size_t at = 0; at < document.size(); at += step) {
        reader.feed(std::string_view(document).substr(at, step));
      }
      gleaner.end_document();
      CHECK(find(gleaner.gleaned(), id) == nullptr);
      CHECK(find(gleaner.gleaned(), "48219377") == nullptr);
      CHECK(find(gleaner.gleaned(), "SH4c2d82ed2ed0") != nullptr);
      CHECK(forgotten.count > 0);
    }
  }
  // It is a part of what is asked, and weighs nothing there.
  CHECK(
      glean(Voice::kToolRequest, {R"({"a":)" + nested(70, "\"" + id + "\"") + "}"}).asked.empty());
}

TEST_CASE("a URL in a text is the one that is fetched") {
  const Gleaned said = glean(
      Voice::kToolAnswer, {R"({"text":"Read (https://KB.example:443/wiki/Alan_Turing#life)."})"});
  CHECK(shares(said, url("kb.example", "/wiki/Alan_Turing")));
  CHECK_FALSE(shares(said, url("other.example", "/wiki/Alan_Kay")));
  CHECK(url("kb.example", "/v1/search", false).values.empty());
  CHECK(url("kb.example", "/v1/search").values.empty());
  CHECK(shares(glean(Voice::kToolAnswer, {R"({"q":"best laptops, 2024"})"}),
               url("s.example", "/?q=best+laptops%2C+2024")));
}

TEST_CASE("a word on its line is a name, and a URL is one of its own") {
  const Gleaned said = glean(Voice::kModelRequest,
                             {R"({"messages":[{"role":"user","content":)"
                              R"("QK-482913\nhttps://kb.example/manuals/kettle-9f86d081.html\n)"
                              R"(Where is order AK-48219?\n\u8a02\u55ae\u5728\u54ea\u88e1"}]})"});
  const auto extent = [&](std::string_view text) {
    const Value* const value = find(said, text);
    REQUIRE(value != nullptr);
    return value->extent;
  };
  CHECK(extent("QK-482913") == Extent::kName);
  CHECK(extent("kb.example/manuals/kettle-9f86d081.html") == Extent::kUrl);
  CHECK(extent("Where is order AK-48219?") == Extent::kText);
  CHECK(extent("AK-48219") == Extent::kWord);
  CHECK(extent("\u8a02\u55ae\u5728\u54ea\u88e1") == Extent::kText);  // no blanks in this language
}

TEST_CASE("what a model asks a tool for is told from what it says") {
  const std::string task = "Find the ferries to Hydra.";
  const std::string prose = "Let me look for ferries first.";
  const std::string call = R"({"choices":[{"message":{"content":")" + prose +
                           R"(","tool_calls":[{"function":{"arguments":"{\"task\":\")" + task +
                           R"(\"}"}}]}}]})";
  const std::string object = R"({"content":[{"type":"tool_use","input":{"task":")" + task +
                             R"("}},{"type":"text","text":")" + prose + R"("}]})";
  const std::vector<std::string> stream = {
      R"({"index":0,"delta":{"partial_json":"{\"task\":\"Find the fer"}})",
      R"({"index":0,"delta":{"partial_json":"ries to Hydra.\"}"}})",
      R"({"index":1,"delta":{"text":"Let me look for ferries first.\n"}})"};
  for (const auto& [documents, streamed] :
       {std::pair(std::vector{call}, false), std::pair(std::vector{object}, false),
        std::pair(stream, true), std::pair(std::vector{object.substr(0, 60), call}, true)}) {
    CAPTURE(documents.front());
    // One of these breaks off.
    Registry registry(kKey, {});
    const Gleaned gleaned = lineage::glean(registry, Voice::kModelAnswer, documents, streamed);
    REQUIRE(find(gleaned, task) != nullptr);
    REQUIRE(find(gleaned, prose) != nullptr);
    CHECK(find(gleaned, task)->place == Place::kAsked);
    CHECK(find(gleaned, prose)->place == Place::kContent);
  }
}

TEST_CASE("what does not fit is told, and its size is bounded") {
  std::string text = R"({"list":[)";
  for (int i = 0; i < 1000; ++i)
    text +=
        (i > 0 ? "," : "") + std::string("\"entry-") + std::to_string(7'000'000 + i * 7919) + "\"";
  text += "]}";
  Forgotten forgotten;
  Gleaner gleaner(kKey, Voice::kToolAnswer, false, forgotten, {.values_max = 100});
  gleaner.begin_document();
  sidespan::json::Reader reader(gleaner);
  reader.feed(text);
  gleaner.end_document();
  CHECK(gleaner.gleaned().values.size() == 100);
  CHECK(forgotten.count == 900);
}

TEST_CASE("a page says what is in its lines, in whatever pieces it comes") {
  const std::string page =
      "<p>See <a href=\"http://kb.example/manuals/kettle-9f86d081.html\">the manual</a></p>\n"
      "The shipment SH4c2d82ed2ed0 left Leipzig.\n";
  for (const size_t step : {page.size(), size_t{1}, size_t{7}}) {
    CAPTURE(step);
    Forgotten forgotten;
    TextGleaner gleaner(kKey, forgotten);
    Gleaned gleaned;
    for (size_t at = 0; at < page.size(); at += step) {
      gleaner.feed(std::string_view(page).substr(at, step));
      for (const Value& value : gleaner.take().values) gleaned.values.push_back(value);
    }
    gleaner.finish();
    for (const Value& value : gleaner.take().values) gleaned.values.push_back(value);
    const Value* const shipment = find(gleaned, "SH4c2d82ed2ed0");
    REQUIRE(shipment != nullptr);
    CHECK(shipment->place == Place::kContent);
    CHECK(find(gleaned, "kb.example/manuals/kettle-9f86d081.html") != nullptr);
    CHECK(find(gleaned, "See") == nullptr);
  }
}
