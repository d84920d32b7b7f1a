#include "sidespan/lineage/registry.h"

#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "glean.h"

using namespace sidespan;
using namespace sidespan::lineage;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Target fetched(std::string_view path, bool alone = false) {
  return {.host = "api.example", .path = path, .fetches = true, .alone = alone};
}

struct Rig {
  explicit Rig(const RegistryOptions& options = {}) : registry({1, 2}, options) {}

  Gleaned glean(Voice voice, const std::string& document) {
    return lineage::glean(registry, voice, {document});
  }
  Joined model(const std::string& messages, Scope scope = {}, uint64_t session = 0,
               bool again = false, trace::TraceId trace = {}) {
    const Gleaned body = glean(Voice::kModelRequest, R"({"messages":[)" + messages + "]}");
    return registry.join({.to_model = true,
                          .scope = scope,
                          .session = session,
                          .body = &body,
                          .span = trace::SpanId::make(random),
                          .trace = trace,
                          .retries = again},
                         now, random);
  }
  Joined get(const std::string& path, Scope scope = {}, uint64_t session = 0) {
    return send(fetched(path), scope, session);
  }
  Joined get_page() { return send(fetched("/docs/near-17381162f3", true), {}, 0); }
  Joined send(const Target& target, Scope scope, uint64_t session) {
    Gleaned head;
    glean_target(registry.key(), target, head);
    return registry.join(
        {.scope = scope, .session = session, .head = &head, .span = trace::SpanId::make(random)},
        now, random);
  }
  void said(const Joined& call, const std::string& document, CallEnd end = CallEnd::kAsked) {
    registry.publish(call.execution, Voice::kModelAnswer, call.step,
                     glean(Voice::kModelAnswer, document), now.mono);
    registry.call_ended(call.execution, call.step, end, now.mono);
  }
  void told(const Joined& call, const std::string& document) {
    registry.publish(call.execution, Voice::kToolAnswer, call.step,
                     glean(Voice::kToolAnswer, document), now.mono);
    registry.call_ended(call.execution, call.step, CallEnd::kOther, now.mono);
  }
  void wait(Nanoseconds time) {
    now.mono += time;
    now.wall += time;
  }

  Registry registry;
  Random random{7};
  Moment now{MonoTime(seconds(5000)), WallTime(seconds(1'800'000'000))};
};

std::string user(const std::string& text) {
  return R"({"role":"user","content":")" + text + "\"}";
}
std::string calls(const std::string& id, const std::string& argument) {
  return R"({"role":"assistant","tool_calls":[{"id":")" + id +
         R"(","function":{"name":"f","arguments":"{\"a\":\")" + argument + R"(\"}"}}]})";
}
std::string asks(const std::string& id, const std::string& argument) {
  return R"({"choices":[{"message":)" + calls(id, argument) + "}]}";
}

const std::string kQuestion = "Where is order AK-48219 of Mira?";
const std::string kId = "call_9fA3bC77dE01xY";
const std::string kPage = "http://api.example/docs/near-17381162f3";
const std::string kTellsPage = R"({"pages":[")" + kPage + "\"]}";
constexpr auto kOne = Joined::Verdict::kOne;
constexpr auto kSeveral = Joined::Verdict::kSeveral;
constexpr auto kNone = Joined::Verdict::kNone;

// What malloc() has given away by now; nothing where nobody tells, as under a sanitizer.
std::optional<size_t> allocated() {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return std::nullopt;
#endif
}

}  // namespace

TEST_CASE("a turn: the question, a tool, the answer") {
  Rig rig;
  const Joined first = rig.model(user(kQuestion));
  CHECK(first.verdict == kNone);
  CHECK(first.opened);
  CHECK(first.step == 1);
  rig.said(first, asks(kId, "AK-48219"));
  const Joined tool = rig.get("/orders/AK-48219");
  CHECK(tool.verdict == kOne);
  CHECK(tool.source == Source::kEcho);
  CHECK(tool.parent == first.parent);
  CHECK(tool.step == 2);
  REQUIRE(tool.links.size() == 1);  // the call that asked for it
  CHECK(tool.links[0].trace_id == first.parent.trace_id);
  CHECK(tool.links[0].span_id != first.parent.span_id);
  rig.told(tool, R"({"state":"shipped"})");
  rig.wait(seconds(5));
  const Joined second = rig.model(user(kQuestion) + "," + calls(kId, "AK-48219"));
  CHECK(second.source == Source::kId);
  CHECK(second.execution == first.execution);
  CHECK_FALSE(second.opened);
  rig.said(second, R"({"choices":[{"message":{"content":"It is shipped."}}]})", CallEnd::kAnswered);
  CHECK(close_due(rig.registry, rig.now.mono).empty());
  rig.wait(seconds(2));
  const std::vector<ClosedTurn> closed = close_due(rig.registry, rig.now.mono);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].span == first.parent);
  CHECK(closed[0].duration == seconds(5));
  CHECK(closed[0].calls == 3);
  CHECK_FALSE(closed[0].parent_id);
}

TEST_CASE("the task that an agent was given by another is whose it is") {
  Rig rig;
  const std::string task = "5c1e0c84-8f21-4d07-b0a6-2f9d3c7718ea";
  const Joined ada = rig.model(user(kQuestion));
  const Joined bob = rig.model(user("What of BL-70911?"));
  rig.said(ada, asks(kId, "AK-48219"));
  const Joined sent = rig.get("/orders/AK-48219");
  REQUIRE(sent.execution == ada.execution);
  rig.told(sent, R"({"jsonrpc":"2.0","id":1,"result":{"kind":"task","id":")" + task +
                     R"(","contextId":"c-1","status":{"state":"working"}}})");
  rig.said(bob, asks("call_77", "BL-70911"));
  for (const std::string& params :
       {R"({"id":")" + task + "\"}", R"({"message":{"taskId":")" + task + "\"}}"}) {
    const Gleaned body =
        rig.glean(Voice::kToolRequest, R"({"jsonrpc":"2.0","params":)" + params + "}");
    const Joined again = rig.registry.join({.body = &body, .span = trace::SpanId::make(rig.random)},
                                           rig.now, rig.random);
    CHECK(again.execution == ada.execution);
    CHECK(again.source == Source::kId);
  }
}

