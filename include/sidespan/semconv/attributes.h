// The one table of attribute names: whoever sets, reads, shows or filters an attribute takes its
// name from here. Names follow OpenTelemetry semantic conventions 1.44 (kSchemaUrl); `sidespan.*`
// are our own, and users build dashboards on them: renaming one is a change for the CHANGELOG.
#pragma once

#include <string_view>

namespace sidespan::semconv {

inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.44.0";

namespace attribute {

// HTTP spans (http/http-spans). Stable, except the body sizes.
inline constexpr std::string_view kHttpRequestMethod = "http.request.method";
inline constexpr std::string_view kHttpRequestMethodOriginal = "http.request.method_original";
inline constexpr std::string_view kHttpRequestResendCount = "http.request.resend_count";
inline constexpr std::string_view kHttpRequestBodySize = "http.request.body.size";
inline constexpr std::string_view kHttpRequestHeaderPrefix = "http.request.header.";
inline constexpr std::string_view kHttpResponseStatusCode = "http.response.status_code";
inline constexpr std::string_view kHttpResponseBodySize = "http.response.body.size";
inline constexpr std::string_view kHttpResponseHeaderPrefix = "http.response.header.";
inline constexpr std::string_view kErrorType = "error.type";
inline constexpr std::string_view kUrlFull = "url.full";
inline constexpr std::string_view kUrlTemplate = "url.template";  // development

// Whom we called: by name, and the address that was dialled (registry: server, network).
inline constexpr std::string_view kServerAddress = "server.address";
inline constexpr std::string_view kServerPort = "server.port";
inline constexpr std::string_view kNetworkPeerAddress = "network.peer.address";
inline constexpr std::string_view kNetworkPeerPort = "network.peer.port";
inline constexpr std::string_view kNetworkProtocolVersion = "network.protocol.version";

// The service behind it. peer.service is the older name, which most backends still draw maps from.
inline constexpr std::string_view kServicePeerName = "service.peer.name";  // development
inline constexpr std::string_view kPeerService = "peer.service";           // deprecated

// The command of a `run` (cli/cli-spans, registry: process).
inline constexpr std::string_view kProcessExecutableName = "process.executable.name";
inline constexpr std::string_view kProcessPid = "process.pid";
inline constexpr std::string_view kProcessExitCode = "process.exit.code";

// The resource (registry: service, telemetry, host).
inline constexpr std::string_view kServiceName = "service.name";
inline constexpr std::string_view kServiceInstanceId = "service.instance.id";
inline constexpr std::string_view kTelemetrySdkName = "telemetry.sdk.name";
inline constexpr std::string_view kTelemetrySdkLanguage = "telemetry.sdk.language";
inline constexpr std::string_view kTelemetrySdkVersion = "telemetry.sdk.version";
inline constexpr std::string_view kTelemetryDistroName = "telemetry.distro.name";
inline constexpr std::string_view kTelemetryDistroVersion = "telemetry.distro.version";
inline constexpr std::string_view kHostName = "host.name";

// Our own. Durations are seconds (double), sizes bytes.
inline constexpr std::string_view kMode = "sidespan.mode";
inline constexpr std::string_view kEnd = "sidespan.end";
inline constexpr std::string_view kParentSource = "sidespan.parent.source";
inline constexpr std::string_view kExecutionId = "sidespan.execution.id";
inline constexpr std::string_view kExecutionSource = "sidespan.execution.source";
inline constexpr std::string_view kPhaseDns = "sidespan.phase.dns";
inline constexpr std::string_view kPhaseConnect = "sidespan.phase.connect";
inline constexpr std::string_view kPhaseSend = "sidespan.phase.send";
inline constexpr std::string_view kPhaseWait = "sidespan.phase.wait";
inline constexpr std::string_view kPhaseReceive = "sidespan.phase.receive";
inline constexpr std::string_view kTimeToFirstByte = "sidespan.time_to_first_byte";
inline constexpr std::string_view kStreamEvents = "sidespan.stream.events";
inline constexpr std::string_view kTapOff = "sidespan.tap.off";  // true: memory was short
inline constexpr std::string_view kBytesSent = "sidespan.bytes.sent";
inline constexpr std::string_view kBytesReceived = "sidespan.bytes.received";

}  // namespace attribute
}  // namespace sidespan::semconv
