// Two lines, the Retry-After and Date of an answer: a wait is never zero, negative or over its
// limit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "report/retry.h"
#include "sidespan/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan;
  constexpr Milliseconds kMax{300'000};
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const std::string_view retry_after = text::split_first(rest, '\n');
  const WallTime now{std::chrono::seconds(784'111'777)};
  const auto wait = report::parse_retry_after(retry_after, rest.value_or(""), now, kMax);
  if (wait && (*wait <= Milliseconds(0) || *wait > kMax)) std::abort();
  return 0;
}
