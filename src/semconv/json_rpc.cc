#include "semconv/json_rpc.h"

#include "sidespan/semconv/attributes.h"

namespace sidespan::semconv {

void take_rpc_id(std::string& id, const json::Picked& picked) {
  const bool usable = picked.text.size() <= kRpcTextBytesMax && picked.text != "null" &&
                      !picked.text.starts_with('{') && !picked.text.starts_with('[');
  if (usable) id = picked.text;
}

std::string_view unquoted_rpc_id(std::string_view id) {
  return id.size() >= 2 && id.front() == '"' ? id.substr(1, id.size() - 2) : id;
}

void describe_rpc_error(trace::Span& span, int64_t code) {
  const std::string text = std::to_string(code);
  span.attributes.set(attribute::kRpcResponseStatusCode, std::string_view(text));
  span.attributes.set(attribute::kErrorType, std::string_view(text));
  span.status = trace::SpanStatus::kError;
}

}  // namespace sidespan::semconv
