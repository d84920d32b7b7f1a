#include "lineage/pending_calls.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "glean.h"
#include "sidespan/lineage/registry.h"

using namespace sidespan;
using namespace sidespan::lineage;
using std::chrono::seconds;

namespace {

constexpr auto kNone = Joined::Verdict::kNone;
constexpr auto kOne = Joined::Verdict::kOne;
constexpr auto kSeveral = Joined::Verdict::kSeveral;

// Agents that ask a model and call tools by what it wants.
struct Rig {
  explicit Rig(const RegistryOptions& given = {}) : options(given) {}

  Joined ask(const std::string& question, const std::string& more = "") {
    const std::string said = R"({"messages":[{"role":"user","content":")" + question + "\"}" + more;
    const Gleaned body = glean(registry, Voice::kModelRequest, {said + "]}"});
    return registry.join({.to_model = true, .body = &body, .span = trace::SpanId::make(random)},
                         now, random);
  }
  void answer(const Joined& call, const std::vector<std::string>& documents,
              bool streamed = false) {
    registry.publish(call.execution, Voice::kModelAnswer, call.step,
                     glean(registry, Voice::kModelAnswer, documents, streamed), now.mono);
    registry.call_ended(call.execution, call.step, CallEnd::kAsked, now.mono);
  }
  Joined send(const std::string& path, const Gleaned* body = nullptr, Scope scope = {}) {
    const bool alone = body == nullptr;
    Gleaned head;
    glean_target(registry.key(),
                 {.host = "api.example", .path = path, .fetches = alone, .alone = alone}, head);
    const Call call{.scope = scope,
                    .head = &head,
                    .body = body,
                    .path = path,
                    .span = trace::SpanId::make(random)};
    const Joined out = registry.join(call, now, random);
    registry.call_ended(out.execution, out.step, CallEnd::kOther, now.mono);
    return out;
  }
  Joined get(const std::string& path, Scope scope = {}) { return send(path, nullptr, scope); }
  Joined post(const std::string& path, const std::string& document) {
    const Gleaned body = glean(registry, Voice::kToolRequest, {document});
    return send(path, &body);
  }

  const RegistryOptions options;
  HashKey key = {1, 2};
  Registry registry{key, options};
  Random random{7};
  Moment now{MonoTime(seconds(5000)), WallTime(seconds(1'800'000'000))};
};

std::string wish(const std::string& id, const std::string& tool, const std::string& arguments) {
  return R"({"role":"assistant","tool_calls":[{"id":")" + id + R"(","function":{"name":")" + tool +
         R"(","arguments":")" + arguments + R"("}}]})";
}
std::string wants(const std::string& id, const std::string& tool, const std::string& arguments) {
  return R"({"choices":[{"message":)" + wish(id, tool, arguments) + "}]}";
}
std::string result(const std::string& id) {
  return R"({"role":"tool","tool_call_id":")" + id + R"(","content":"-"})";
}

const std::string kEuros = R"({\"base\":\"EUR-USD-CHF\"})";
const std::string kMe = "call_aaaa1111bbbb2222";
const std::string kYou = "call_cccc3333dddd4444";

}  // namespace

TEST_CASE("the only one whose model wants it makes the call, however little it says") {
  Rig rig;
  const Joined me = rig.ask("What is it in dollars?");
  const Joined you = rig.ask("What is the weather like?");
  rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
  const Joined call = rig.get("/v2/rates?base=EUR-USD-CHF");
  CHECK(call.verdict == kOne);
  CHECK(call.source == Source::kEcho);
  CHECK(call.execution == me.execution);
  REQUIRE(call.links.size() == 1);  // the model's call
  // It has come, and who asks for the same again may be somebody else.
  const Joined again = rig.get("/v2/rates?base=EUR-USD-CHF");
  CHECK(again.verdict == kSeveral);
  CHECK(again.links.size() == 1);

  rig.answer(you, {wants(kYou, "get_rate", kEuros)});
  const Joined either = rig.get("/v2/rates?base=EUR-USD-CHF");
  CHECK(either.verdict == kSeveral);
  CHECK(either.links.size() == 2);
  CHECK_FALSE(either.execution);

  // The one has gone on, and waits no more.
  rig.answer(rig.ask("What is it in dollars?",
                     "," + wish(kMe, "exchange_rates", kEuros) + "," + result(kMe)),
             {R"({"choices":[{"message":{"content":"More."}}]})"});
  CHECK(rig.get("/v2/rates?base=EUR-USD-CHF").execution == you.execution);
}