TEST_CASE("who asks the same is somebody else") {
  Rig rig;
  const Joined one = rig.model(user(kQuestion));
  rig.said(one, asks("call_aaaa1111bbbb2222", "AK-48219"));
  const Joined other = rig.model(user(kQuestion));
  CHECK(other.opened);
  CHECK(other.execution != one.execution);
  const Joined tool = rig.get("/orders/AK-48219");
  CHECK(tool.verdict == kSeveral);
  CHECK_FALSE(tool.execution);
  CHECK(tool.links.size() == 2);
  rig.said(other, asks("call_cccc3333dddd4444", "AK-48219"));
  CHECK(rig.get("/orders/AK-48219").verdict == kSeveral);
  // Ids were given to one alone.
  CHECK(rig.model(user(kQuestion) + "," + calls("call_aaaa1111bbbb2222", "AK-48219")).execution ==
        one.execution);
  CHECK(rig.model(user(kQuestion) + "," + calls("call_cccc3333dddd4444", "AK-48219")).execution ==
        other.execution);
}

TEST_CASE("an id that everybody sends is none") {
  Rig rig;
  const std::string example = user("Weather?") + "," + calls(kId, "Lisbon");
  const Joined one = rig.model(example + "," + user("Where is order AK-48219?"));
  const Joined other = rig.model(example + "," + user("What does BL-99127 cost?"));
  CHECK(other.opened);
  CHECK(other.execution != one.execution);
  rig.said(one, asks("call_0", "x"));
  CHECK(rig.model(user("Another one asks 778123") + "," + calls("call_0", "x")).opened);
}

TEST_CASE("a value of a call that is nobody's is nobody's evidence") {
  Rig rig;
  const Joined job = rig.get("/jobs/list");
  rig.told(job, R"({"orders":["AK-48219"]})");
  const Joined turn = rig.model(user(kQuestion));
  rig.said(turn, asks(kId, "AK-48219"));
  CHECK(rig.get("/orders/AK-48219").verdict != kOne);
}

// What asks for a page.
std::string fetches(const std::string& id, const std::string& tool, const std::string& url) {
  return R"({"choices":[{"message":{"role":"assistant","tool_calls":[{"id":")" + id +
         R"(","function":{"name":")" + tool + R"(","arguments":"{\"url\":\")" + url +
         R"(\"}"}}]}}]})";
}

TEST_CASE("who is the first to say what one call was told is taken for who made that call") {
  const std::string pages = R"({"pages":[")" + kPage + R"(","http://api.example/docs/near-5"]})";
  struct Row {
    const char* name;
    int told = 1;                        // calls that are nobody's, before the model is asked
    int told_a_part = 0;                 // of the address alone
    bool told_behind = false;            // once more
    bool sent = false;                   // by a call that is nobody's
    bool said = false;                   // to a model, by nobody
    Nanoseconds later = Nanoseconds(0);  // the model is asked
    std::string tool = "fetch_page";
    bool wanted = false;
  };
  for (const Row& row :
       {Row{.name = "told once", .wanted = true}, Row{.name = "told twice", .told = 2},
        Row{.name = "told again", .told_behind = true},
        Row{.name = "a part of it is told to another", .told_a_part = 1},
        Row{.name = "sent, too", .sent = true},
        Row{.name = "said to a model by somebody else", .said = true},
        Row{.name = "half a minute before", .later = seconds(31)},
        Row{.name = "a tool that keeps it", .tool = "save_bookmark"}}) {
    CAPTURE(row.name);
    Rig rig;
    const auto publish = [&](Voice voice, const std::string& document) {
      rig.registry.publish({}, voice, 0, rig.glean(voice, document), rig.now.mono);
    };
    for (int i = 0; i < row.told; ++i) publish(Voice::kToolAnswer, pages);
    for (int i = 0; i < row.told_a_part; ++i) {
      publish(Voice::kToolAnswer, R"({"page":"near-17381162f3"})");
    }
    if (row.sent) publish(Voice::kToolRequest, R"({"url":")" + kPage + "\"}");
    if (row.said) {
      publish(Voice::kModelRequest, R"({"messages":[)" + user("See " + kPage + " there.") + "]}");
    }
    rig.wait(row.later);
    const Joined turn =
        rig.model(user("Mira asks for help. This may help: " + kPage + " it says."));
    if (row.told_behind) publish(Voice::kToolAnswer, pages);
    rig.said(turn, fetches(kId, row.tool, kPage));
    const Joined fetch = rig.get_page();
    CHECK((fetch.verdict == kOne) == row.wanted);
    if (row.wanted) CHECK(fetch.execution == turn.execution);
  }
}

TEST_CASE("what one passes on is no other's, though his model asks for it") {
  for (const bool over : {false, true}) {
    CAPTURE(over);
    Rig rig;
    rig.told(rig.get("/nearest/1"), kTellsPage);
    const Joined ada = rig.model(user("Mira asks for help. This may help: " + kPage + " it says."));
    if (over) {
      rig.said(ada, R"({"choices":[{"message":{"content":"It helps."}}]})", CallEnd::kAnswered);
      rig.wait(seconds(3));
    }
    const Joined bob = rig.model(user("Read " + kPage + " for me."));
    rig.said(bob, fetches("call_77", "fetch_page", kPage));
    // It may be a page that the other's program reads unasked.
    CHECK(rig.get_page().verdict == kSeveral);
  }
}

