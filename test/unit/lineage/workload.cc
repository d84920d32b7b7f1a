#include "workload.h"

#include <cstdio>

#include "glean.h"
#include "sidespan/json/writer.h"
#include "sidespan/lineage/gleaner.h"

namespace sidespan::lineage::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kCities[] = {"Lisbon", "Porto", "Madrid", "Lyon",   "Ghent", "Bremen",
                                   "Krakow", "Brno",  "Vienna", "Zagreb", "Split", "Athens"};
constexpr const char* kTools[] = {"search", "fetch", "weather", "order", "note", "ticket"};
constexpr const char* kSystem =
    "You are the service agent of a mail order company. Be brief and exact. Our hotline is +49 30 "
    "5550 100; orders older than 730 days are closed. Documents begin with "
    "https://kb.example/docs.";

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '+';
    } else if (c == '&' || c == '=' || c == '%' || c == '"') {
      constexpr char kDigits[] = "0123456789ABCDEF";
      out += '%';
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[c & 15];
    } else {
      out += c;
    }
  }
  return out;
}

std::string definitions() {
  std::string out = "[";
  for (const char* tool : kTools) {
    out +=
        std::string(out.size() > 1 ? "," : "") + R"({"type":"function","function":{"name":")" +
        tool +
        R"(","description":"Calls the service of the same name, see https://kb.example/docs/tools-2026."}})";
  }
  return out + "]";
}

}  // namespace

// One turn: what is to be found together.
struct World::Work {
  bool opened = false;
  size_t number = 0;
};

struct World::Agent {
  struct Ask {
    std::string id, tool, arguments;
  };
  const Work* work = nullptr;
  Work* own = nullptr;
  bool sub = false;
  bool ids = true;
  bool streams = false;
  std::string system;
  std::vector<std::string> messages;
  std::string question;
  std::string known_url;
  size_t steps_left = 0;
  std::vector<Ask> asked;
  std::vector<std::string> results;
  size_t waiting = 0;
  std::function<void(std::string)> done;  // of a sub-agent
};

World::World(const Knobs& knobs)
    : knobs_(knobs),
      chance_(knobs.seed),
      popular_(7),
      registry_({chance_.next(), chance_.next()}, {}) {}

World::~World() = default;

