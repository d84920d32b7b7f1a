#include "semconv/aws_messaging.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv {
namespace {

using json::Picked;

constexpr int kFirstErrorStatus = 400;
constexpr size_t kActionBytesMax = 64;
constexpr std::string_view kSend = "send";

struct Operation {
  std::string_view action;
  std::string_view type;
  bool sends_batch = false;
  bool receives = false;
};
constexpr std::array<Operation, 7> kOperations = {{
    {.action = "SendMessage", .type = kSend},
    {.action = "SendMessageBatch", .type = kSend, .sends_batch = true},
    {.action = "ReceiveMessage", .type = "receive", .receives = true},
    {.action = "DeleteMessage", .type = "settle"},
    {.action = "DeleteMessageBatch", .type = "settle", .sends_batch = true},
    {.action = "Publish", .type = kSend},
    {.action = "PublishBatch", .type = kSend, .sends_batch = true},
}};

Operation operation_of(std::string_view action) {
  const auto* const found = std::ranges::find(kOperations, action, &Operation::action);
  return found == kOperations.end() ? Operation{.action = action, .type = {}} : *found;
}

// A name that becomes a span's.
bool is_action(std::string_view text) {
  return !text.empty() && text.size() <= kActionBytesMax &&
         std::ranges::all_of(text, text::is_alpha);
}

std::optional<AwsQueueService> service_named(std::string_view name) {
  if (name == "sqs") return AwsQueueService::kSqs;
  if (name == "sns") return AwsQueueService::kSns;
  return std::nullopt;
}

// "sqs.eu-west-1.amazonaws.com", "eu-west-1.queue.amazonaws.com", "vpce-1.sqs.….vpce.amazonaws.com"
std::optional<AwsQueueService> service_of_host(std::string_view host) {
  host = text::without_root_dot(host);
  if (!host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn") &&
      !host.ends_with(".api.aws")) {
    return std::nullopt;
  }
  std::optional<std::string_view> rest = host;
  while (rest) {
    std::string_view label = text::split_first(rest, '.');
    if (label.ends_with("-fips")) label.remove_suffix(5);
    if (label == "queue") return AwsQueueService::kSqs;
    if (const auto service = service_named(label)) return service;
  }
  return std::nullopt;
}

// The scope of a signature (SigV4): "...AKID/20261127/eu-west-1/sns/aws4_request...".
std::optional<AwsQueueService> service_of_scope(std::string_view text) {
  constexpr std::string_view kScopeEnd = "/aws4_request";
  const std::string_view scope = text.substr(0, text.find(kScopeEnd));
  return service_named(scope.substr(scope.rfind('/') + 1));
}

// As written; none: nothing of that name.
std::optional<std::string_view> parameter_of(std::string_view query, std::string_view name) {
  std::optional<std::string_view> rest = query;
  while (rest) {
    const std::string_view pair = text::split_first(rest, '&');
    if (!pair.starts_with(name) || !pair.substr(name.size()).starts_with('=')) continue;
    return pair.substr(name.size() + 1);
  }
  return std::nullopt;
}

// Where the request is signed: in a field, or in its query where it was signed beforehand.
std::optional<AwsQueueService> service_of_signature(const http::Headers& headers,
                                                    std::string_view query) {
  const std::string_view field = headers.find(http::FieldName::kAuthorization).value_or("");
  if (field.starts_with("AWS4-")) return service_of_scope(field);
  const std::string_view signed_for = parameter_of(query, "X-Amz-Credential").value_or("");
  return service_of_scope(text::percent_decode(signed_for));
}

std::string_view behind_last(std::string_view text, char separator) {
  return text.substr(text.rfind(separator) + 1);
}

void take_text(std::string& to, std::string_view text, bool cut) {
  if (!cut) to = text;
}

void take_failure(AwsQueueCall& call, std::string_view code) {
  if (++call.failed == 1) call.failure = code;
}

void take_message(AwsQueueCall& call, std::string_view id, bool cut) {
  if (call.message_id.empty()) take_text(call.message_id, id, cut);
}

enum Pick : int {
  kQueueUrl,
  kEntry,
  kMessageId,
  kMessage,
  kFailed,
  kError,
};

const json::PickTable& table() {
  static const json::PickTable kTable({{"QueueUrl", kQueueUrl},
                                       {"Entries[].Id", kEntry},
                                       {"MessageId", kMessageId},
                                       {"Messages[].MessageId", kMessage},
                                       {"Failed[].Code", kFailed},
                                       {"__type", kError}});
  return kTable;
}

// Where to: a queue by the end of its URL, a topic by that of its ARN.
std::string_view destination_of(const AwsQueueCall& call) {
  if (call.service == AwsQueueService::kSns) return behind_last(call.topic_arn, ':');
  std::string_view url = call.queue_url;
  url = url.substr(0, url.find('?'));
  if (url.ends_with('/')) url.remove_suffix(1);
  return behind_last(url, '/');
}

void set_error(trace::Span& span, std::string_view type) {
  span.attributes.set(attribute::kErrorType, type);
  span.status = trace::SpanStatus::kError;
}

}  // namespace

