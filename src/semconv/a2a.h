// A2A (Agent2Agent protocol, 0.2 to 1.0) as far as a span needs it: which of its operations a call
// is, by a name of JSON-RPC or by a path of the HTTP+JSON binding, what a request says, and what
// its answers say, one or a stream of them. Both bindings put the same documents in different
// places. Used by A2aObserver, which knows the heads. Bounded: texts are kept up to a length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/json/picker.h"

namespace sidespan::semconv {

// The operations, in the order of their names (specification 1.0, section 5.3).
enum class A2aMethod : uint8_t {
  kSendMessage,
  kSendStreamingMessage,
  kGetTask,
  kListTasks,
  kCancelTask,
  kSubscribeToTask,
  kCreatePushConfig,
  kGetPushConfig,
  kListPushConfigs,
  kDeletePushConfig,
  kGetExtendedCard,
};
// As `a2a.method.name` has it, whatever the version: "SendMessage".
std::string_view name_of(A2aMethod method);
// Of a JSON-RPC method: "SendMessage" (1.0), "message/send" (before).
std::optional<A2aMethod> a2a_method(std::string_view name);

enum class A2aBinding : uint8_t { kJsonRpc, kRest };

// What a path of the HTTP+JSON binding asks for.
struct A2aPath {
  A2aMethod method;
  std::string_view task_id = {};  // as written
  // What its name alone makes sure of. Paths about tasks are common elsewhere: with one of those
  // something else must say that it is A2A.
  bool unmistakable = false;
  bool versioned = false;  // it has the "v1" that such paths had before 1.0
};
// `path`: without its query.
std::optional<A2aPath> a2a_path(std::string_view http_method, std::string_view path);
// Of an agent's card (section 8.2; "agent.json" before 0.3). As above.
bool is_agent_card_path(std::string_view path);

struct A2aRequest {
  bool json_rpc = false;  // it says that it is version 2.0
  std::string id = {};    // of JSON-RPC, as it stands there
  std::string method = {};
  std::string message_id = {};
  std::string context_id = {};
  std::string message_task_id = {};  // of the message
  std::string task_id = {};          // `taskId`
  std::string object_id = {};        // `id`: of a task, or of a push notification config
  std::string tenant = {};
  std::vector<std::string> reference_task_ids = {};

  const std::string& task() const {
    return !message_task_id.empty() ? message_task_id : !task_id.empty() ? task_id : object_id;
  }
};

// What is known after the last answer.
struct A2aAnswer {
  std::string task_id = {};
  std::string object_id = {};  // `id`: of a task, or of a push notification config
  std::string context_id = {};
  std::string_view task_state = {};  // as `a2a.task.state` has it; empty: none came
  std::optional<int64_t> error_code = {};
};

// The first document that it is given, if that is an object.
class A2aRequestReader final : private json::PickSink {
 public:
  A2aRequestReader(A2aBinding binding, A2aRequest& request);
  json::Handler& handler() { return picker_; }
  void reset() { picker_.reset(); }

 private:
  void on_pick(const json::Picked& picked) override;

  A2aRequest& request_;
  json::Picker picker_;
};

// One answer after another.
class A2aAnswerReader final : private json::PickSink {
 public:
  A2aAnswerReader(A2aBinding binding, A2aAnswer& answer);
  json::Handler& handler() { return picker_; }
  void reset() { picker_.reset(); }

 private:
  void on_pick(const json::Picked& picked) override;

  A2aAnswer& answer_;
  json::Picker picker_;
};

// Whether a request of JSON-RPC is one of A2A. `declared`: a field of its head says so. Without one
// a name alone is not enough where others have it, too: `tasks/get` is also one of MCP, and
// `SendMessage` may be anybody's.
std::optional<A2aMethod> recognize_a2a(const A2aRequest& request, bool declared);

}  // namespace sidespan::semconv
