#include "report/answer.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/http/grpc.h"

namespace sidespan::report {
namespace {

using std::chrono::milliseconds;

constexpr size_t kBytesMax = 1024;

http::Head head_of(int status, const std::vector<std::pair<std::string, std::string>>& fields) {
  http::Head head;
  head.status = status;
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

Judgement judged(const Answer& answer, bool whole = true) {
  return answer.judge(whole, WallTime{}, RetryOptions{}, kBytesMax);
}

// google.rpc.Status{details: Any{RetryInfo{retry_delay: 2.5 s}}}
std::string retry_info() {
  const std::string duration("\x08\x02\x10\x80\xca\xb5\xee\x01", 8);
  const auto field = [](char number, const std::string& content) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} +
           content;
  };
  return field(3,
               field(1, "type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, duration)));
}

TEST_CASE("answer: every status of gRPC, alone and with word of when to come again") {
  struct Row {
    uint32_t status;
    Verdict alone;
    Verdict with_retry_info;
  };
  using enum Verdict;
  const std::vector<Row> rows = {
      {0, kAccepted, kAccepted}, {1, kRetry, kRetry},      {2, kRefused, kRefused},
      {3, kRefused, kRefused},   {4, kRetry, kRetry},      {5, kRefused, kRefused},
      {6, kRefused, kRefused},   {7, kRefused, kRefused},  {8, kRefused, kRetry},
      {9, kRefused, kRefused},   {10, kRetry, kRetry},     {11, kRetry, kRetry},
      {12, kRefused, kRefused},  {13, kRefused, kRefused}, {14, kRetry, kRetry},
      {15, kRetry, kRetry},      {16, kRefused, kRefused}, {99, kRefused, kRefused},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    for (const bool trailers_alone : {false, true}) {
      for (const bool told : {false, true}) {
        std::vector<std::pair<std::string, std::string>> fields = {
            {"grpc-status", std::to_string(row.status)}};
        if (told) fields.emplace_back("grpc-status-details-bin", text::base64(retry_info()));
        Answer answer(OtlpProtocol::kGrpc);
        answer.on_head(head_of(
            200, trailers_alone ? fields : std::vector<std::pair<std::string, std::string>>{}));
        if (!trailers_alone) answer.on_trailers(head_of(200, fields).headers);
        const Judgement judgement = judged(answer);
        CHECK(judgement.verdict == (told ? row.with_retry_info : row.alone));
        const bool waits = told && judgement.verdict == kRetry;
        CHECK(judgement.wait == (waits ? std::optional(milliseconds(2500)) : std::nullopt));
      }
    }
  }
}

TEST_CASE("answer: HTTP's own status where gRPC has said nothing") {
  struct Row {
    int status;
    Verdict verdict;
    const char* name;
  };
  using enum Verdict;
  const std::vector<Row> rows = {
      {400, kRefused, "INTERNAL"},          {401, kRefused, "UNAUTHENTICATED"},
      {403, kRefused, "PERMISSION_DENIED"}, {404, kRefused, "UNIMPLEMENTED"},
      {429, kRetry, "UNAVAILABLE"},         {502, kRetry, "UNAVAILABLE"},
      {503, kRetry, "UNAVAILABLE"},         {504, kRetry, "UNAVAILABLE"},
      {500, kRefused, "UNKNOWN"},           {302, kRefused, "UNKNOWN"},
      {200, kRefused, "UNKNOWN"},           {413, kTooLarge, "UNKNOWN"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    Answer answer(OtlpProtocol::kGrpc);
    answer.on_head(head_of(row.status, {}));
    CHECK(judged(answer).verdict == row.verdict);
    CHECK(answer.status() == row.name);
    // Broken off, it may be anything, but for what no second attempt would change.
    CHECK(judged(answer, false).verdict == (row.verdict == kTooLarge ? kTooLarge : kRetry));
  }
}

TEST_CASE("answer: servers' words for a request that is too large") {
  struct Row {
    const char* status;
    const char* message;
    Verdict verdict;
  };
  using enum Verdict;
  const std::vector<Row> rows = {
      {"8", "grpc: received message larger than max (5 vs. 4)", kTooLarge},
      {"8", "gRPC message exceeds maximum size 4: 5", kTooLarge},
      {"11", "Error, message length too large: found 5 bytes, the limit is: 4 bytes", kTooLarge},
      {"8", "quota", kRefused},
      {"3", "too large", kRefused},
      {"14", "larger than max", kRetry},
  };
  for (const Row& row : rows) {
    CAPTURE(row.message);
    Answer answer(OtlpProtocol::kGrpc);
    answer.on_head(head_of(200, {}));
    answer.on_trailers(
        head_of(200, {{"grpc-status", row.status}, {"grpc-message", row.message}}).headers);
    CHECK(judged(answer).verdict == row.verdict);
  }
}

TEST_CASE("answer: what of a batch was rejected, in a frame and without") {
  const std::string partial("\x0a\x07\x08\x02\x12\x03old", 9);
  Answer http;
  http.on_head(head_of(200, {{"Content-Type", "application/x-protobuf"}}));
  CHECK(http.on_body(Chain(partial), kBytesMax));
  CHECK(judged(http).rejected == 2);
  CHECK(judged(http).message == "old");
  CHECK(judged(http, false).rejected == 0);

  Answer grpc(OtlpProtocol::kGrpc);
  grpc.on_head(head_of(200, {}));
  CHECK(grpc.on_body(Chain(std::string("\0\0\0\0\x09", 5) + partial), kBytesMax));
  grpc.on_trailers(head_of(200, {{"grpc-status", "0"}}).headers);
  CHECK(judged(grpc).rejected == 2);

  Answer broken(OtlpProtocol::kGrpc);
  broken.on_head(head_of(200, {}));
  CHECK(broken.on_body(Chain(std::string("\0\0\0\0\x0a", 5) + partial), kBytesMax));
  broken.on_trailers(head_of(200, {{"grpc-status", "0"}}).headers);
  CHECK(judged(broken).verdict == Verdict::kAccepted);
  CHECK(judged(broken).rejected == 0);

  Answer endless(OtlpProtocol::kGrpc);
  endless.on_head(head_of(200, {}));
  CHECK_FALSE(endless.on_body(Chain(std::string(kBytesMax + 1, 'x')), kBytesMax));
  CHECK(judged(endless, false).verdict == Verdict::kRefused);
}

}  // namespace
}  // namespace sidespan::report