Moment World::now() const {
  return {MonoTime(seconds(1000) + time_), WallTime(seconds(1'800'000'000) + time_)};
}

void World::at(Nanoseconds delay, Then then) {
  events_.push({time_ + delay, order_++, std::make_shared<Then>(std::move(then))});
}

void World::run() {
  for (size_t i = 0; i < knobs_.in_flight; ++i)
    at(milliseconds(below(2000)), [this] { begin_work(); });
  if (knobs_.background) at(milliseconds(50), [this] { background(); });
  while (!events_.empty()) {
    const Event next = events_.top();
    events_.pop();
    time_ = next.at;
    (*next.then)();
    if (order_ % 64 == 0) {
      for (ClosedTurn& turn : close_due(registry_, now().mono)) turns.push_back(std::move(turn));
      const Registry::Counts counts = registry_.counts();
      peak.executions = std::max(peak.executions, counts.executions);
      peak.bytes = std::max(peak.bytes, counts.bytes);
      peak.forgotten = counts.forgotten;
    }
  }
  for (ClosedTurn& turn : registry_.close_all(now().mono)) turns.push_back(std::move(turn));
}

std::string World::hex(size_t digits) {
  std::string out;
  for (size_t i = 0; i < digits; ++i) out += "0123456789abcdef"[below(16)];
  return out;
}

std::string World::word() {
  constexpr const char* kParts[] = {"ba",  "ri", "to",  "mel", "kan",
                                    "sor", "vi", "pal", "den", "gu"};
  size_t number = below(knobs_.words);
  std::string out;
  for (int i = 0; i < 3; ++i, number /= 10) out += kParts[number % 10];
  return out;
}

std::string World::day() {
  return "2026-" + std::to_string(10 + below(3)) + "-" + std::to_string(10 + below(18)) +
         (below(2) == 0 ? "" : "T1" + std::to_string(below(10)) + ":00");
}

std::string World::question() {
  Random kept = chance_;
  const bool equal = fraction() < knobs_.equal_prompts;
  const bool about = fraction() < knobs_.equal_arguments;
  const Random after = chance_;
  if (equal) chance_ = Random(100 + kept.below(3));
  std::string out = "Hello, this is " + word() + " " + word() + ". ";
  if (about) chance_ = Random(200 + kept.below(3));
  out += "The order " + std::string(1, static_cast<char>('A' + below(8))) + "K-" +
         std::to_string(10'000 + below(900'000)) + " has not come to " + kCities[below(12)] +
         " by " + day() + ". Find out about \"" + word() + " of " + word() + " " + word() + "\".";
  if (equal || about) chance_ = after;
  return out;
}

void World::begin_work() {
  if (begun_ >= knobs_.executions) return;
  auto agent = std::make_shared<Agent>();
  agent->ids = fraction() < knobs_.ids;
  agent->streams = fraction() < knobs_.streams;
  agent->system = kSystem;
  begin_turn(std::move(agent));
}

void World::begin_turn(std::shared_ptr<Agent> agent) {
  works_.push_back(std::make_unique<Work>());
  works_.back()->number = ++begun_;
  agent->work = agent->own = works_.back().get();
  agent->question = question();
  agent->steps_left = 1 + below(4);
  const auto begin = [this, agent](const std::string& found) {
    const std::string said = agent->question + (found.empty() ? "" : "\nWhat was found: " + found);
    agent->messages.push_back(R"({"role":"user","content":)" + quoted(said) + "}");
    ask(agent, false);
  };
  if (fraction() >= knobs_.retrieves_first) return begin("");
  const std::string topic = agent->question.substr(agent->question.find('"') + 1);
  const std::string query = topic.substr(0, topic.find('"'));
  call_tool(
      agent, "retrieval", "GET", "/search?q=" + encoded(query), "",
      [this] { return R"({"results":["https://kb.example/docs/)" + hex(10) + "\"]}"; }, begin);
}

World::Sent World::send(const Call& call, const Work* work, const std::string& kind, bool begins) {
  const Joined joined = registry_.join(call, now(), chance_);
  Score& score = call.to_model ? models : tools;
  Score& kinds = by_kind[kind];
  const auto count = [&](size_t Score::* field) {
    ++(score.*field);
    ++(kinds.*field);
  };
  if (joined.opened) owners_[joined.execution.value] = work;
  spans_[call.span.value] = work;
  spans_.try_emplace(joined.parent.span_id.value, work);
  const Work* owner = joined.execution ? owners_[joined.execution.value] : nullptr;
  for (const SpanRef& link : joined.links) {
    ++(spans_[link.span_id.value] == work ? links_right : links_wrong);
  }
  if (joined.execution && owner != work) {
    count(&Score::wrong);
  } else if (begins) {
    count(&Score::opens);
  } else if (work != nullptr && joined.execution && !joined.opened) {
    count(&Score::right);
    ++score.by_source[std::string(name_of(joined.source))];
  } else if (work != nullptr) {
    count(&Score::missed);
    ++score.by_source[joined.verdict == Joined::Verdict::kSeveral ? "(several)" : "(none)"];
  }
  return {joined.execution, joined.step};
}

void World::ask(std::shared_ptr<Agent> agent, bool again) {
  std::string body =
      R"({"model":"gpt-5","messages":[{"role":"system","content":)" + quoted(agent->system) + "}";
  for (const std::string& message : agent->messages) body += "," + message;
  body += R"(],"tools":)" + definitions() + R"(,"temperature":0.2})";
  const Gleaned gleaned = glean(registry_, Voice::kModelRequest, {body});
  const Call call{.to_model = true,
                  .body = &gleaned,
                  .span = trace::SpanId::make(chance_),
                  .flags = 1,
                  .retries = again};
  const bool begins = !agent->sub && !agent->own->opened;
  if (agent->own != nullptr) agent->own->opened = true;
  const Sent sent = send(call, agent->work,
                         again        ? "model again"
                         : agent->sub ? "model sub"
                                      : "model",
                         begins);
  at(milliseconds(200 + below(3000)), [this, agent, sent] {
    if (fraction() >= knobs_.errors) return answer(agent, sent);
    registry_.publish(
        sent.execution, Voice::kModelAnswer, sent.step,
        glean(registry_, Voice::kModelAnswer, {R"({"error":{"message":"Too many requests"}})"}),
        now().mono);
    registry_.call_ended(sent.execution, sent.step, CallEnd::kFailed, now().mono);
    at(milliseconds(100 + below(500)), [this, agent] { ask(agent, true); });
  });
}

// The answer's documents; asked and what the agent will resend come with it.
std::string World::answer_text(const Agent& agent, std::vector<std::string>& pieces) {
  const std::string id = "chatcmpl-" + hex(24);
  if (!agent.streams) {
    std::string calls;
    for (const Agent::Ask& ask : agent.asked) {
      calls += std::string(calls.empty() ? "" : ",") + "{" +
               (agent.ids ? R"("id":")" + ask.id + "\"," : "") +
               R"("type":"function","function":{"name":")" + ask.tool + R"(","arguments":)" +
               quoted(ask.arguments) + "}}";
    }
    const std::string said =
        agent.asked.empty() ? quoted("This is settled, " + agent.question.substr(15, 30)) : "null";
    pieces.push_back(R"({"id":")" + id +
                     R"(","created":1800000123,"choices":[{"index":0,"message":{)"
                     R"("role":"assistant","content":)" +
                     said + R"(,"tool_calls":[)" + calls +
                     R"(]}}],"usage":{"prompt_tokens":48231}})");
    return agent.asked.empty() ? "This is settled, " + agent.question.substr(15, 30) : "";
  }
  const std::string head = R"({"id":")" + id + R"(","choices":[{"index":0,"delta":{)";
  for (size_t n = 0; n < agent.asked.size(); ++n) {
    const Agent::Ask& ask = agent.asked[n];
    const std::string place = R"("tool_calls":[{"index":)" + std::to_string(n);
    pieces.push_back(head + place + (agent.ids ? R"(,"id":")" + ask.id + "\"" : "") +
                     R"(,"function":{"name":")" + ask.tool + R"(","arguments":""}}]}}]})");
    for (size_t from = 0; from < ask.arguments.size(); from += 5) {
      pieces.push_back(head + place + R"(,"function":{"arguments":)" +
                       quoted(ask.arguments.substr(from, 5)) + "}}]}}]}");
    }
  }
  std::string said;
  if (agent.asked.empty()) said = "This is settled, " + agent.question.substr(15, 30);
  for (size_t from = 0; from < said.size(); from += 7) {
    pieces.push_back(head + R"("content":)" + quoted(said.substr(from, 7)) + "}}]}");
  }
  return said;
}

void World::answer(std::shared_ptr<Agent> agent, Sent sent) {
  agent->asked.clear();
  agent->results.clear();
  const size_t wanted = agent->steps_left == 0 ? 0 : 1 + below(2);
  if (agent->steps_left > 0) --agent->steps_left;
  const std::string& question = agent->question;
  const size_t quote = question.find('"');
  const std::string topic = question.substr(quote + 1, question.rfind('"') - quote - 1);
  const size_t order = question.find("order ") + 6;
  for (size_t i = 0; i < wanted; ++i) {
    std::string tool = kTools[below(6)];
    std::string arguments;
    if (tool == "fetch" && agent->known_url.empty()) tool = "search";
    if (!agent->sub && fraction() < knobs_.delegates) tool = "delegate";
    if (tool == "search") arguments = R"({"query":)" + quoted(topic) + R"(,"limit":5})";
    if (tool == "fetch") arguments = R"({"url":)" + quoted(agent->known_url) + "}";
    if (tool == "weather") {
      arguments =
          R"({"city":")" + std::string(kCities[below(12)]) + R"(","date":")" + day() + "\"}";
    }
    const std::string number = question.substr(order, question.find(' ', order) - order);
    if (tool == "order") arguments = R"({"order_id":)" + quoted(number) + "}";
    if (tool == "note")
      arguments = R"({"note":)" + quoted(question.substr(15, 12) + " asked for " + number) + "}";
    if (tool == "ticket")
      arguments = R"({"subject":)" + quoted(number + ": " + topic) + R"(,"priority":"normal"})";
    if (tool == "delegate")
      arguments = R"({"task":)" + quoted("Find out about " + topic + " for order " + number) + "}";
    agent->asked.push_back({"call_" + hex(20), tool, arguments});
  }
  std::vector<std::string> pieces;
  const std::string said = answer_text(*agent, pieces);
  registry_.publish(sent.execution, Voice::kModelAnswer, sent.step,
                    glean(registry_, Voice::kModelAnswer, pieces, agent->streams), now().mono);
  registry_.call_ended(sent.execution, sent.step,
                       agent->asked.empty() ? CallEnd::kAnswered : CallEnd::kAsked, now().mono);
  std::string calls;
  for (const Agent::Ask& ask : agent->asked) {
    calls += std::string(calls.empty() ? "" : ",") + "{" +
             (agent->ids ? R"("id":")" + ask.id + "\"," : "") + R"("function":{"name":")" +
             ask.tool + R"(","arguments":)" + quoted(ask.arguments) + "}}";
  }
  agent->messages.push_back(R"({"role":"assistant","content":)" + quoted(said) +
                            (calls.empty() ? "}" : R"(,"tool_calls":[)" + calls + "]}"));
  agent->results.resize(agent->asked.size());
  agent->waiting = agent->asked.size();
  for (size_t i = 0; i < agent->asked.size(); ++i) {
    at(milliseconds(5 + below(200)), [this, agent, i] { run_tool(agent, i); });
  }
  if (agent->waiting > 0) return;
  if (agent->sub) return agent->done(said);
  // Somebody else's work begins, or the same person goes on after a while.
  if (fraction() < knobs_.follow_ups && begun_ < knobs_.executions) {
    at(seconds(3 + below(20)), [this, agent] { begin_turn(agent); });
  } else {
    at(milliseconds(below(500)), [this] { begin_work(); });
  }
}