std::optional<AwsQueueEndpoint> aws_queue_endpoint(const http::Head& request, std::string_view host,
                                                   std::string_view query) {
  constexpr std::string_view kSqsTarget = "AmazonSQS.";
  constexpr std::string_view kSnsTarget = "AmazonSimpleNotificationService.";
  // The query protocol's form may be the query of a GET.
  const bool in_query = !query.empty() && request.asks("GET") && parameter_of(query, "Action");
  if (!in_query && !request.asks("POST")) return std::nullopt;
  const http::Headers& headers = request.headers;
  const std::string_view type = headers.find(http::FieldName::kContentType).value_or("");
  if (!in_query && text::equal_ignoring_case(type.substr(0, 18), "application/x-amz-")) {
    const std::string_view target = headers.find("x-amz-target").value_or("");
    for (const auto& [beginning, service] :
         {std::pair(kSqsTarget, AwsQueueService::kSqs), {kSnsTarget, AwsQueueService::kSns}}) {
      if (!target.starts_with(beginning)) continue;
      const std::string_view action = target.substr(beginning.size());
      if (!is_action(action)) return std::nullopt;
      return AwsQueueEndpoint{.service = service, .json = true, .action = std::string(action)};
    }
    return std::nullopt;
  }
  if (!in_query &&
      !headers.lists(http::FieldName::kContentType, "application/x-www-form-urlencoded")) {
    return std::nullopt;
  }
  std::optional<AwsQueueService> service = service_of_host(host);
  if (!service) service = service_of_signature(headers, query);
  if (!service) return std::nullopt;
  return AwsQueueEndpoint{.service = *service, .in_query = in_query};
}

void describe_aws_queue(trace::Span& span, const AwsQueueCall& call, int status,
                        std::span<const std::string> redact) {
  if (!is_action(call.action)) return;
  const Operation operation = operation_of(call.action);
  const auto set = [&](const attribute::Name& name, std::string_view value) {
    if (!value.empty()) span.attributes.set(name, value);
  };
  const std::string_view destination = destination_of(call);
  span.name = call.action;
  if (!destination.empty()) span.name.append(" ").append(destination);
  set(attribute::kMessagingSystem, call.service == AwsQueueService::kSqs ? "aws_sqs" : "aws.sns");
  set(attribute::kMessagingOperationName, call.action);
  set(attribute::kMessagingOperationType, operation.type);
  if (operation.type == kSend) span.kind = trace::SpanKind::kProducer;
  set(attribute::kMessagingDestinationName, destination);
  std::string url;
  append_redacted_reference(url, call.queue_url, redact);
  set(attribute::kAwsSqsQueueUrl, url);
  set(attribute::kAwsSnsTopicArn, call.topic_arn);
  set(attribute::kAwsRequestId, call.request_id);
  const bool answered = status != 0 && status < kFirstErrorStatus;
  if (operation.sends_batch || (operation.receives && answered)) {
    const uint64_t count = operation.receives ? call.messages : call.entries;
    span.attributes.set(attribute::kMessagingBatchMessageCount, static_cast<int64_t>(count));
  }
  // Of several, one would stand for all.
  const bool single = operation.receives ? call.messages == 1 : !operation.sends_batch;
  if (single) set(attribute::kMessagingMessageId, call.message_id);
  if (status >= kFirstErrorStatus && !call.error.empty()) return set_error(span, call.error);
  if (call.failed == 0) return;
  span.attributes.set(attribute::kMessagingFailed, static_cast<int64_t>(call.failed));
  if (call.failed >= call.entries) set_error(span, call.failure);
}

AwsQueueJson::AwsQueueJson(AwsQueueCall& call) : call_(call), picker_(table(), *this) {}

void AwsQueueJson::on_pick(const Picked& picked) {
  if (picked.kind != Picked::Kind::kText) return;
  switch (picked.id) {
    case kQueueUrl:
      return take_text(call_.queue_url, picked.text, picked.cut);
    case kEntry:
      ++call_.entries;
      return;
    case kMessage:
      ++call_.messages;
      [[fallthrough]];
    case kMessageId:
      return take_message(call_, picked.text, picked.cut);
    case kFailed:
      return take_failure(call_, picked.text);
    default:
      // "com.amazonaws.sqs#QueueDoesNotExist"
      return take_text(call_.error, behind_last(picked.text, '#'), picked.cut);
  }
}

void take_aws_queue_pair(AwsQueueCall& call, const FormReader::Pair& pair) {
  const auto& [name, value, cut] = pair;
  if (name == "Action") {
    take_text(call.action, value, cut);
  } else if (name == "QueueUrl") {
    take_text(call.queue_url, value, cut);
  } else if (name == "TopicArn" || name == "TargetArn") {
    take_text(call.topic_arn, value, cut);
  } else if (name.ends_with(".Id") && name.find("BatchRequestEntr") != std::string_view::npos) {
    ++call.entries;
  }
}

void take_aws_queue_text(AwsQueueCall& call, const XmlTexts::Text& text) {
  if (text.name == "MessageId") {
    if (text.parent == "Message") ++call.messages;
    return take_message(call, text.text, text.cut);
  }
  // Of a topic that was made just now.
  if (text.parent == "CreateTopicResult" && text.name == "TopicArn") {
    return take_text(call.topic_arn, text.text, text.cut);
  }
  if (text.name != "Code") return;
  if (text.parent == "Error") return take_text(call.error, text.text, text.cut);
  take_failure(call, text.text);
}

}  // namespace sidespan::semconv
