// What a collector answers to one export, gathered as it comes, and what that means for the batch
// (OTLP 1.11, "OTLP/HTTP Response" and "OTLP/gRPC Response"). Pure: exporter brings the events and
// the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "report/retry.h"
#include "sidespan/base/buffer.h"
#include "sidespan/base/clock.h"
#include "sidespan/http/message.h"
#include "sidespan/report/pipeline.h"

namespace sidespan::report {

struct Judgement {
  Verdict verdict = Verdict::kRetry;
  std::optional<Milliseconds> wait = {};  // the collector's own wish
  uint64_t rejected = 0;                  // of a batch that was accepted
  std::string message = {};               // in the collector's words
};

class Answer {
 public:
  explicit Answer(OtlpProtocol protocol = OtlpProtocol::kHttp) : protocol_(protocol) {}

  void on_head(const http::Head& head);
  // False: longer than `bytes_max`; no more of it is kept, and of one of gRPC nothing was taken.
  bool on_body(const Chain& data, size_t bytes_max);
  void on_trailers(const http::Headers& fields);

  bool begun() const { return status_ != 0; }
  // "503", "UNAVAILABLE"; what stands in the log. Empty: none came.
  std::string status() const;
  // `whole`: its end came. Where an answer of HTTP breaks off, is too slow or too long, its status
  // alone counts: what it says of the spans holds, and asking again would double them. One of gRPC
  // has no status before its end.
  Judgement judge(bool whole, WallTime now, const RetryOptions& retry, size_t bytes_max) const;

 private:
  Judgement judge_http(bool whole, WallTime now, const RetryOptions& retry, size_t bytes_max) const;
  Judgement judge_grpc(bool whole, const RetryOptions& retry, size_t bytes_max) const;
  void read_grpc(const http::Headers& fields);
  std::optional<uint32_t> grpc_status() const;

  OtlpProtocol protocol_;
  int status_ = 0;  // of HTTP
  std::string retry_after_;
  std::string date_;
  bool protobuf_ = false;
  bool gzip_ = false;
  std::string body_;
  bool too_long_ = false;
  std::optional<uint32_t> grpc_status_;
  std::string grpc_message_;
  std::string grpc_details_;  // base64
};

}  // namespace sidespan::report