TEST_CASE("who says later what one was told may be that one") {
  for (const bool named : {true, false}) {
    CAPTURE(named);
    Rig rig;
    rig.told(rig.get("/nearest/1"), kTellsPage);
    const Joined ada = rig.model(user("Mira asks for help. Read " + kPage + " for her."));
    const std::string bob = user("Tom asks for help. This may help: " + kPage + " it says.");
    if (named) {
      rig.model(bob);
    } else {
      rig.registry.publish({}, Voice::kModelRequest, 0,
                           rig.glean(Voice::kModelRequest, R"({"messages":[)" + bob + "]}"),
                           rig.now.mono);
    }
    rig.said(ada, fetches(kId, "fetch_page", kPage));
    CHECK(rig.get_page().verdict == kSeveral);
  }
}

TEST_CASE("a tool that may do anything with a URL may fetch it") {
  for (const char* const tool : {"summarize", "fetch_page"}) {
    CAPTURE(tool);
    Rig rig;
    const Joined ada = rig.model(user("Mira asks for help with " + kPage + " of ours."));
    const Joined bob = rig.model(user("Read " + kPage + " for me."));
    rig.said(ada, fetches(kId, tool, kPage));
    rig.said(bob, fetches("call_77", "fetch_page", kPage));
    CHECK(rig.get_page().verdict == kSeveral);
  }
}

TEST_CASE("what nobody's call told of late is neither told nor weighed until something is said") {
  for (const bool told : {false, true}) {
    CAPTURE(told);
    Rig rig;
    Gleaned head;
    glean_target(rig.registry.key(), fetched("/orders/AK-48219"), head);
    uint64_t unheard_at = 0;
    const auto send = [&] {
      Joined out = rig.registry.join({.head = &head,
                                      .head_is_told = told,
                                      .unheard_at = unheard_at,
                                      .span = trace::SpanId::make(rig.random)},
                                     rig.now, rig.random);
      unheard_at = out.unheard_at;
      return out;
    };
    CHECK(send().verdict == kNone);
    const uint64_t age = unheard_at;
    CHECK(age != 0);
    CHECK(send().verdict == kNone);
    CHECK(unheard_at == age);
    const Joined turn = rig.model(user(kQuestion));
    rig.said(turn, asks(kId, "AK-48219"));
    // Had it been told, others would have sent it, too.
    CHECK((send().verdict == kOne) == told);
    CHECK(unheard_at == 0);
    // Whose it is, is told.
    const Joined other = rig.model(user("And what of AK-48219 for Tom?"));
    rig.said(other, asks("call_77", "AK-48219"));
    CHECK(send().verdict == kSeveral);
  }
}

TEST_CASE("a constant of an agent's is no evidence") {
  Rig rig;
  const Joined turn =
      rig.model(R"({"role":"system","content":"Ask https://api.example/status/eu-west-77"},)" +
                user(kQuestion));
  rig.said(turn, asks(kId, "https://api.example/status/eu-west-77"));
  CHECK(rig.get("/status/eu-west-77").verdict == kNone);
}

TEST_CASE("a conversation goes on without ids where it alone began so") {
  Rig rig;
  const std::string answer = R"({"role":"assistant","content":"ok"})";
  const Joined one = rig.model(user(kQuestion));
  rig.said(one, R"({"choices":[{"message":{"content":"ok"}}]})");
  CHECK(rig.model(user(kQuestion) + "," + answer + "," + user("go on")).execution == one.execution);
  const Joined other = rig.model(user(kQuestion));
  CHECK(other.opened);
  CHECK(rig.model(user(kQuestion) + "," + answer + "," + user("no, go back")).opened);
}

TEST_CASE("the next question of a conversation is a turn of its own, linked to the one before") {
  Rig rig;
  const Joined one = rig.model(user(kQuestion));
  rig.said(one, R"({"choices":[{"message":{"content":"It will come on Monday, Mira."}}]})",
           CallEnd::kAnswered);
  rig.wait(seconds(3));
  const Joined next = rig.model(
      user(kQuestion) + R"(,{"role":"assistant","content":"It will come on Monday, Mira."},)" +
      user("And the invoice?"));
  CHECK(next.opened);
  CHECK(next.parent.trace_id != one.parent.trace_id);
  const std::vector<ClosedTurn> closed = rig.registry.close_all(rig.now.mono);
  REQUIRE(closed.size() == 2);
  const ClosedTurn& later = closed[0].span == next.parent ? closed[0] : closed[1];
  REQUIRE(later.links.size() == 1);
  CHECK(later.links[0] == one.parent);
}

TEST_CASE("a retry that says so stays in its turn, one that does not is somebody's") {
  Rig rig;
  const Joined one = rig.model(user(kQuestion));
  rig.said(one, R"({"error":{"message":"busy"}})", CallEnd::kFailed);
  const Joined again = rig.model(user(kQuestion), {}, 0, true);
  CHECK(again.execution == one.execution);
  CHECK(again.links.size() == 1);
  CHECK(rig.model(user(kQuestion)).opened);
  CHECK(rig.model(user(kQuestion), {}, 0, true).opened);  // by now two asked so
}

TEST_CASE("after so many calls that their steps are not told apart none is linked to another") {
  Rig rig;
  const Joined one = rig.model(user(kQuestion));
  rig.said(one, asks("call_aaaa1111bbbb2222", "AK-48219"));
  size_t linked = 0;
  for (int i = 2; i < 600; ++i) {
    const Joined call = rig.get("/orders/AK-48219");
    REQUIRE(call.execution == one.execution);
    linked += call.links.size();
    rig.told(call, "{}");
  }
  CHECK(linked == 15);  // as long as it is one of the latest
}

TEST_CASE("turns of a run are in its trace until that is full, and others' are none of its calls") {
  RegistryOptions options;
  options.turns.trace_spans_max = 4;
  Rig rig(options);
  const Scope run{77, {trace::TraceId::make(rig.random), trace::SpanId::make(rig.random), 1}};
  const Joined one = rig.model(user(kQuestion), run);
  CHECK(one.parent.trace_id == run.span.trace_id);
  rig.said(one, asks(kId, "AK-48219"));
  CHECK(rig.get("/orders/AK-48219").verdict == kNone);
  CHECK(rig.get("/orders/AK-48219", {78, {}}).verdict == kNone);
  CHECK(rig.model(user("What of BL-70911?"), run).parent.trace_id == run.span.trace_id);
  const Joined third = rig.model(user("What of CL-81127?"), run);
  CHECK(third.parent.trace_id != run.span.trace_id);
  for (const ClosedTurn& turn : rig.registry.close_all(rig.now.mono)) {
    const bool own = turn.span == third.parent;
    CHECK(turn.links.size() == (own ? 2 : 0));
    CHECK(turn.parent_id == (own ? trace::SpanId{} : run.span.span_id));
  }
}