void World::run_tool(std::shared_ptr<Agent> agent, size_t number) {
  const Agent::Ask asked = agent->asked[number];
  const auto then = [this, agent, number](const std::string& result) {
    agent->results[number] = result;
    if (--agent->waiting > 0) return;
    for (size_t i = 0; i < agent->asked.size(); ++i) {
      agent->messages.push_back(
          R"({"role":"tool",)" +
          (agent->ids ? R"("tool_call_id":")" + agent->asked[i].id + "\"," : std::string()) +
          R"("content":)" + quoted(agent->results[i]) + "}");
    }
    at(milliseconds(5 + below(50)), [this, agent] { this->ask(agent, false); });
  };
  const auto value = [&](const char* name) {
    const std::string key = "\"" + std::string(name) + "\":\"";
    const size_t from = asked.arguments.find(key) + key.size();
    return asked.arguments.substr(from, asked.arguments.find('"', from) - from);
  };
  if (asked.tool == "delegate") return delegate(agent, value("task"), then);
  if (asked.tool == "search") {
    return call_tool(
        agent, "search", "POST", "/search", asked.arguments,
        [this, agent] {
          agent->known_url = "https://kb.example/docs/slug-" + hex(10);
          return R"({"results":[{"title":"Getting started","url":"https://kb.example/docs/getting-started"},{"title":"About","url":)" +
                 quoted(agent->known_url) + "}]}";
        },
        then);
  }
  if (asked.tool == "fetch") {
    return call_tool(
        agent, "fetch", "GET", value("url").substr(18), "",
        [this] { return R"({"text":"Applies within 14 days, see annex )" + hex(10) + "\"}"; },
        then);
  }
  if (asked.tool == "weather") {
    return call_tool(
        agent, "weather", "GET", "/weather?city=" + value("city") + "&date=" + value("date"), "",
        [this] { return R"({"sky":"overcast","celsius":)" + std::to_string(below(30)) + "}"; },
        then);
  }
  if (asked.tool == "order") {
    return call_tool(
        agent, "order", "GET", "/orders/" + value("order_id"), "",
        [this] { return R"({"state":"shipped","shipment":"SH)" + hex(12) + "\"}"; }, then);
  }
  if (asked.tool == "note") {
    return call_tool(
        agent, "mcp", "POST", "/mcp",
        R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"note","arguments":)" +
            asked.arguments + "}}",
        [this] {
          return R"({"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"noted as N-)" +
                 hex(8) + "\"}]}}";
        },
        then);
  }
  call_tool(
      agent, "form", "FORM", "/tickets",
      "subject=" + encoded(value("subject")) + "&priority=normal",
      [this] { return R"({"ticket":"T-)" + hex(8) + "\"}"; }, then);
}

