#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "semconv/aws_messaging.h"
#include "semconv/json_rpc.h"
#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kOwnBytes = size_t{14} * 1024;
// What AWS JSON calls its type, BodyReader does not know.
constexpr BodyFraming kFraming = BodyFraming::kJson;

std::string request_id_of(const http::Headers& headers) {
  for (const std::string_view name :
       {"x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"}) {
    if (const auto id = headers.find(name)) return std::string(id->substr(0, kRpcTextBytesMax));
  }
  return {};
}

// Without its mark.
std::string_view query_of(const CallFacts& facts) {
  return facts.query.substr(std::min<size_t>(facts.query.size(), 1));
}

// One call, by either protocol.
class AwsQueueObserver final : public Observer {
 public:
  AwsQueueObserver(AwsQueueEndpoint endpoint, const CallFacts& facts,
                   const ObserverOptions& options)
      : redact_(options.redact), json_(endpoint.json), requests_(call_), answers_(call_) {
    call_.service = endpoint.service;
    call_.action = std::move(endpoint.action);
    if (!json_ && call_.service == AwsQueueService::kSqs) take_queue_of_path(facts.url);
    const http::Headers& headers = facts.request.headers;
    if (json_) {
      request_ = make_body_reader(headers, {}, requests_, kFraming);
    } else if (endpoint.in_query) {
      make_form().feed(query_of(facts));
      end_request(true);
    } else if (!headers.contains("content-encoding")) {
      make_form();
    }
  }

  void on_request_bytes(std::string_view bytes, MonoTime) override {
    if (request_) request_->feed(bytes);
    if (form_) form_->feed(bytes);
  }
  void on_request_end() override { end_request(true); }
  void on_response_head(const http::Head& head, MonoTime) override {
    status_ = head.status;
    call_.request_id = request_id_of(head.headers);
    if (json_) {
      response_ = make_body_reader(head.headers, {}, answers_, kFraming);
    } else if (!head.headers.contains("content-encoding")) {
      xml_.emplace([this](const XmlTexts::Text& text) { take_aws_queue_text(call_, text); });
    }
  }
  void on_response_bytes(std::string_view bytes, MonoTime) override {
    if (response_) response_->feed(bytes);
    if (xml_) xml_->feed(bytes);
  }
  void on_end(End end, MonoTime) override {
    end_request(false);
    if (response_) response_->finish(end == End::kWhole);
    response_.reset();
    xml_.reset();
  }
  void describe(trace::Span& span) const override {
    describe_aws_queue(span, call_, status_, redact_);
  }

 private:
  // Older clients name the queue by where the call goes.
  void take_queue_of_path(const http::Url& url) {
    std::string_view path = url.path;
    path = path.substr(0, std::min(path.find('?'), kRpcTextBytesMax));
    if (path.find('/', 1) == path.npos) return;
    call_.queue_url = std::string(url.scheme) + "://" + url.authority.to_string();
    call_.queue_url.append(path);
  }
  FormReader& make_form() {
    return form_.emplace(
        [this](const FormReader::Pair& pair) { take_aws_queue_pair(call_, pair); });
  }
  void end_request(bool whole) {
    if (request_) request_->finish(whole);
    if (form_) form_->finish(whole);
    request_.reset();
    form_.reset();
  }

  const MemoryCharge charge_{kOwnBytes};
  const std::vector<std::string>& redact_;
  const bool json_;
  AwsQueueCall call_;
  RpcDocuments<AwsQueueJson> requests_;
  RpcDocuments<AwsQueueJson> answers_;
  std::unique_ptr<BodyReader> request_;
  std::unique_ptr<BodyReader> response_;
  std::optional<FormReader> form_;
  std::optional<XmlTexts> xml_;
  int status_ = 0;
};

}  // namespace

std::unique_ptr<Observer> make_aws_queue_observer(const CallFacts& facts,
                                                  const ObserverOptions& options) {
  const std::string_view query = query_of(facts);
  if (query.empty() && !facts.request.asks("POST")) return nullptr;
  std::optional<AwsQueueEndpoint> endpoint =
      aws_queue_endpoint(facts.request, facts.url.authority.host, query);
  if (!endpoint) return nullptr;
  return std::make_unique<AwsQueueObserver>(*std::move(endpoint), facts, options);
}

}  // namespace sidespan::semconv