TEST_CASE("turns of a run leave its trace once that is a quarter of an hour old") {
  Rig rig;
  const Scope run{77, {trace::TraceId::make(rig.random), trace::SpanId::make(rig.random), 1}};
  const auto turn = [&] {
    const Joined call = rig.model(user(kQuestion), run);
    CHECK(call.opened);
    rig.registry.close_all(rig.now.mono);
    return call.parent.trace_id;
  };
  CHECK(turn() == run.span.trace_id);
  rig.wait(std::chrono::minutes(14));
  CHECK(turn() == run.span.trace_id);
  rig.wait(std::chrono::minutes(2));
  CHECK(turn() != run.span.trace_id);
}

TEST_CASE("where agents name their traces a call is tied to what asked for it in its own") {
  Rig rig;
  struct Within : Rig {
    explicit Within(Registry& traces) : traces_(traces) {}
    Joined join(Call call, uint64_t trace) {
      call.scope = {.id = trace};
      call.trace = {0, trace};
      call.span = trace::SpanId::make(random);
      spans.push_back(call.span);
      return traces_.join(call, now, random);
    }
    Joined model(uint64_t trace, const std::string& messages, bool again = false) {
      const Gleaned body = glean(Voice::kModelRequest, R"({"messages":[)" + messages + "]}");
      return join({.to_model = true, .body = &body, .retries = again}, trace);
    }
    Joined get(uint64_t trace, const std::string& path) {
      Gleaned head;
      glean_target(traces_.key(), fetched(path, true), head);
      return join({.head = &head}, trace);
    }
    void said(const Joined& call, const std::string& document, CallEnd end = CallEnd::kAsked) {
      traces_.publish(call.execution, Voice::kModelAnswer, call.step,
                      glean(Voice::kModelAnswer, document), now.mono);
      traces_.call_ended(call.execution, call.step, end, now.mono);
    }
    Registry& traces_;
    std::vector<trace::SpanId> spans;
  } in(rig.registry.traces());

  const Joined one = in.model(3, user(kQuestion));
  const Joined other = in.model(5, user(kQuestion));
  CHECK(rig.registry.idle());
  CHECK_FALSE(rig.registry.traces().idle(3));
  CHECK(rig.registry.traces().idle(7));
  in.said(one, asks("call_aaaa1111bbbb2222", "AK-48219"));
  in.said(other, asks("call_cccc3333dddd4444", "AK-48219"));
  CHECK(in.get(3, "/orders/AK-48219").links == std::vector{SpanRef{{0, 3}, in.spans[0], 0}});
  CHECK(in.get(5, "/orders/AK-48219").links == std::vector{SpanRef{{0, 5}, in.spans[1], 0}});
  // Elsewhere nobody asked for it, nor does anybody who names no trace.
  CHECK(in.get(7, "/orders/AK-48219").verdict == kNone);
  CHECK(rig.get("/orders/AK-48219").verdict == kNone);

  SUBCASE("what two asked for there is nobody's") {
    const Joined third = in.model(3, user("Who is he?"));
    in.said(third, asks("call_eeee5555ffff6666", "AK-48219"));
    CHECK(in.get(3, "/orders/AK-48219").verdict != kOne);
  }
  SUBCASE("an attempt is tied to the one before") {
    const Joined first = in.model(9, user("What of BL-70911?"));
    in.said(first, R"({"error":{"message":"busy"}})", CallEnd::kFailed);
    const SpanRef before{{0, 9}, in.spans.back(), 0};
    CHECK(in.model(9, user("What of BL-70911?"), true).links == std::vector{before});
    CHECK(in.model(9, user("What of BL-70911?")).links.empty());
  }
  SUBCASE("a model is asked by nobody") {
    const Joined next =
        in.model(3, user(kQuestion) + "," + calls("call_aaaa1111bbbb2222", "AK-48219"));
    CHECK(next.execution == one.execution);
    CHECK(next.links.empty());
  }
  SUBCASE("what was not kept is nobody's") {
    const Joined third = in.model(9, user("What of it?"));
    Gleaned head;
    glean_target(rig.registry.key(), fetched("/orders/CM-66123"), head);
    for (const Value& value : head.values) rig.registry.forget(value.hash);
    in.said(third, asks(kId, "CM-66123"));
    CHECK(in.get(9, "/orders/CM-66123/state").verdict != kOne);
  }
  // Nothing of it is a turn.
  CHECK(rig.registry.close_all(in.now.mono).empty());
  CHECK(rig.registry.traces().idle());
}

