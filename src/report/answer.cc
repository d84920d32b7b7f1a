#include "report/answer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/http/grpc.h"
#include "sidespan/http/inflate.h"
#include "sidespan/otlp/decode.h"

namespace sidespan::report {
namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr int kOk = 200;

std::string field(const http::Headers& headers, std::string_view name) {
  return std::string(headers.find(name).value_or(""));
}

void take_response(Judgement& judgement, std::string_view bytes) {
  if (auto response = otlp::decode_response(bytes)) {
    judgement.rejected = static_cast<uint64_t>(response->rejected_spans);
    judgement.message = std::move(response->message);
  }
}

// Servers refuse what is too large for them with a status that also means a quota; their words
// tell.
bool says_too_large(uint32_t status, std::string_view message) {
  constexpr std::array<std::string_view, 3> kWords = {"larger than max", "exceeds maximum",
                                                      "too large"};
  return (status == http::grpc::kResourceExhausted || status == http::grpc::kOutOfRange) &&
         std::ranges::any_of(kWords, [&](std::string_view words) {
           return message.find(words) != std::string_view::npos;
         });
}

}  // namespace

void Answer::on_head(const http::Head& head) {
  status_ = head.status;
  if (protocol_ == OtlpProtocol::kGrpc) {
    gzip_ = head.headers.lists("Grpc-Encoding", "gzip");
    return read_grpc(head.headers);  // of an answer that has nothing else
  }
  retry_after_ = field(head.headers, "Retry-After");
  date_ = field(head.headers, "Date");
  gzip_ = head.headers.lists("Content-Encoding", "gzip");
  protobuf_ = head.headers.lists("Content-Type", kProtobuf);
}

bool Answer::on_body(const Chain& data, size_t bytes_max) {
  too_long_ = body_.size() + data.size() > bytes_max;
  if (too_long_) return false;
  body_ += data.to_string();
  return true;
}

void Answer::on_trailers(const http::Headers& fields) {
  if (protocol_ == OtlpProtocol::kGrpc) read_grpc(fields);
}

void Answer::read_grpc(const http::Headers& fields) {
  const std::optional<uint32_t> status = http::grpc_status(fields);
  if (!status) return;
  grpc_status_ = status;
  grpc_message_ = field(fields, "grpc-message");
  grpc_details_ = field(fields, "grpc-status-details-bin");
}

std::optional<uint32_t> Answer::grpc_status() const {
  if (grpc_status_ || status_ == 0) return grpc_status_;
  return http::grpc_status_of(status_);
}

std::string Answer::status() const {
  if (status_ == 0) return "";
  if (protocol_ == OtlpProtocol::kHttp) return std::to_string(status_);
  const uint32_t status = *grpc_status();
  return std::string(http::name_of_grpc_status(status).value_or(std::to_string(status)));
}

Judgement Answer::judge(bool whole, WallTime now, const RetryOptions& retry,
                        size_t bytes_max) const {
  return protocol_ == OtlpProtocol::kGrpc ? judge_grpc(whole, retry, bytes_max)
                                          : judge_http(whole, now, retry, bytes_max);
}

Judgement Answer::judge_http(bool whole, WallTime now, const RetryOptions& retry,
                             size_t bytes_max) const {
  Judgement judgement{.verdict = report::judge(status_)};
  if (judgement.verdict == Verdict::kRetry) {
    judgement.wait = parse_retry_after(retry_after_, date_, now, retry.retry_after_max);
  }
  if (judgement.verdict != Verdict::kAccepted || !whole || !protobuf_) return judgement;
  const std::optional<std::string> body = gzip_ ? http::gunzip(body_, bytes_max) : body_;
  if (body) take_response(judgement, *body);
  return judgement;
}

Judgement Answer::judge_grpc(bool whole, const RetryOptions& retry, size_t bytes_max) const {
  // What is too large for a gateway never comes to be a status of gRPC, and its page may be cut.
  if (!grpc_status_ && report::judge(status_) == Verdict::kTooLarge) {
    return {.verdict = Verdict::kTooLarge};
  }
  // Asked again, it would be as long.
  if (too_long_ && !grpc_status_) return {.verdict = Verdict::kRefused};
  if (!whole && !grpc_status_) return {};
  const uint32_t status = *grpc_status();
  if (status_ != kOk && !grpc_status_) return {.verdict = judge_grpc_status(status, false)};
  const std::optional<Milliseconds> delay =
      otlp::decode_retry_delay(text::from_base64(grpc_details_).value_or(""));
  Judgement judgement{.verdict = judge_grpc_status(status, delay.has_value())};
  if (judgement.verdict == Verdict::kRetry && delay) {
    judgement.wait = wish_within(*delay, retry.retry_after_max);
  }
  if (!delay && says_too_large(status, grpc_message_)) {
    judgement.verdict = Verdict::kTooLarge;
  }
  const std::string_view body = body_;
  const auto frame = http::GrpcFrame::parse(body.substr(0, http::GrpcFrame::kBytes));
  if (judgement.verdict != Verdict::kAccepted || !frame) return judgement;
  const std::string_view message = body.substr(http::GrpcFrame::kBytes);
  if (message.size() != frame->message_bytes) return judgement;
  const std::optional<std::string> plain =
      frame->packed ? (gzip_ ? http::gunzip(message, bytes_max) : std::nullopt)
                    : std::optional<std::string>(message);
  if (plain) take_response(judgement, *plain);
  return judgement;
}

}  // namespace sidespan::report