void World::call_tool(std::shared_ptr<Agent> agent, std::string kind, std::string method,
                      std::string path, std::string body, std::function<std::string()> answers,
                      std::function<void(std::string)> then) {
  Gleaned head;
  const bool alone = method == "GET";
  glean_target(registry_.key(),
               {.host = "kb.example", .path = path, .fetches = alone, .alone = alone}, head);
  Gleaned gleaned;
  if (method == "POST") gleaned = glean(registry_, Voice::kToolRequest, {body});
  if (method == "FORM") {
    FormGleaner form(registry_.key(), registry_);
    form.feed(body);
    form.finish();
    gleaned = form.gleaned();
  }
  const Call call{.head = &head,
                  .body = &gleaned,
                  .path = path,
                  .span = trace::SpanId::make(chance_),
                  .flags = 1};
  // Before the model is asked there is nothing to be found.
  const bool begins = kind == "retrieval";
  const Sent sent = send(call, agent->work, kind, begins);
  at(milliseconds(20 + below(400)), [=, this] {
    const bool fails = fraction() < knobs_.errors;
    const std::string answer = fails ? R"({"error":"internal"})" : answers();
    registry_.publish(sent.execution, Voice::kToolAnswer, sent.step,
                      glean(registry_, Voice::kToolAnswer, {answer}), now().mono);
    registry_.call_ended(sent.execution, sent.step, CallEnd::kOther, now().mono);
    if (!fails) return then(answer);
    at(milliseconds(50), [=, this] { call_tool(agent, kind, method, path, body, answers, then); });
  });
}