TEST_CASE("what failed in a trace is the attempt before the next that is the same, once") {
  Rig rig;
  Registry& traces = rig.registry.traces();
  const auto call = [](uint64_t id) { return SpanRef{trace::TraceId{1, 2}, trace::SpanId{id}, 1}; };
  CHECK_FALSE(traces.attempt_before(7, rig.now.mono));
  traces.call_failed(7, call(1), rig.now.mono);
  CHECK_FALSE(traces.attempt_before(8, rig.now.mono));
  CHECK(traces.attempt_before(7, rig.now.mono) == call(1));
  CHECK_FALSE(traces.attempt_before(7, rig.now.mono));
  // Two that fail at once, and whose attempt the next is nobody knows.
  traces.call_failed(7, call(1), rig.now.mono);
  traces.call_failed(7, call(2), rig.now.mono);
  CHECK_FALSE(traces.attempt_before(7, rig.now.mono));
  rig.wait(seconds(121));
  traces.call_failed(7, call(3), rig.now.mono);
  CHECK(traces.attempt_before(7, rig.now.mono) == call(3));
  traces.call_failed(7, call(4), rig.now.mono);
  rig.wait(seconds(121));
  CHECK_FALSE(traces.attempt_before(7, rig.now.mono));
  // In bounds: the oldest go.
  const auto request = [](uint64_t i) { return 101 + 2 * i; };
  for (uint64_t i = 0; i < 5000; ++i) {
    rig.wait(milliseconds(1));
    traces.call_failed(request(i), call(5), rig.now.mono);
  }
  CHECK_FALSE(traces.attempt_before(request(0), rig.now.mono));
  CHECK_FALSE(traces.attempt_before(request(4999 - 1024), rig.now.mono));
  CHECK(traces.attempt_before(request(4999 - 1023), rig.now.mono) == call(5));
  CHECK(traces.attempt_before(request(4999), rig.now.mono) == call(5));
  rig.wait(seconds(121));
  close_due(rig.registry, rig.now.mono);
  traces.call_failed(9, call(6), rig.now.mono);
  CHECK(traces.attempt_before(9, rig.now.mono) == call(6));
}

TEST_CASE("a call that is nobody's is told who asked for it, where one alone did") {
  Rig rig;
  const auto asking = [&](const std::string& path, Scope scope = {}) {
    Gleaned head;
    glean_target(rig.registry.key(), fetched(path), head);
    return rig.registry.asked_by({.scope = scope, .head = &head}, rig.now.mono);
  };
  CHECK_FALSE(asking("/orders/AK-48219"));
  const Joined ada = rig.model(user(kQuestion));
  rig.said(ada, asks(kId, "AK-48219"));
  const std::optional<SpanRef> found = asking("/orders/AK-48219");
  REQUIRE(found);
  CHECK(found->trace_id == ada.parent.trace_id);
  CHECK(found->span_id != ada.parent.span_id);
  CHECK(found == asking("/orders/AK-48219"));
  CHECK_FALSE(asking("/orders/AK-48219", {.id = 3}));
  CHECK_FALSE(asking("/orders/AK-48220"));
  const Joined bob = rig.model(user(kQuestion));
  rig.said(bob, asks("call_1dA3bC77dE01xY", "AK-48219"));
  CHECK_FALSE(asking("/orders/AK-48219"));
}

TEST_CASE("models that name no trace are remembered for as long as what they say") {
  Rig rig;
  CHECK_FALSE(rig.registry.hears_unnamed(rig.now.mono));
  rig.model(user(kQuestion));
  CHECK(rig.registry.hears_unnamed(rig.now.mono));
  rig.wait(seconds(239));
  CHECK(rig.registry.hears_unnamed(rig.now.mono));
  rig.wait(seconds(2));
  CHECK_FALSE(rig.registry.hears_unnamed(rig.now.mono));
}

TEST_CASE("a call that names no trace is told which model's call in a named one asked for it") {
  Rig rig;
  Registry& traces = rig.registry.traces();
  constexpr uint64_t kRun = 0x7c3ae5d2916bf048;
  const auto model = [&](uint64_t trace, const std::string& messages, uint64_t around = 0) {
    const Gleaned body = rig.glean(Voice::kModelRequest, R"({"messages":[)" + messages + "]}");
    return traces.join({.to_model = true,
                        .scope = {.id = trace},
                        .around = around,
                        .body = &body,
                        .span = trace::SpanId{100 + trace},
                        .trace = {0, trace}},
                       rig.now, rig.random);
  };
  const auto said = [&](const Joined& call, const std::string& document, uint64_t around = 0) {
    traces.publish(call.execution, Voice::kModelAnswer, call.step,
                   rig.glean(Voice::kModelAnswer, document), rig.now.mono, around);
    traces.call_ended(call.execution, call.step, CallEnd::kAsked, rig.now.mono);
  };
  const auto get = [&](const std::string& path, uint64_t around = 0, uint64_t trace = 0) {
    Gleaned head;
    glean_target(traces.key(), fetched(path, true), head);
    return traces.join({.converses = false,
                        .scope = {.id = trace},
                        .around = around,
                        .head = &head,
                        .span = trace::SpanId::make(rig.random)},
                       rig.now, rig.random);
  };
  const auto asking = [](uint64_t trace) {
    return std::vector{SpanRef{{0, trace}, trace::SpanId{100 + trace}, 0}};
  };
  const Joined ada = model(3, user(kQuestion));
  said(ada, asks(kId, "AK-48219"));
  CHECK(get("/orders/AK-48220").links.empty());

  SUBCASE("by it alone, as often as it is sent") {
    for (int i = 0; i < 2; ++i) {
      const Joined call = get("/orders/AK-48219");
      CHECK(call.execution == ada.execution);
      CHECK(call.links == asking(3));
    }
    CHECK(get("/orders/AK-48219", 0, 3).links == asking(3));
    CHECK(get("/orders/AK-48219", kRun).verdict == kNone);
  }
  SUBCASE("not where two asked for it") {
    said(model(5, user(kQuestion)), asks("call_cccc3333dddd4444", "AK-48219"));
    CHECK(get("/orders/AK-48219").verdict != kOne);
  }
  SUBCASE("nor where it is nobody's") {
    const Joined job = get("/jobs/list");
    CHECK_FALSE(job.execution);
    traces.publish({}, Voice::kToolAnswer, 0,
                   rig.glean(Voice::kToolAnswer, R"({"orders":["AK-48219"]})"), rig.now.mono, 0);
    CHECK(get("/orders/AK-48219").verdict != kOne);
  }
  SUBCASE("nor another trace's, whether a model is asked in it or not") {
    get("/orders/AK-48219", 0, 7);
    CHECK(get("/orders/AK-48219").verdict != kOne);
  }
  SUBCASE("but what others do in another run is nothing to it") {
    said(model(5, user(kQuestion), kRun), asks("call_cccc3333dddd4444", "AK-48219"), kRun);
    CHECK(get("/orders/AK-48219").links == asking(3));
    CHECK(get("/orders/AK-48219", kRun).links == asking(5));
  }
  // Nothing of it is a turn, nor anybody's parent.
  CHECK(rig.registry.idle());
  CHECK(rig.registry.close_all(rig.now.mono).empty());
}

