// The one table of attribute names: whoever sets, reads, shows or filters an attribute takes its
// name from here. Names follow OpenTelemetry semantic conventions 1.44 (kSchemaUrl); `sidespan.*`
// are our own, and users build dashboards on them: renaming one is a change for the CHANGELOG. Each
// name is a text, and besides stands there as it is exported.
#pragma once

#include <string_view>

#include "sidespan/trace/attributes.h"

namespace sidespan::semconv {

inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.44.0";

namespace attribute {

using Name = trace::AttributeName;

// gRPC (rpc/grpc). Release candidate. The status has had three names, of which the user takes one.
inline constexpr Name kRpcSystemName("rpc.system.name");
inline constexpr Name kRpcMethod("rpc.method");
inline constexpr Name kRpcStatusCode("rpc.status_code");
inline constexpr Name kRpcResponseStatusCode("rpc.response.status_code");
inline constexpr Name kRpcGrpcStatusCode("rpc.grpc.status_code");  // deprecated: a number

// MCP (gen-ai/mcp) and JSON-RPC. Development.
inline constexpr Name kMcpMethodName("mcp.method.name");
inline constexpr Name kMcpSessionId("mcp.session.id");
inline constexpr Name kMcpProtocolVersion("mcp.protocol.version");
inline constexpr Name kMcpResourceUri("mcp.resource.uri");
inline constexpr Name kJsonrpcRequestId("jsonrpc.request.id");
inline constexpr Name kNetworkTransport("network.transport");

// A2A (gen-ai: a2a). Development. Its context is gen_ai.conversation.id.
inline constexpr Name kA2aMethodName("a2a.method.name");
inline constexpr Name kA2aProtocolVersion("a2a.protocol.version");
inline constexpr Name kA2aTenant("a2a.tenant");
inline constexpr Name kA2aMessageId("a2a.message.id");
inline constexpr Name kA2aMessageReferenceTaskIds("a2a.message.reference_task_ids");
inline constexpr Name kA2aTaskId("a2a.task.id");
inline constexpr Name kA2aTaskState("a2a.task.state");

// GenAI (gen-ai: client-inference, client-embeddings). Development.
inline constexpr Name kGenAiOperationName("gen_ai.operation.name");
inline constexpr Name kGenAiProviderName("gen_ai.provider.name");
inline constexpr Name kGenAiConversationId("gen_ai.conversation.id");
inline constexpr Name kGenAiAgentName("gen_ai.agent.name");
inline constexpr Name kGenAiAgentVersion("gen_ai.agent.version");
inline constexpr Name kGenAiOutputType("gen_ai.output.type");
inline constexpr Name kGenAiRequestModel("gen_ai.request.model");
inline constexpr Name kGenAiRequestMaxTokens("gen_ai.request.max_tokens");
inline constexpr Name kGenAiRequestTemperature("gen_ai.request.temperature");
inline constexpr Name kGenAiRequestTopP("gen_ai.request.top_p");
inline constexpr Name kGenAiRequestTopK("gen_ai.request.top_k");
inline constexpr Name kGenAiRequestFrequencyPenalty("gen_ai.request.frequency_penalty");
inline constexpr Name kGenAiRequestPresencePenalty("gen_ai.request.presence_penalty");
inline constexpr Name kGenAiRequestSeed("gen_ai.request.seed");
inline constexpr Name kGenAiRequestChoiceCount("gen_ai.request.choice.count");
inline constexpr Name kGenAiRequestStream("gen_ai.request.stream");
inline constexpr Name kGenAiRequestReasoningLevel("gen_ai.request.reasoning.level");
inline constexpr Name kGenAiRequestStopSequences("gen_ai.request.stop_sequences");
inline constexpr Name kGenAiRequestEncodingFormats("gen_ai.request.encoding_formats");
inline constexpr Name kGenAiRequestPreviousResponseId("gen_ai.request.previous_response.id");
inline constexpr Name kGenAiEmbeddingsDimensionCount("gen_ai.embeddings.dimension.count");
inline constexpr Name kGenAiResponseId("gen_ai.response.id");
inline constexpr Name kGenAiResponseModel("gen_ai.response.model");
inline constexpr Name kGenAiResponseFinishReasons("gen_ai.response.finish_reasons");
inline constexpr Name kGenAiResponseTimeToFirstChunk("gen_ai.response.time_to_first_chunk");
inline constexpr Name kGenAiUsageInputTokens("gen_ai.usage.input_tokens");
inline constexpr Name kGenAiUsageOutputTokens("gen_ai.usage.output_tokens");
inline constexpr Name kGenAiUsageCacheReadInputTokens("gen_ai.usage.cache_read.input_tokens");
inline constexpr Name kGenAiUsageCacheWriteInputTokens("gen_ai.usage.cache_write.input_tokens");
inline constexpr Name kGenAiUsageReasoningOutputTokens("gen_ai.usage.reasoning.output_tokens");
// Content: JSON by the schemas of the convention.
inline constexpr Name kGenAiSystemInstructions("gen_ai.system_instructions");
inline constexpr Name kGenAiInputMessages("gen_ai.input.messages");
inline constexpr Name kGenAiOutputMessages("gen_ai.output.messages");
inline constexpr Name kGenAiToolName("gen_ai.tool.name");
inline constexpr Name kGenAiPromptName("gen_ai.prompt.name");

// Queues and topics (messaging: sqs, sns) and AWS. Development.
inline constexpr Name kMessagingSystem("messaging.system");
inline constexpr Name kMessagingOperationName("messaging.operation.name");
inline constexpr Name kMessagingOperationType("messaging.operation.type");
inline constexpr Name kMessagingDestinationName("messaging.destination.name");
inline constexpr Name kMessagingMessageId("messaging.message.id");
inline constexpr Name kMessagingBatchMessageCount("messaging.batch.message_count");
inline constexpr Name kAwsRequestId("aws.request_id");
inline constexpr Name kAwsSqsQueueUrl("aws.sqs.queue.url");
inline constexpr Name kAwsSnsTopicArn("aws.sns.topic.arn");

// HTTP spans (http/http-spans). Stable, except the body sizes.
inline constexpr Name kHttpRequestMethod("http.request.method");
inline constexpr Name kHttpRequestMethodOriginal("http.request.method_original");
inline constexpr Name kHttpRequestResendCount("http.request.resend_count");
inline constexpr Name kHttpRequestBodySize("http.request.body.size");
inline constexpr std::string_view kHttpRequestHeaderPrefix = "http.request.header.";
inline constexpr Name kHttpResponseStatusCode("http.response.status_code");
inline constexpr Name kHttpResponseBodySize("http.response.body.size");
inline constexpr std::string_view kHttpResponseHeaderPrefix = "http.response.header.";
inline constexpr Name kErrorType("error.type");
inline constexpr Name kUrlFull("url.full");
inline constexpr Name kUrlTemplate("url.template");  // development

// Of a request to the agent's own server.
inline constexpr Name kUrlScheme("url.scheme");
inline constexpr Name kUrlPath("url.path");
inline constexpr Name kUrlQuery("url.query");
inline constexpr Name kClientAddress("client.address");
inline constexpr Name kUserAgentOriginal("user_agent.original");

// Whom we called: by name, and the address that was dialled (registry: server, network).
inline constexpr Name kServerAddress("server.address");
inline constexpr Name kServerPort("server.port");
inline constexpr Name kNetworkPeerAddress("network.peer.address");
inline constexpr Name kNetworkPeerPort("network.peer.port");
inline constexpr Name kNetworkProtocolVersion("network.protocol.version");

// TLS towards the origin (registry: tls).
inline constexpr Name kTlsProtocolVersion("tls.protocol.version");  // development
inline constexpr Name kTlsResumed("tls.resumed");                   // development

// The service behind it. peer.service is the older name, which most backends still draw maps from.
inline constexpr Name kServicePeerName("service.peer.name");  // development
inline constexpr Name kPeerService("peer.service");           // deprecated

// The command of a `run` (cli/cli-spans, registry: process).
inline constexpr Name kProcessExecutableName("process.executable.name");
inline constexpr Name kProcessPid("process.pid");
inline constexpr Name kProcessExitCode("process.exit.code");

// The resource (registry: service, telemetry, host).
inline constexpr Name kServiceName("service.name");
inline constexpr Name kServiceInstanceId("service.instance.id");
inline constexpr Name kTelemetrySdkName("telemetry.sdk.name");
inline constexpr Name kTelemetrySdkLanguage("telemetry.sdk.language");
inline constexpr Name kTelemetrySdkVersion("telemetry.sdk.version");
inline constexpr Name kTelemetryDistroName("telemetry.distro.name");
inline constexpr Name kTelemetryDistroVersion("telemetry.distro.version");
inline constexpr Name kHostName("host.name");

inline constexpr Name kCostUsd("sidespan.cost.usd");

// Our own. Durations are seconds (double), sizes bytes.
inline constexpr Name kMode("sidespan.mode");
inline constexpr Name kEnd("sidespan.end");
inline constexpr Name kParentSource("sidespan.parent.source");
inline constexpr Name kPropagation("sidespan.propagation");  // blocked: by a signature
inline constexpr Name kExecutionId("sidespan.execution.id");
inline constexpr Name kExecutionSource("sidespan.execution.source");
inline constexpr Name kTurnId("sidespan.turn.id");
inline constexpr Name kTurnStep("sidespan.turn.step");
inline constexpr Name kInferred("sidespan.inferred");
inline constexpr Name kPhaseDns("sidespan.phase.dns");
inline constexpr Name kPhaseConnect("sidespan.phase.connect");
inline constexpr Name kPhaseTls("sidespan.phase.tls");
inline constexpr Name kPhaseSend("sidespan.phase.send");
inline constexpr Name kPhaseWait("sidespan.phase.wait");
inline constexpr Name kPhaseReceive("sidespan.phase.receive");
inline constexpr Name kTimeToFirstByte("sidespan.time_to_first_byte");
inline constexpr Name kStreamEvents("sidespan.stream.events");
inline constexpr Name kTapOff("sidespan.tap.off");                   // true: memory was short
inline constexpr Name kTunnelReason("sidespan.tunnel.reason");       // why nobody looked inside
inline constexpr Name kTunnelClosedBy("sidespan.tunnel.closed_by");  // agent, origin: the first FIN
// What its ClientHello says in the clear.
inline constexpr Name kTlsServerName("sidespan.tls.server_name");
inline constexpr Name kTlsAlpn("sidespan.tls.alpn");
inline constexpr Name kBytesSent("sidespan.bytes.sent");
inline constexpr Name kBytesReceived("sidespan.bytes.received");
// Of a request of MCP: how often its server told of its progress.
inline constexpr Name kMcpProgress("sidespan.mcp.progress");
// Of a WebSocket: whole messages, and what its first close frame says, from whichever side.
inline constexpr Name kWebSocketMessagesSent("sidespan.websocket.messages.sent");
inline constexpr Name kWebSocketMessagesReceived("sidespan.websocket.messages.received");
inline constexpr Name kWebSocketCloseCode("sidespan.websocket.close_code");
// Of a call of gRPC: whole messages, and how long its client waits (seconds).
inline constexpr Name kGrpcMessagesSent("sidespan.grpc.messages.sent");
inline constexpr Name kGrpcMessagesReceived("sidespan.grpc.messages.received");
inline constexpr Name kGrpcTimeout("sidespan.grpc.timeout");
// Of a batch: how many of its messages were not taken.
inline constexpr Name kMessagingFailed("sidespan.messaging.failed");
// Why calls in it have no spans, or no more of them: extension, malformed, limit, memory.
inline constexpr Name kWebSocketUnread("sidespan.websocket.unread");
// What a model asked for, and what it was given back since it spoke last: arrays, each kind in one
// order. Arguments and texts are content.
inline constexpr Name kToolCallIds("sidespan.tool_calls.ids");
inline constexpr Name kToolCallNames("sidespan.tool_calls.names");
inline constexpr Name kToolCallArguments("sidespan.tool_calls.arguments");
inline constexpr Name kToolResultIds("sidespan.tool_results.ids");
inline constexpr Name kToolResultTexts("sidespan.tool_results.texts");
inline constexpr Name kToolsLeftOut("sidespan.tools.left_out");  // calls and results over a limit
// What the provider calls an error. The text is content.
inline constexpr Name kProviderErrorType("sidespan.provider.error.type");
inline constexpr Name kProviderErrorCode("sidespan.provider.error.code");
inline constexpr Name kProviderErrorText("sidespan.provider.error.text");

}  // namespace attribute
}  // namespace sidespan::semconv