TEST_CASE("what is asked for by others, or by another name, is no evidence") {
  Rig rig;
  const Joined me = rig.ask("What is it in dollars?");
  SUBCASE("a program asked for the same before, by itself") {
    CHECK(rig.get("/rates?base=EUR-USD-CHF").verdict == kNone);
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    const Joined call = rig.get("/rates?base=EUR-USD-CHF");
    CHECK_FALSE(call.execution);
    CHECK(call.links.size() == 1);
  }
  SUBCASE("the model of somebody unknown wants it, too") {
    rig.registry.publish(
        {}, Voice::kModelAnswer, 0,
        glean(rig.registry, Voice::kModelAnswer, {wants(kYou, "exchange_rates", kEuros)}),
        rig.now.mono);
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    CHECK_FALSE(rig.get("/rates?base=EUR-USD-CHF").execution);
  }
  SUBCASE("another tool") {
    rig.answer(me, {wants(kMe, "set_currency", kEuros)});
    CHECK(rig.get("/rates?base=EUR-USD-CHF").verdict == kNone);
  }
  SUBCASE("a program asked for the same, and that is forgotten for want of room") {
    Rig small({.values_max = 256});
    small.get("/rates?base=EUR-USD-CHF");
    for (int i = 0; i < 2000; ++i) small.get("/rates?base=EUR-USD-CHF-" + std::to_string(i));
    const Joined you = small.ask("What is it in dollars?");
    small.answer(you, {wants(kMe, "exchange_rates", kEuros)});
    CHECK_FALSE(small.get("/rates?base=EUR-USD-CHF").execution);
  }
  SUBCASE("a program asked for the same among more than is kept of one request") {
    std::string batch = "[";
    const auto part = [](const std::string& base) {
      return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"exchange_rates","arguments":{"base":")" +
             base + R"("}}})";
    };
    for (int i = 0; i < 256; ++i) batch += part("EUR-USD-CHF-" + std::to_string(i)) + ",";
    rig.post("/mcp", batch + part("EUR-USD-CHF") + "]");
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    CHECK_FALSE(rig.get("/rates?base=EUR-USD-CHF").execution);
  }
  SUBCASE("of a turn with so many calls that nobody keeps count of them") {
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    const std::string question = "What is it in dollars?";
    const std::string more = "," + wish(kMe, "exchange_rates", kEuros) + "," + result(kMe) +
                             R"(,{"role":"user","content":"More?"})";
    for (int i = 0; i < 300; ++i) {
      const Joined next = rig.ask(question, more);
      REQUIRE(next.execution == me.execution);
      rig.registry.call_ended(next.execution, next.step, CallEnd::kAsked, rig.now.mono);
    }
    const Joined call = rig.get("/rates?base=EUR-USD-CHF");
    CHECK_FALSE(call.execution);
    CHECK(call.links.size() == 1);
  }
  SUBCASE("more than was wanted, or less") {
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    CHECK(rig.get("/rates?base=EUR-USD-CHF&day=today").verdict == kNone);
    CHECK(rig.get("/rates").verdict == kNone);
  }
  SUBCASE("in another scope") {
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    CHECK_FALSE(rig.get("/rates?base=EUR-USD-CHF", {.id = 5}).execution);
  }
  SUBCASE("something went by unread") {
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    rig.registry.lose_sight(rig.now.mono);
    CHECK_FALSE(rig.get("/rates?base=EUR-USD-CHF").execution);
  }
  SUBCASE("the turn is over") {
    rig.answer(me, {wants(kMe, "exchange_rates", kEuros)});
    rig.now.mono += seconds(121);
    CHECK_FALSE(rig.get("/rates?base=EUR-USD-CHF").execution);
  }
}

TEST_CASE("who was told of it by a tool may make the call before his model wants it") {
  Rig rig;
  const Joined me = rig.ask("Read the first page for me.");
  const Joined you = rig.ask("Find something on parcels.");
  const std::string page = R"({"pages":["https://kb.example/docs/getting-started"]})";
  for (const Joined* one : {&me, &you}) {
    rig.registry.publish(one->execution, Voice::kToolAnswer, 2,
                         glean(rig.registry, Voice::kToolAnswer, {page}), rig.now.mono);
  }
  rig.answer(me, {wants(kMe, "read_docs", R"({\"slug\":\"getting-started\"})")});
  const Joined call = rig.get("/docs/getting-started");
  CHECK_FALSE(call.execution);
}