TEST_CASE("a turn tells the baggage that it was opened with, as far as that is short") {
  Rig rig;
  const Joined turn = rig.model(user(kQuestion));
  rig.registry.set_context(turn.execution, 1, "",
                           {{"long", std::string(1024, 'v')}, {"tenant", "a"}, {"cell", "eu"}});
  rig.registry.call_ended(turn.execution, turn.step, CallEnd::kAnswered, rig.now.mono);
  const std::vector<ClosedTurn> closed = rig.registry.close_all(rig.now.mono);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].baggage == Told{{"tenant", "a"}, {"cell", "eu"}});
}

TEST_CASE("by the session that an agent names others are left out") {
  Rig rig;
  const Joined one = rig.model(user(kQuestion), {}, 1);
  const Joined other = rig.model(user(kQuestion), {}, 2);
  rig.said(one, asks("call_aaaa1111bbbb2222", "AK-48219"));
  rig.said(other, asks("call_cccc3333dddd4444", "AK-48219"));
  CHECK(rig.get("/orders/AK-48219", {}, 1).execution == one.execution);
  CHECK(rig.get("/orders/AK-48219", {}, 2).execution == other.execution);
  CHECK(rig.get("/orders/AK-48219").verdict == kSeveral);
}

TEST_CASE("what a request on the ingress brought is its own") {
  Rig rig;
  const SpanRef span{trace::TraceId::make(rig.random), trace::SpanId::make(rig.random), 1};
  const ExecutionRef request = rig.registry.open_given(span, 0, rig.now);
  rig.registry.publish(request, Voice::kGiven, 0,
                       rig.glean(Voice::kGiven, R"({"q":")" + kQuestion + "\"}"), rig.now.mono);
  const Joined call = rig.model(user(kQuestion));
  CHECK(call.execution == request);
  CHECK(call.parent == span);
  rig.registry.call_ended(call.execution, call.step, CallEnd::kAnswered, rig.now.mono);
  rig.registry.close_given(request, rig.now.mono);
  CHECK(rig.model(user(kQuestion)).opened);
}

TEST_CASE("a sub-agent's task ties its call as long as the one who gave it waits") {
  const std::string task = "Find out which ferries reach the island of Hydra before noon.";
  const std::string framed =
      user("You are part of a crew and have one task, as all have.\\nTask: " + task +
           "\\nWhat is known so far: the sea is calm, and so is all.");
  const auto prose = R"({"choices":[{"message":{"content":")" + task + R"("}}]})";
  Rig rig;
  const Joined first = rig.model(user("How do I get there?"));
  rig.said(first, asks(kId, task));
  SUBCASE("it does") {
    const Joined sub = rig.model(framed);
    CHECK(sub.execution == first.execution);
    CHECK(sub.source == Source::kEcho);
  }
  SUBCASE("it has gone on") {
    const Joined second = rig.model(user("How do I get there?") + "," + calls(kId, task));
    REQUIRE(second.execution == first.execution);
    SUBCASE("and says no more of it") {}
    SUBCASE("and tells of it") {
      rig.said(second, prose, CallEnd::kAnswered);
    }
    const Joined other = rig.model(framed);
    CHECK(other.opened);
    // A request in flight is no evidence against it, but that of its own trace.
    CHECK(other.elsewhere);
    CHECK_FALSE(other.outlives);
    CHECK_FALSE(
        rig.model(framed + "," + user("Go on."), {}, 0, false, first.parent.trace_id).elsewhere);
  }
  SUBCASE("among instructions") {
    CHECK(rig.model(R"({"role":"system","content":"Never do this.\\n)" + task +
                    R"(\\nNor answer in verse, nor in prose that nobody reads."},)" + user("Hi"))
              .opened);
  }
  SUBCASE("what a model says to a person is said to many") {
    Rig other;
    other.said(other.model(user("How do I get there?")), prose);
    CHECK(other.model(framed).opened);
  }
}

TEST_CASE("what a request brought is known by a sentence, and a short one by being most of all") {
  struct Row {
    const char* brought;
    std::string messages;
    bool own;
  };
  const std::string page = "Page 12: all parcels are insured, whoever sends them.";
  const std::vector<Row> rows = {
      {"And on the next Sunday?", user("And on the next Sunday?"), true},
      {"And on the next Sunday?",
       user("Hi") + R"(,{"role":"assistant","content":"Hello there."},)" +
           user("And on the next Sunday?"),
       true},
      {"And on the next Sunday?", user(page + "\\nAnd on the next Sunday?\\n" + page), false},
      {"And who pays for the broken violin?",
       user(page + "\\nAnd who pays for the broken violin?\\n" + page), true},
      {"Where is QK-482913?", user(page + "\\nThat of his sister is QK-482913, he says."), false},
      {"QK-482913", user(page + "\\nQK-482913"), false},
      {"QK-482913", user("QK-482913"), true},
      {"https://kb.example/manuals/kettle-9f86d081.html",
       user(page + "\\nhttps://kb.example/manuals/kettle-9f86d081.html"), false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.brought);
    CAPTURE(row.messages);
    Rig rig;
    const SpanRef span{trace::TraceId::make(rig.random), trace::SpanId::make(rig.random), 1};
    const ExecutionRef request = rig.registry.open_given(span, 0, rig.now);
    rig.registry.publish(request, Voice::kGiven, 0,
                         rig.glean(Voice::kGiven, R"({"q":")" + std::string(row.brought) + "\"}"),
                         rig.now.mono);
    CHECK((rig.model(row.messages).execution == request) == row.own);
  }
}

