// An answer of a collector, by the protocol that the first byte says: a status, its fields, a line
// each, those of its trailers behind a '+', and behind an empty line its body. It means the same
// however the body is cut, and a wait is within its limit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "report/answer.h"
#include "sidespan/base/text.h"

using namespace sidespan;
using report::Verdict;

namespace {

constexpr size_t kBytesMax = 4096;
constexpr WallTime kNow{std::chrono::seconds(784'111'777)};

struct Input {
  http::Head head;
  http::Headers trailers;
  std::string_view body;
};

Input read(std::string_view bytes) {
  constexpr int kStatuses[] = {200, 204, 400, 413, 429, 500, 502, 503};
  Input input;
  std::optional<std::string_view> rest = bytes;
  const std::string_view status = text::split_first(rest, '\n');
  input.head.status = static_cast<int>(text::parse_unsigned(status, 999).value_or(0));
  if (input.head.status < 200) input.head.status = kStatuses[status.size() % 8];
  while (rest) {
    std::optional<std::string_view> value = text::split_first(rest, '\n');
    if (value->empty()) break;
    std::string_view name = text::split_first(value, ':');
    const bool trailer = name.starts_with('+');
    if (trailer) name.remove_prefix(1);
    (trailer ? input.trailers : input.head.headers).add(name, text::trim(value.value_or("")));
  }
  input.body = rest.value_or("");
  return input;
}

report::Judgement judged(const Input& input, report::OtlpProtocol protocol, bool whole,
                         size_t piece) {
  report::Answer answer(protocol);
  if (answer.begun() || !answer.status().empty()) std::abort();
  answer.on_head(input.head);
  bool fits = true;
  for (size_t at = 0; at < input.body.size() && fits; at += piece) {
    fits = answer.on_body(Chain(input.body.substr(at, piece)), kBytesMax);
  }
  if (fits != (input.body.size() <= kBytesMax)) std::abort();
  if (fits && whole) answer.on_trailers(input.trailers);
  if (!answer.begun() || answer.status().empty()) std::abort();
  return answer.judge(fits && whole, kNow, {}, kBytesMax);
}

void check(const report::Judgement& judgement) {
  const report::RetryOptions options;
  if (judgement.wait) {
    if (judgement.verdict != Verdict::kRetry) std::abort();
    if (*judgement.wait <= Milliseconds(0) || *judgement.wait > options.retry_after_max) {
      std::abort();
    }
  }
  if (judgement.verdict == Verdict::kAccepted) return;
  if (judgement.rejected != 0 || !judgement.message.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Input input = read({reinterpret_cast<const char*>(data) + 1, size - 1});
  const report::OtlpProtocol protocol =
      (data[0] & 1) != 0 ? report::OtlpProtocol::kGrpc : report::OtlpProtocol::kHttp;
  const bool whole = (data[0] & 2) == 0;
  const report::Judgement at_once = judged(input, protocol, whole, size);
  const report::Judgement in_pieces = judged(input, protocol, whole, 1 + size % 7);
  check(at_once);
  if (at_once.verdict != in_pieces.verdict || at_once.wait != in_pieces.wait ||
      at_once.rejected != in_pieces.rejected || at_once.message != in_pieces.message) {
    std::abort();
  }
  return 0;
}
