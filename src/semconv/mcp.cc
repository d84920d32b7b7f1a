#include "sidespan/semconv/mcp.h"

#include <algorithm>
#include <utility>

#include "semconv/json_rpc.h"

namespace sidespan::semconv {
namespace {

using json::Picked;

// What baggage may have at least (W3C Baggage 3.3.2): it is not only described, but written again.
constexpr json::PickerLimits kLimits{.value_bytes_max = 8192};

enum Pick : int {
  kMessage,
  kJsonRpc,
  kId,
  kMethod,
  kName,
  kUri,
  kVersion,
  kMetaVersion,
  kCancelled,
  kProgressToken,
  kTraceparent,
  kTracestate,
  kBaggage,
  kAnswers,
  kToolFailed,
  kErrorCode,
};

const json::PickTable& table() {
  static const json::PickTable kTable(
      {{"{}", kMessage},
       {"jsonrpc", kJsonRpc},
       {"id*", kId},
       {"method", kMethod},
       {"params.name", kName},
       {"params.uri", kUri},
       {"params.protocolVersion", kVersion},
       {"params.requestId*", kCancelled},
       {"params.progressToken*", kProgressToken},
       {"params._meta.progressToken*", kProgressToken},
       {"params._meta.traceparent", kTraceparent},
       {"params._meta.tracestate", kTracestate},
       {"params._meta.baggage", kBaggage},
       {"params._meta.'io.modelcontextprotocol/protocolVersion'", kMetaVersion},
       {"result", kAnswers},
       {"result{}", kAnswers},
       {"result.isError", kToolFailed},
       {"result.protocolVersion", kVersion},
       {"error{}", kAnswers},
       {"error.code", kErrorCode}},
      {"", "[]"});
  return kTable;
}

}  // namespace

bool McpMessage::is_progress() const {
  return method == "notifications/progress" && id.empty() && !progress_token.empty();
}

McpReader::McpReader(OnMessage on_message)
    : on_message_(std::move(on_message)), picker_(table(), *this, kLimits) {}

void McpReader::reset() {
  picker_.reset();
}

void McpReader::on_pick(const Picked& picked) {
  if (picked.id != kMessage) return take(picked);
  if (picked.kind == Picked::Kind::kObject) {
    message_ = {};
  } else {
    on_message_(message_);
  }
}

void McpReader::take(const Picked& picked) {
  const bool text = picked.kind == Picked::Kind::kText;
  switch (picked.id) {
    case kId:
      return take_rpc_id(message_.id, picked);
    case kJsonRpc:
      message_.json_rpc = text && picked.text == "2.0";
      return;
    case kCancelled:
      return take_rpc_id(message_.cancelled_id, picked);
    case kProgressToken:
      return take_rpc_id(message_.progress_token, picked);
    case kAnswers:
      message_.answers = true;
      return;
    case kToolFailed:
      message_.tool_failed = picked.kind == Picked::Kind::kBool && picked.truth;
      return;
    case kErrorCode:
      if (picked.kind == Picked::Kind::kInteger) message_.error_code = picked.integer;
      return;
    default:
      break;
  }
  if (text) take_text(picked);
}

void McpReader::take_text(const Picked& picked) {
  switch (picked.id) {
    case kTraceparent:
      message_.traceparent = picked.text;
      return;
    case kTracestate:
      message_.tracestate = picked.text;
      message_.tracestate_cut = picked.cut;
      return;
    case kBaggage:
      message_.baggage = picked.text;
      message_.baggage_cut = picked.cut;
      return;
    default:
      break;
  }
  std::string& to = picked.id == kMethod    ? message_.method
                    : picked.id == kName    ? message_.target
                    : picked.id == kUri     ? message_.uri
                    : picked.id == kVersion ? message_.protocol_version
                                            : message_.meta_version;
  to = picked.text.substr(0, kRpcTextBytesMax);
}

McpLines::McpLines(McpReader::OnMessage on_message)
    : messages_(std::move(on_message)), reader_(messages_.handler()) {}

void McpLines::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    reader_.feed(bytes.substr(0, end));
    if (end == std::string_view::npos) return;
    messages_.reset();
    reader_.reset();
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace sidespan::semconv
