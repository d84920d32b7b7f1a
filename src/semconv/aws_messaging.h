// Calls of Amazon SQS and SNS, as far as a span needs them: which service a request's head names,
// by whichever protocol (AWS JSON 1.0, or the query protocol with forms and XML), what its body
// asks for, and what the answer says. Servers that speak them elsewhere are told by the same heads.
// Used by the observer of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "semconv/form_reader.h"
#include "semconv/xml_texts.h"
#include "sidespan/http/message.h"
#include "sidespan/json/picker.h"
#include "sidespan/trace/span.h"

namespace sidespan::semconv {

enum class AwsQueueService : uint8_t { kSqs, kSns };

struct AwsQueueEndpoint {
  AwsQueueService service = AwsQueueService::kSqs;
  bool json = false;        // else forms and XML
  bool in_query = false;    // the form is the query of a GET
  std::string action = {};  // of JSON; a form names it in itself
};
// `host` in lower case; `query` without its question mark. Nothing: it is no call of these.
std::optional<AwsQueueEndpoint> aws_queue_endpoint(const http::Head& request, std::string_view host,
                                                   std::string_view query);

// What is known of a call by now.
struct AwsQueueCall {
  AwsQueueService service = AwsQueueService::kSqs;
  std::string action = {};
  std::string queue_url = {};
  std::string topic_arn = {};
  uint64_t entries = 0;  // of a batch that is sent
  // Of the answer.
  std::string message_id = {};  // of the one, or the first
  uint64_t messages = 0;        // that were received
  uint64_t failed = 0;          // of a batch
  std::string failure = {};     // of the first of those: its code
  std::string error = {};       // of the whole call
  std::string request_id = {};
};
// Its name is the operation and where to. `status`: of the answer; 0: none came. `redact`: what a
// queue's URL hides beside redact.h's own.
void describe_aws_queue(trace::Span& span, const AwsQueueCall& call, int status,
                        std::span<const std::string> redact);

// Reads the documents of AWS JSON, both ways.
class AwsQueueJson final : private json::PickSink {
 public:
  explicit AwsQueueJson(AwsQueueCall& call);
  json::Handler& handler() { return picker_; }
  void reset() { picker_.reset(); }

 private:
  void on_pick(const json::Picked& picked) override;

  AwsQueueCall& call_;
  json::Picker picker_;
};

// The same of the query protocol.
void take_aws_queue_pair(AwsQueueCall& call, const FormReader::Pair& pair);
void take_aws_queue_text(AwsQueueCall& call, const XmlTexts::Text& text);

}  // namespace sidespan::semconv
