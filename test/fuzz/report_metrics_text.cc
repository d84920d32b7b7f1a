// Two lines, an Accept field and a label: the text has as many lines as it should, whatever is in
// it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/report/metrics_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan;
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const std::string_view accept = text::split_first(rest, '\n');
  metrics::Snapshot snapshot;
  metrics::Sample sample;
  sample.labels = {{"l", std::string(rest.value_or(""))}};
  metrics::merge(snapshot, "x", rest.value_or(""), metrics::Kind::kGauge, std::move(sample));
  const report::MetricsText text = report::metrics_text(snapshot, accept);
  const bool open_metrics = text.body.ends_with("\n# EOF\n");
  if (std::ranges::count(text.body, '\n') != (open_metrics ? 4 : 3)) std::abort();
  if (!text::is_valid_utf8(text.body)) std::abort();
  return 0;
}
