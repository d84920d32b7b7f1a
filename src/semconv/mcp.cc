#include "sidespan/semconv/mcp.h"

#include <algorithm>
#include <utility>

namespace sidespan::semconv {
namespace {

using json::Picked;

// Longer ids, names and addresses are cut: they would make no good attributes.
constexpr json::PickerLimits kLimits{.value_bytes_max = 1024};

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

// An id that is cut might be another's.
void take_id(std::string& id, const Picked& picked) {
  const bool usable = !picked.cut && picked.text != "null" && !picked.text.starts_with('{') &&
                      !picked.text.starts_with('[');
  if (usable) id = picked.text;
}

}  // namespace

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
      return take_id(message_.id, picked);
    case kJsonRpc:
      message_.json_rpc = text && picked.text == "2.0";
      return;
    case kCancelled:
      return take_id(message_.cancelled_id, picked);
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
  if (!text) return;
  std::string& to = picked.id == kMethod        ? message_.method
                    : picked.id == kName        ? message_.target
                    : picked.id == kUri         ? message_.uri
                    : picked.id == kVersion     ? message_.protocol_version
                    : picked.id == kMetaVersion ? message_.meta_version
                    : picked.id == kTraceparent ? message_.traceparent
                    : picked.id == kTracestate  ? message_.tracestate
                                                : message_.baggage;
  to = picked.text;
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
