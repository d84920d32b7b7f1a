// Agents at work, many at a time, whose truth is known: what they send and get goes through the
// gleaners and the registry as a proxy would let it, with time that is made up. Nothing of the
// truth is in what they send. Used by simulation_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "sidespan/base/random.h"
#include "sidespan/lineage/registry.h"

namespace sidespan::lineage::simulation {

struct Knobs {
  uint64_t seed = 1;
  size_t executions = 500;  // turns, in all
  size_t in_flight = 16;
  double equal_prompts = 0;    // share of questions that others ask word for word
  double equal_arguments = 0;  // share of questions about what others ask about
  double ids = 1;              // share of agents whose provider gives ids to tools' calls
  double streams = 0.5;
  double errors = 0.03;  // of model calls and of tools; they are sent again
  double delegates = 0.1;
  double follow_ups = 0.3;
  double retrieves_first = 0;  // agents that search before they ask a model
  bool background = true;      // calls of nobody, now and then about what somebody works on
  size_t words = 400;          // of the vocabulary that questions are made of
};

struct Score {
  size_t right = 0;
  size_t opens = 0;  // first calls, that open their turn
  size_t missed = 0;
  size_t wrong = 0;
  std::map<std::string, size_t> by_source = {};
  double recall() const {
    return right + missed == 0 ? 1
                               : static_cast<double>(right) / static_cast<double>(right + missed);
  }
};

class World {
 public:
  explicit World(const Knobs& knobs);
  ~World();
  void run();

  Score models;
  Score tools;
  std::map<std::string, Score> by_kind;
  size_t links_right = 0;
  size_t links_wrong = 0;
  std::vector<ClosedTurn> turns;
  Registry::Counts peak = {};

 private:
  struct Work;
  struct Agent;
  struct Sent {
    ExecutionRef execution;
    uint32_t step;
  };
  using Then = std::function<void()>;

  void at(Nanoseconds delay, Then then);
  double fraction() { return chance_.fraction(); }
  size_t below(size_t bound) { return static_cast<size_t>(chance_.below(bound)); }
  Moment now() const;

  void begin_work();
  void begin_turn(std::shared_ptr<Agent> agent);
  void ask(std::shared_ptr<Agent> agent, bool again);
  void answer(std::shared_ptr<Agent> agent, Sent sent);
  void run_tool(std::shared_ptr<Agent> agent, size_t number);
  void call_tool(std::shared_ptr<Agent> agent, std::string kind, std::string method,
                 std::string path, std::string body, std::function<std::string()> answers,
                 std::function<void(std::string)> then);
  void delegate(std::shared_ptr<Agent> agent, std::string task,
                std::function<void(std::string)> then);
  void background();
  Sent send(const Call& call, const Work* work, const std::string& kind, bool begins);
  std::string question();
  std::string word();
  std::string day();
  std::string hex(size_t digits);
  std::string answer_text(const Agent& agent, std::vector<std::string>& pieces);

  const Knobs knobs_;
  Random chance_;
  Random popular_;
  Registry registry_;
  Nanoseconds time_{0};
  struct Event {
    Nanoseconds at;
    uint64_t order;
    std::shared_ptr<Then> then;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  size_t begun_ = 0;
  size_t running_ = 0;
  std::map<uint32_t, const Work*> owners_;
  std::map<uint64_t, const Work*> spans_;
  std::vector<std::unique_ptr<Work>> works_;
};

}  // namespace sidespan::lineage::simulation