void World::delegate(std::shared_ptr<Agent> agent, std::string task,
                     std::function<void(std::string)> then) {
  auto sub = std::make_shared<Agent>();
  sub->work = agent->work;
  sub->sub = true;
  sub->ids = agent->ids;
  sub->streams = agent->streams;
  sub->system = "You are a research agent. You are given one task by another agent.";
  sub->question = agent->question;
  sub->steps_left = 1 + below(2);
  sub->messages.push_back(R"({"role":"user","content":)" +
                          quoted("Your task: " + task + "\nAnswer in English.") + "}");
  sub->done = std::move(then);
  ask(sub, false);
}

// Probes, reports, and a job that looks after orders of which one may be what somebody asks about.
void World::background() {
  if (begun_ >= knobs_.executions) return;
  auto nobody = std::make_shared<Agent>();
  const auto done = [](const std::string&) {};
  call_tool(nobody, "background", "GET", "/healthz", "", [] { return R"({"ok":true})"; }, done);
  std::string order = "AK-" + std::to_string(10'000 + below(900'000));
  if (!works_.empty() && fraction() < 0.2) {
    const std::string asked = question();
    order = asked.substr(asked.find("order ") + 6, 9);
    order = order.substr(0, order.find(' '));
  }
  call_tool(
      nobody, "background", "GET", "/orders/?since=2026-11-27", "",
      [order] { return R"({"orders":[")" + order + "\"]}"; },
      [this, nobody, order, done](const std::string&) {
        call_tool(
            nobody, "background", "GET", "/orders/" + order, "",
            [] { return R"({"state":"shipped"})"; }, done);
      });
  at(milliseconds(300), [this] { background(); });
}

}  // namespace sidespan::lineage::simulation