TEST_CASE("what an answered request brought is not done for the next one") {
  const std::string first = "When does the parcel with the violin reach Trondheim?";
  Rig rig;
  // Both may be of one who calls, and so of one trace.
  const trace::TraceId trace = trace::TraceId::make(rig.random);
  const auto open = [&](const std::string& brought) {
    const SpanRef span{trace, trace::SpanId::make(rig.random), 1};
    const ExecutionRef request = rig.registry.open_given(span, 0, rig.now);
    rig.registry.publish(request, Voice::kGiven, 0,
                         rig.glean(Voice::kGiven, R"({"q":")" + brought + "\"}"), rig.now.mono);
    return request;
  };
  const auto again = [&] {
    const Joined call = rig.model(
        user(first + "\\nIt arrives on Monday or on Tuesday.\\nyes please"), {}, 0, false, trace);
    CHECK(call.elsewhere == call.outlives);
    return call.elsewhere;
  };
  const ExecutionRef before = open(first);
  SUBCASE("nobody used it before") {
    rig.registry.close_given(before, rig.now.mono);
    open("Hi");
    SUBCASE("by what waits for its body") {
      CHECK(again());
    }
    SUBCASE("by what has its trace before its body says so") {
      const Gleaned body = rig.glean(Voice::kModelRequest, R"({"messages":[)" + user(first) + "]}");
      const Joined late = rig.registry.join({.to_model = true,
                                             .body = &body,
                                             .span = trace::SpanId::make(rig.random),
                                             .trace = trace,
                                             .is_sent = true},
                                            rig.now, rig.random);
      CHECK_FALSE(late.elsewhere);
      CHECK(late.outlives);
    }
  }
  SUBCASE("a model was told it before, as in a conversation") {
    REQUIRE(rig.model(user(first)).execution == before);
    rig.registry.close_given(before, rig.now.mono);
    SUBCASE("and the next one brings no text of its own") {
      open("Hi");
      CHECK_FALSE(again());
    }
    SUBCASE("and the next one's is not there") {
      const ExecutionRef next = open("Please rebook the conference room for nine people.");
      CHECK(again());
      // Once that is over, too, it tells nothing of the one behind it.
      rig.registry.close_given(next, rig.now.mono);
      open("Hi");
      CHECK_FALSE(again());
    }
  }
}

TEST_CASE("what was forgotten for want of room is nobody's") {
  RegistryOptions options;
  options.values_per_execution_max = 64;
  Rig rig(options);
  std::string many = "x";
  for (int i = 0; i < 200; ++i) many += "\\nentry-" + std::to_string(7'000'000 + i * 7919);
  const Joined large = rig.model(user(many));
  CHECK(rig.registry.counts().forgotten > 100);
  // The last entry was the large one's, too, whoever brings it now.
  const Joined other = rig.model(user("See entry-" + std::to_string(7'000'000 + 199 * 7919)));
  rig.said(other, asks(kId, "entry-" + std::to_string(7'000'000 + 199 * 7919)));
  CHECK(rig.get("/entries/entry-" + std::to_string(7'000'000 + 199 * 7919)).verdict != kOne);
}

TEST_CASE("an id that outlives a turn is nobody's however deep it stands") {
  Rig rig;
  const std::string id = "6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41";
  const Joined ada = rig.model(user(kQuestion));
  rig.said(ada, asks(kId, "AK-48219"));
  const Joined tool = rig.get("/orders/AK-48219");
  REQUIRE(tool.execution == ada.execution);
  const std::string deep(70, '[');
  rig.told(tool, deep + R"({"session_id":")" + id + "\"}" + std::string(70, ']'));
  CHECK(rig.get("/sessions/" + id).verdict == kNone);
}

