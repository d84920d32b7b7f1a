// Three lines, an Accept field, numbers, and a label: the text has as many lines as it should,
// whatever is in them, and a reader of it gets the label and the numbers back. OpenMetrics is only
// for who names it.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/report/metrics_text.h"

using namespace sidespan;

namespace {

constexpr std::string_view kEnd = "# EOF";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  std::optional<std::string_view> rest = text;
  while (rest) lines.push_back(text::split_first(rest, '\n'));
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

double number(std::string_view text) {
  double value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) std::abort();
  return value;
}

bool same(double one, double other) {
  return one == other || (std::isnan(one) && std::isnan(other));
}

// A label's value or a help text, as it was meant; `quotes` are escaped, too, or never.
std::string unescaped(std::string_view text, bool quotes) {
  const std::string_view escaped = quotes ? "\\n\"" : "\\n";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quotes && text[i] == '"') std::abort();
    if (text[i] != '\\') {
      out += text[i];
    } else if (++i == text.size() || !escaped.contains(text[i])) {
      std::abort();
    } else {
      out += text[i] == 'n' ? '\n' : text[i];
    }
  }
  return out;
}

struct Line {
  std::string label;
  std::string bound;
  double value = 0;
};

// A sample's, which begins with `name`.
Line read(std::string_view line, std::string_view name) {
  const std::string begin = std::string(name) + "{l=\"";
  constexpr std::string_view kBound = "\",le=\"";
  const size_t end = line.rfind("\"} ");
  if (!line.starts_with(begin) || end == line.npos) std::abort();
  std::string_view label = line.substr(begin.size(), end - begin.size());
  Line found;
  found.value = number(line.substr(end + 3));
  if (const size_t at = label.rfind(kBound); name.ends_with("_bucket")) {
    if (at == label.npos) std::abort();
    found.bound = label.substr(at + kBound.size());
    label = label.substr(0, at);
  }
  found.label = unescaped(label, true);
  return found;
}

class Text {
 public:
  Text(const report::MetricsText& text, std::string_view label)
      : open_metrics_(text.content_type.starts_with("application/openmetrics-text;")),
        label_(label),
        lines_(lines_of(text.body)) {}

  bool open_metrics() const { return open_metrics_; }

  void family(std::string_view name, std::string_view type) {
    const std::string total = type == "counter" && !open_metrics_ ? "_total" : "";
    const std::string named = std::string(name) + total + " ";
    const std::string help = "# HELP " + named;
    const std::string_view line = next();
    if (!line.starts_with(help)) std::abort();
    if (unescaped(line.substr(help.size()), open_metrics_) != label_) std::abort();
    if (next() != "# TYPE " + named + std::string(type)) std::abort();
  }
  Line sample(std::string_view name) {
    const Line line = read(next(), name);
    if (line.label != label_) std::abort();
    return line;
  }
  void histogram(const metrics::Histogram::Snapshot& histogram) {
    double before = 0;
    for (size_t i = 0; i <= histogram.bounds.size(); ++i) {
      const Line line = sample("h_bucket");
      const bool last = i == histogram.bounds.size();
      if (last ? line.bound != "+Inf" : number(line.bound) != histogram.bounds[i]) std::abort();
      if (open_metrics_ && !last && !line.bound.contains('.') && !line.bound.contains('e')) {
        std::abort();
      }
      if (line.value - before != static_cast<double>(histogram.buckets[i])) std::abort();
      before = line.value;
    }
    if (!same(sample("h_sum").value, histogram.sum)) std::abort();
    if (sample("h_count").value != before) std::abort();
  }
  void end() {
    if (open_metrics_ && next() != kEnd) std::abort();
    if (at_ != lines_.size()) std::abort();
  }

 private:
  std::string_view next() {
    if (at_ == lines_.size()) std::abort();
    return lines_[at_++];
  }

  bool open_metrics_;
  std::string label_;
  std::vector<std::string_view> lines_;
  size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const std::string_view accept = text::split_first(rest, '\n');
  std::optional<std::string_view> numbers = rest ? text::split_first(rest, '\n') : "";
  const std::string label(rest.value_or(""));

  metrics::Histogram recorded;
  double value = 0;
  while (numbers) {
    const std::string_view digits = text::split_first(numbers, ' ');
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc()) {
      recorded.record(value);
    }
  }
  metrics::Snapshot snapshot;
  metrics::Sample sample;
  sample.labels = {{"l", label}};
  sample.value = value;
  sample.histogram = recorded.snapshot();
  metrics::merge(snapshot, "x", label, metrics::Kind::kGauge, sample);
  metrics::merge(snapshot, "c", label, metrics::Kind::kCounter, sample);
  metrics::merge(snapshot, "h", label, metrics::Kind::kHistogram, sample);
  const report::MetricsText text = report::metrics_text(snapshot, accept);
  const bool open_metrics = text.body.ends_with("\n# EOF\n");
  constexpr int kLines = 3 + 3 + 2 + static_cast<int>(metrics::kDurationBounds.size()) + 3;
  if (std::ranges::count(text.body, '\n') != kLines + (open_metrics ? 1 : 0)) std::abort();
  if (!text::is_valid_utf8(text.body)) std::abort();

  Text lines(text, text::to_valid_utf8(label));
  if (lines.open_metrics() != open_metrics) std::abort();
  if (open_metrics && !text::lower(accept).contains("application/openmetrics-text")) std::abort();
  lines.family("x", "gauge");
  if (!same(lines.sample("x").value, value)) std::abort();
  lines.family("c", "counter");
  if (!same(lines.sample("c_total").value, value)) std::abort();
  lines.family("h", "histogram");
  lines.histogram(sample.histogram);
  lines.end();
  return 0;
}
