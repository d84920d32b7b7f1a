#include "sidespan/semconv/mcp_span.h"

#include <string>

#include "semconv/json_rpc.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv {
namespace {

constexpr std::string_view kToolsCall = "tools/call";
constexpr std::string_view kPromptsGet = "prompts/get";
constexpr std::string_view kExecuteTool = "execute_tool";
constexpr std::string_view kToolError = "tool_error";

void describe_target(trace::Span& span, const McpMessage& request) {
  if (request.method == kToolsCall) {
    span.attributes.set(attribute::kGenAiOperationName, kExecuteTool);
    span.attributes.set(attribute::kGenAiToolName, std::string_view(request.target));
  } else if (request.method == kPromptsGet) {
    span.attributes.set(attribute::kGenAiPromptName, std::string_view(request.target));
  } else {
    return;
  }
  if (!request.target.empty()) span.name.append(" ").append(request.target);
}

}  // namespace

void describe_mcp(trace::Span& span, const McpFacts& facts, std::span<const std::string> redact) {
  const McpMessage& request = *facts.request;
  trace::Attributes& attributes = span.attributes;
  span.name = request.method;
  attributes.set(attribute::kMcpMethodName, std::string_view(request.method));
  describe_target(span, request);
  if (!request.uri.empty()) {
    std::string uri;
    append_redacted_reference(uri, request.uri, redact);
    attributes.set(attribute::kMcpResourceUri, std::string_view(uri));
  }
  if (!request.id.empty())
    attributes.set(attribute::kJsonrpcRequestId, unquoted_rpc_id(request.id));
  if (!facts.session_id.empty()) attributes.set(attribute::kMcpSessionId, facts.session_id);
  const std::string_view version = !request.meta_version.empty()
                                       ? std::string_view(request.meta_version)
                                       : facts.protocol_version;
  if (!version.empty()) attributes.set(attribute::kMcpProtocolVersion, version);
  if (!facts.transport.empty()) attributes.set(attribute::kNetworkTransport, facts.transport);
  describe_mcp_progress(span, facts.progress);
  if (facts.answer != nullptr) describe_mcp_answer(span, *facts.answer);
}

void describe_mcp_progress(trace::Span& span, uint64_t progress) {
  if (progress == 0) return;
  span.attributes.set(attribute::kMcpProgress, static_cast<int64_t>(progress));
}

void describe_mcp_answer(trace::Span& span, const McpMessage& answer) {
  // What the server chose counts; the client's wish does not.
  if (!answer.protocol_version.empty()) {
    span.attributes.set(attribute::kMcpProtocolVersion, std::string_view(answer.protocol_version));
  }
  if (answer.error_code) {
    describe_rpc_error(span, *answer.error_code);
  } else if (answer.tool_failed) {
    span.attributes.set(attribute::kErrorType, kToolError);
    span.status = trace::SpanStatus::kError;
  }
}

}  // namespace sidespan::semconv
