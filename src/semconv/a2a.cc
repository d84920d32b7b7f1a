#include "semconv/a2a.h"

#include <algorithm>
#include <array>
#include <span>

#include "semconv/json_rpc.h"

namespace sidespan::semconv {
namespace {

using json::Picked;
using json::PickTable;

constexpr size_t kReferencesMax = 8;

struct MethodNames {
  std::string_view name;
  std::string_view before;  // 1.0
};
// In the order of A2aMethod.
constexpr std::array<MethodNames, 11> kMethods = {{
    {"SendMessage", "message/send"},
    {"SendStreamingMessage", "message/stream"},
    {"GetTask", "tasks/get"},
    {"ListTasks", "tasks/list"},
    {"CancelTask", "tasks/cancel"},
    {"SubscribeToTask", "tasks/resubscribe"},
    {"CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"},
    {"GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"},
    {"ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"},
    {"DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"},
    {"GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"},
}};

struct StateNames {
  std::string_view name;
  std::string_view before;  // 1.0
};
constexpr std::array<StateNames, 10> kStates = {{
    {"TASK_STATE_SUBMITTED", "submitted"},
    {"TASK_STATE_WORKING", "working"},
    {"TASK_STATE_INPUT_REQUIRED", "input-required"},
    {"TASK_STATE_COMPLETED", "completed"},
    {"TASK_STATE_CANCELED", "canceled"},
    {"TASK_STATE_FAILED", "failed"},
    {"TASK_STATE_REJECTED", "rejected"},
    {"TASK_STATE_AUTH_REQUIRED", "auth-required"},
    {"TASK_STATE_UNSPECIFIED", "unknown"},
    // As the HTTP+JSON binding of 0.3 spells it.
    {"TASK_STATE_CANCELED", "TASK_STATE_CANCELLED"},
}};

std::string_view state_of(std::string_view told) {
  const auto* const found = std::ranges::find_if(
      kStates, [&](const StateNames& one) { return one.name == told || one.before == told; });
  return found == kStates.end() ? std::string_view() : found->name;
}

bool sends_message(A2aMethod method) {
  return method == A2aMethod::kSendMessage || method == A2aMethod::kSendStreamingMessage;
}

enum Pick : int {
  kJsonRpc,
  kId,
  kMethod,
  kMessageId,
  kContextId,
  kMessageTaskId,
  kReferences,
  kTaskId,
  kObjectId,
  kTenant,
  kState,
  kErrorCode,
};

constexpr std::array<PickTable::Row, 3> kEnvelope = {
    {{"jsonrpc", kJsonRpc}, {"id*", kId}, {"method", kMethod}}};
constexpr std::array<PickTable::Row, 4> kMessage = {{
    {"messageId", kMessageId},
    {"contextId", kContextId},
    {"taskId", kMessageTaskId},
    {"referenceTaskIds[]", kReferences},
}};
// As the names of protobuf, which its JSON may have as well: 0.3's clients of HTTP+JSON do that.
constexpr std::array<PickTable::Row, 3> kProtoMessage = {{
    {"message_id", kMessageId},
    {"context_id", kContextId},
    {"task_id", kMessageTaskId},
}};
constexpr std::array<PickTable::Row, 4> kRequest = {{
    {"contextId", kContextId},
    {"taskId", kTaskId},
    {"id", kObjectId},
    {"tenant", kTenant},
}};
// A task, a message or an update: itself (before 1.0, and of GetTask), or as the one member.
constexpr std::array<PickTable::Row, 14> kAnswer = {{
    {"id", kObjectId},
    {"taskId", kTaskId},
    {"contextId", kContextId},
    {"status.state", kState},
    {"task.id", kTaskId},
    {"task.contextId", kContextId},
    {"task.status.state", kState},
    {"message.taskId", kTaskId},
    {"message.contextId", kContextId},
    {"statusUpdate.taskId", kTaskId},
    {"statusUpdate.contextId", kContextId},
    {"statusUpdate.status.state", kState},
    {"artifactUpdate.taskId", kTaskId},
    {"artifactUpdate.contextId", kContextId},
}};
constexpr std::array<PickTable::Row, 1> kError = {{{"error.code", kErrorCode}}};
constexpr std::array<std::string_view, 1> kTop = {""};
constexpr std::array<std::string_view, 1> kParams = {"params."};
constexpr std::array<std::string_view, 1> kParamsMessage = {"params.message."};
constexpr std::array<std::string_view, 1> kRestMessage = {"message."};
constexpr std::array<std::string_view, 1> kProtoRequest = {"request."};
constexpr std::array<std::string_view, 1> kResult = {"result."};

const PickTable& request_table(A2aBinding binding) {
  static constexpr std::array<PickTable::Part, 3> kRpcParts = {
      {{kEnvelope, kTop}, {kRequest, kParams}, {kMessage, kParamsMessage}}};
  static constexpr std::array<PickTable::Part, 3> kRestParts = {
      {{kRequest, kTop}, {kMessage, kRestMessage}, {kProtoMessage, kProtoRequest}}};
  static const PickTable kRpc{std::span<const PickTable::Part>(kRpcParts)};
  static const PickTable kRest{std::span<const PickTable::Part>(kRestParts)};
  return binding == A2aBinding::kJsonRpc ? kRpc : kRest;
}

const PickTable& answer_table(A2aBinding binding) {
  static constexpr std::array<PickTable::Part, 2> kRpcParts = {
      {{kError, kTop}, {kAnswer, kResult}}};
  static constexpr std::array<PickTable::Part, 1> kRestParts = {{{kAnswer, kTop}}};
  static const PickTable kRpc{std::span<const PickTable::Part>(kRpcParts)};
  static const PickTable kRest{std::span<const PickTable::Part>(kRestParts)};
  return binding == A2aBinding::kJsonRpc ? kRpc : kRest;
}

// An id that is cut might be another's.
void take_text(std::string& to, const Picked& picked) {
  if (!picked.cut) to = picked.text;
}

// From the end of a path, segment by segment.
std::string_view take_last_segment(std::string_view& path) {
  const std::string_view whole = path;
  const size_t slash = whole.rfind('/');
  path = whole.substr(0, slash == std::string_view::npos ? 0 : slash);
  return whole.substr(slash + 1);  // npos + 1 is 0
}

std::optional<A2aPath> push_config_path(std::string_view http_method, std::string_view path,
                                        bool one) {
  const std::string_view task = take_last_segment(path);
  if (task.empty() || take_last_segment(path) != "tasks") return std::nullopt;
  const auto found = [&](A2aMethod method) {
    return A2aPath{.method = method, .task_id = task, .unmistakable = true};
  };
  if (http_method == "GET") {
    return found(one ? A2aMethod::kGetPushConfig : A2aMethod::kListPushConfigs);
  }
  if (http_method == "DELETE" && one) return found(A2aMethod::kDeletePushConfig);
  if (http_method == "POST" && !one) return found(A2aMethod::kCreatePushConfig);
  return std::nullopt;
}

// ".../tasks/ID", ".../tasks/ID:cancel", ".../tasks/ID:subscribe"; `task` is the last segment,
// `path` what stands before "tasks".
std::optional<A2aPath> task_path(std::string_view http_method, std::string_view path,
                                 std::string_view task) {
  if (task.empty()) return std::nullopt;
  const bool versioned = take_last_segment(path) == "v1";
  const size_t colon = task.rfind(':');
  const std::string_view verb =
      colon == std::string_view::npos ? std::string_view() : task.substr(colon + 1);
  const auto found = [&](A2aMethod method, std::string_view id) {
    return A2aPath{.method = method, .task_id = id, .versioned = versioned};
  };
  const bool gets = http_method == "GET";
  const bool posts = http_method == "POST";
  if (verb == "cancel" && posts) return found(A2aMethod::kCancelTask, task.substr(0, colon));
  if (verb == "subscribe" && (gets || posts)) {
    return found(A2aMethod::kSubscribeToTask, task.substr(0, colon));
  }
  if (gets) return found(A2aMethod::kGetTask, task);
  return std::nullopt;
}

}  // namespace

std::string_view name_of(A2aMethod method) {
  return kMethods[static_cast<size_t>(method)].name;
}

std::optional<A2aMethod> a2a_method(std::string_view name) {
  const auto* const found = std::ranges::find_if(
      kMethods, [&](const MethodNames& one) { return one.name == name || one.before == name; });
  if (found == kMethods.end()) return std::nullopt;
  return static_cast<A2aMethod>(found - kMethods.begin());
}

std::optional<A2aPath> a2a_path(std::string_view http_method, std::string_view path) {
  constexpr std::string_view kPushConfigs = "pushNotificationConfigs";
  const std::string_view last = take_last_segment(path);
  const auto named = [](A2aMethod method, bool unmistakable) {
    return A2aPath{.method = method, .unmistakable = unmistakable};
  };
  if (http_method == "POST") {
    if (last == "message:send") return named(A2aMethod::kSendMessage, true);
    if (last == "message:stream") return named(A2aMethod::kSendStreamingMessage, true);
  }
  if (http_method == "GET") {
    if (last == "extendedAgentCard") return named(A2aMethod::kGetExtendedCard, true);
    if (last == "card" && path.ends_with("/v1")) return named(A2aMethod::kGetExtendedCard, false);
    if (last == "tasks") return named(A2aMethod::kListTasks, false);
  }
  if (path.empty()) return std::nullopt;
  if (last == kPushConfigs) return push_config_path(http_method, path, false);
  const std::string_view above = take_last_segment(path);
  if (above == kPushConfigs) return push_config_path(http_method, path, true);
  return above == "tasks" ? task_path(http_method, path, last) : std::nullopt;
}

bool is_agent_card_path(std::string_view path) {
  constexpr std::string_view kCard = "/.well-known/agent-card.json";
  constexpr std::string_view kEarlierCard = "/.well-known/agent.json";
  return path.ends_with(kCard) || path.ends_with(kEarlierCard);
}

A2aRequestReader::A2aRequestReader(A2aBinding binding, A2aRequest& request)
    : request_(request), picker_(request_table(binding), *this) {}

void A2aRequestReader::on_pick(const Picked& picked) {
  if (picked.id == kId) return take_rpc_id(request_.id, picked);
  if (picked.kind != Picked::Kind::kText) return;
  switch (picked.id) {
    case kJsonRpc:
      request_.json_rpc = picked.text == "2.0";
      return;
    case kMethod:
      // The first counts: if it is another's, no more is read.
      if (request_.method.empty()) take_text(request_.method, picked);
      return;
    case kMessageId:
      return take_text(request_.message_id, picked);
    case kContextId:
      return take_text(request_.context_id, picked);
    case kMessageTaskId:
      return take_text(request_.message_task_id, picked);
    case kTaskId:
      return take_text(request_.task_id, picked);
    case kObjectId:
      return take_text(request_.object_id, picked);
    case kTenant:
      return take_text(request_.tenant, picked);
    default:
      break;
  }
  if (!picked.cut && request_.reference_task_ids.size() < kReferencesMax) {
    request_.reference_task_ids.emplace_back(picked.text);
  }
}

A2aAnswerReader::A2aAnswerReader(A2aBinding binding, A2aAnswer& answer)
    : answer_(answer), picker_(answer_table(binding), *this) {}

void A2aAnswerReader::on_pick(const Picked& picked) {
  if (picked.id == kErrorCode) {
    if (picked.kind == Picked::Kind::kInteger) answer_.error_code = picked.integer;
    return;
  }
  if (picked.kind != Picked::Kind::kText) return;
  if (picked.id == kState) {
    const std::string_view state = state_of(picked.text);
    if (!state.empty()) answer_.task_state = state;
    return;
  }
  take_text(picked.id == kTaskId     ? answer_.task_id
            : picked.id == kObjectId ? answer_.object_id
                                     : answer_.context_id,
            picked);
}

std::optional<A2aMethod> recognize_a2a(const A2aRequest& request, bool declared) {
  if (!request.json_rpc) return std::nullopt;
  const std::optional<A2aMethod> method = a2a_method(request.method);
  if (!method || declared) return method;
  if (sends_message(*method)) return request.message_id.empty() ? std::nullopt : method;
  if (request.method.find('/') == std::string::npos) return std::nullopt;
  switch (*method) {
    case A2aMethod::kListTasks:
      return std::nullopt;
    case A2aMethod::kGetTask:
    case A2aMethod::kCancelTask:
      // MCP's have `taskId`.
      return request.object_id.empty() || !request.task_id.empty() ? std::nullopt : method;
    default:
      return method;
  }
}

}  // namespace sidespan::semconv