TEST_CASE("a million executions with the worst of values stay within their memory") {
  constexpr size_t kBytesMax = size_t{32} << 20;
  const std::optional<size_t> before = allocated();
  size_t peak = 0;
  Rig rig;
  Registry& traces = rig.registry.traces();
  const std::string longest(trace::TraceState::kPropagatedBytes, 'v');
  const Told baggage = {{"k", longest}, {"l", longest}};
  Gleaned gleaned;
  gleaned.values.resize(8);
  gleaned.asked.resize(2);
  gleaned.prefixes.resize(2);
  size_t refused = 0;
  size_t opened = 0;
  const auto fill = [&](int i) {
    // Of nobody else, all in one bucket, or everybody's.
    constexpr uint64_t kOneBucket = 0xfffff000;
    for (size_t j = 0; j < gleaned.values.size(); ++j) {
      const uint64_t chance = rig.random.next();
      const uint64_t hash = i % 3 == 0 ? chance : i % 3 == 1 ? chance & kOneBucket : j;
      gleaned.values[j] = {hash, static_cast<uint8_t>(i % 3 == 2 ? 13 : 40), Place::kWords,
                           i % 5 == 0};
    }
    for (Asked& one : gleaned.asked) one.arguments = rig.random.next();
    for (Prefix& one : gleaned.prefixes) one.digest = rig.random.next();
  };
  for (int i = 0; i < 1'000'000; ++i) {
    fill(i);
    const SpanRef run{trace::TraceId::make(rig.random), trace::SpanId::make(rig.random), 1};
    Call call{.to_model = true,
              .scope = {.execution_id = longest},
              .body = &gleaned,
              .span = trace::SpanId::make(rig.random)};
    if (i % 32 == 0)
      call.scope = {.id = rig.random.next() | 1, .span = run, .execution_id = longest};
    const Joined joined = rig.registry.join(call, rig.now, rig.random);
    if (!joined.execution) ++refused;
    opened += joined.opened ? 1U : 0U;
    rig.registry.set_context(joined.execution, trace::kSampledFlag, longest, baggage);
    rig.registry.publish(joined.execution, Voice::kModelAnswer, joined.step, gleaned, rig.now.mono);
    if (i % 4 == 0) {
      call.around = rig.random.next();
      const Joined within = traces.join(call, rig.now, rig.random);
      traces.publish(within.execution, Voice::kModelAnswer, 1, gleaned, rig.now.mono);
      traces.call_failed(rig.random.next() | 1, run, rig.now.mono);
    }
    if (i % 400 != 0)
      rig.registry.call_ended(joined.execution, joined.step, CallEnd::kOther, rig.now.mono);
    if (i % 10'000 == 0) rig.wait(milliseconds(500));
    // Swept in time, then seldom.
    const int sweep = i < 500'000 ? 1000 : 100'000;
    if (i % sweep == sweep - 1) close_due(rig.registry, rig.now.mono);
    if (before && i % 1000 == 999) peak = std::max(peak, *allocated() - *before);
  }
  const Registry::Counts counts = rig.registry.counts();
  CAPTURE(peak);
  CAPTURE(counts.bytes);
  CHECK(counts.bytes < kBytesMax);
  CHECK(peak < kBytesMax);
  CHECK(counts.executions <= 4096);
  CHECK(counts.forgotten > 1'000'000);
  CHECK(opened > 400'000);
  CHECK(refused > 0);
}

TEST_CASE("the same answer for all threads") {
  Rig rig;
  const Joined turn = rig.model(user(kQuestion));
  rig.said(turn, asks(kId, "AK-48219"));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      for (int i = 0; i < 500; ++i) {
        Gleaned head;
        glean_target(rig.registry.key(), fetched("/orders/AK-48219"), head);
        const Joined call = rig.registry.join({.head = &head, .span = trace::SpanId::make(random)},
                                              rig.now, random);
        if (call.execution != turn.execution) ++wrong[t];
        rig.registry.call_ended(call.execution, call.step, CallEnd::kOther, rig.now.mono);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) CHECK(count == 0);
}

TEST_CASE("when something went by unread, ids alone are evidence for a while") {
  Rig rig;
  const Joined first = rig.model(user(kQuestion));
  rig.said(first, asks(kId, "AK-48219"));
  rig.registry.lose_sight(rig.now.mono);
  CHECK(rig.registry.counts().blinded == 1);
  CHECK(rig.get("/orders/AK-48219").verdict == kNone);
  const std::string result = R"({"role":"tool","tool_call_id":")" + kId + R"(","content":"-"})";
  const Joined next = rig.model(user(kQuestion) + "," + calls(kId, "AK-48219") + "," + result);
  CHECK(next.source == Source::kId);
  CHECK(next.execution == first.execution);
}

TEST_CASE("what is no source is no evidence") {
  Rig no_echo({.ids = true, .echo = false});
  no_echo.said(no_echo.model(user(kQuestion)), asks(kId, "AK-48219"));
  CHECK(no_echo.get("/orders/AK-48219").verdict == kNone);

  Rig no_ids({.ids = false, .echo = true});
  const Joined first = no_ids.model(user(kQuestion));
  no_ids.said(first, asks(kId, "AK-48219"));
  const std::string result = R"({"role":"tool","tool_call_id":")" + kId + R"(","content":"-"})";
  const Joined next = no_ids.model(user(kQuestion) + "," + calls(kId, "AK-48219") + "," + result);
  CHECK(next.source == Source::kEcho);
  CHECK(next.execution == first.execution);
}

TEST_CASE("a turn is in the trace that its first call was given, from that call's first byte on") {
  Rig rig;
  const Gleaned body = rig.glean(Voice::kModelRequest, R"({"messages":[)" + user("Hi") + "]}");
  const trace::TraceId trace{8, 9};
  const Moment start{rig.now.mono - milliseconds(30), rig.now.wall - milliseconds(30)};
  const Joined opened = rig.registry.join({.to_model = true,
                                           .body = &body,
                                           .span = trace::SpanId::make(rig.random),
                                           .trace = trace,
                                           .start = start},
                                          rig.now, rig.random);
  REQUIRE(opened.opened);
  CHECK(opened.parent.trace_id == trace);
  rig.registry.set_context(opened.execution, 3, "ot=th:8");
  rig.registry.call_ended(opened.execution, opened.step, CallEnd::kAnswered, rig.now.mono,
                          {.input = 20, .output = 5, .cost_usd = {}});
  rig.wait(seconds(3));
  const std::vector<ClosedTurn> closed = close_due(rig.registry, rig.now.mono);
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].tokens.input == 20);
  CHECK(closed[0].tokens.output == 5);
  CHECK(!closed[0].tokens.cost_usd);
  CHECK(closed[0].start == start.wall);
  CHECK(closed[0].duration == milliseconds(30));
  CHECK(closed[0].span.flags == 3);
  CHECK(closed[0].tracestate == "ot=th:8");
  CHECK(rig.registry.idle());
}

TEST_CASE("what is said to a model without a conversation opens nothing, and is not a tool's") {
  Rig rig;
  const Joined first = rig.model(user(kQuestion));
  rig.said(first, asks(kId, "AK-48219"));
  const Gleaned body =
      rig.glean(Voice::kToolRequest, R"({"input":"I am Bob. Is AK-48219 mine? It was to come."})");
  const Joined other = rig.registry.join({.to_model = true,
                                          .converses = false,
                                          .body = &body,
                                          .span = trace::SpanId::make(rig.random)},
                                         rig.now, rig.random);
  CHECK(other.verdict != kOne);
  CHECK_FALSE(other.opened);
}

TEST_CASE("among much that nobody has heard one known text is no evidence") {
  const std::string strange =
      "Somebody else has written to us about all of this at length, and is not amused at all. "
      "She wants to hear from the head of the department by Friday evening at the latest. ";
  for (const bool much : {false, true}) {
    CAPTURE(much);
    Rig rig;
    rig.said(rig.model(user(kQuestion)), asks(kId, "AK-48219"));
    const Gleaned body = rig.glean(Voice::kToolRequest, R"({"text":")" + (much ? strange : "") +
                                                            R"(AK-48219","order":"AK-48219"})");
    const Joined joined = rig.registry.join(
        {.body = &body, .span = trace::SpanId::make(rig.random)}, rig.now, rig.random);
    CHECK((joined.verdict == kOne) == !much);
  }
}