TEST_CASE("a tool's name is found beside its arguments, in every API's way") {
  struct Row {
    const char* what;
    std::vector<std::string> documents;
    bool streamed;
  };
  const std::vector<Row> rows = {
      {"Chat", {wants(kMe, "find_customer", R"({\"name\":\"AnaMiller\"})")}, false},
      {"Chat, streamed",
       {R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_aaaa1111bbbb2222","function":{"name":"find_customer","arguments":""}}]}}]})",
        R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"name\":"}}]}}]})",
        R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"\"AnaMiller\"}"}}]}}]})"},
       true},
      {"Responses, the name behind",
       {R"({"output":[{"type":"function_call","arguments":"{\"name\":\"AnaMiller\"}","name":"find_customer"}]})"},
       false},
      {"Responses, streamed",
       {R"({"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","arguments":"","name":"find_customer"}})",
        R"({"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"name\":"})",
        R"({"type":"response.function_call_arguments.done","output_index":2,"arguments":"{\"name\":\"AnaMiller\"}"})"},
       true},
      {"Messages",
       {R"({"content":[{"type":"tool_use","name":"find_customer","input":{"name":"AnaMiller"}}]})"},
       false},
      {"Messages, streamed",
       {R"({"type":"content_block_start","index":3,"content_block":{"type":"tool_use","name":"find_customer","input":{}}})",
        R"({"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"name\": \"A"}})",
        R"({"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"naMiller\"}"}})"},
       true},
      {"Gemini",
       {R"({"candidates":[{"content":{"parts":[{"functionCall":{"name":"find_customer","args":{"name":"AnaMiller"}}}]}}]})"},
       true},
      {"Bedrock, streamed",
       {R"({"start":{"toolUse":{"toolUseId":"tooluse_1","name":"find_customer"}},"contentBlockIndex":1})",
        R"({"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"name\":\"AnaMiller\"}"}}})"},
       true}};
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    const auto makes = [&](const auto& send) {
      Rig rig;
      const Joined me = rig.ask("Who is AnaMiller?");
      rig.answer(me, row.documents, row.streamed);
      return send(rig).execution == me.execution;
    };
    const std::string mcp =
        R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"find_customer","arguments":{"name":"AnaMiller"}}})";
    CHECK(makes([&](Rig& rig) { return rig.post("/mcp", mcp); }));
    CHECK(makes([](Rig& rig) { return rig.post("/customers", R"({"name":"AnaMiller"})"); }));
    CHECK(makes([](Rig& rig) { return rig.get("/customer/AnaMiller"); }));
    CHECK_FALSE(makes([](Rig& rig) { return rig.post("/orders", R"({"name":"AnaMiller"})"); }));
  }
}

TEST_CASE("names resemble each other by their words") {
  const HashKey key{3, 4};
  const auto words = [&](std::string_view text) {
    ToolName name{};
    add_words(key, text, name);
    return name;
  };
  CHECK(resemble(words("/v1/orders/"), words("order_lookup")));
  CHECK(resemble(words("getQueries"), words("query")));
  CHECK_FALSE(resemble(words("getOrder"), words("gettogether")));
  CHECK_FALSE(resemble(words("/v1/a/12"), words("v1_a_12")));
  CHECK_FALSE(resemble(words(""), words("")));
}

TEST_CASE("pending calls have their room, and who finds none is told so") {
  ExecutionTable executions(1024, {});
  PendingCalls pending(1, executions);
  const Moment now{MonoTime(seconds(50)), WallTime(seconds(50))};
  const auto open = [&] {
    const ExecutionRef turn = executions.open({}, now, 5);
    executions.enter(turn, {trace::SpanId{1}, true, false, {}}, now.mono);
    return turn;
  };
  std::vector<ExecutionRef> turns;
  for (size_t i = 0; i < PendingCalls::kWays; ++i) turns.push_back(open());
  for (const ExecutionRef turn : turns) {
    CHECK(pending.add(9, {turn, 1}, now.mono));
    CHECK(pending.add(9, {turn, 1}, now.mono));  // the same
  }
  CHECK(pending.find(9).count == PendingCalls::kWays);
  const ExecutionRef late = open();
  CHECK_FALSE(pending.add(9, {late, 1}, now.mono));
  executions.enter(turns[3], {trace::SpanId{2}, true, true, uint8_t{1}}, now.mono);
  CHECK(executions.waits(turns[3], 1, now.mono) == Waiting::kNo);
  CHECK(pending.add(9, {late, 1}, now.mono));
  for (size_t i = 0; i < 40; ++i) {
    executions.enter(turns[3], {trace::SpanId{3}, false, false, {}}, now.mono);
    executions.enter(late, {trace::SpanId{3}, false, false, {}}, now.mono);
  }
  CHECK(executions.waits(turns[3], 1, now.mono) == Waiting::kNo);
  CHECK(executions.waits(late, 1, now.mono) == Waiting::kYes);
}

TEST_CASE("a pending call is one request's, whichever of two workers asks first") {
  ExecutionTable executions(1024, {});
  PendingCalls pending(16'384, executions);
  const Moment now{MonoTime(seconds(50)), WallTime(seconds(50))};
  std::vector<ExecutionRef> turns;
  for (uint64_t i = 0; i < 1000; ++i) {
    turns.push_back(executions.open({}, now, i));
    executions.enter(turns.back(), {trace::SpanId{1}, true, false, {}}, now.mono);
    REQUIRE(pending.add(i << 52 | i, {turns.back(), 1}, now.mono));
  }
  const auto take_all = [&](size_t& taken) {
    for (uint64_t i = 0; i < turns.size(); ++i)
      taken += pending.take(i << 52 | i, turns[i]) ? 1 : 0;
  };
  size_t mine = 0;
  size_t yours = 0;
  std::thread other([&] { take_all(yours); });
  take_all(mine);
  other.join();
  CHECK(mine + yours == turns.size());
  CHECK_FALSE(pending.take(7, turns[0]));
  CHECK_FALSE(pending.take(7, {}));
}
