#include "sidespan/report/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::report {
namespace {

using metrics::Family;
using metrics::Kind;
using metrics::Label;
using metrics::Sample;

enum class Format : uint8_t { kPrometheus, kOpenMetrics };

constexpr std::string_view kOpenMetricsType = "application/openmetrics-text";

// A media range of Accept (RFC 9110 section 12.5.1): its type, and q from 0 to 1000.
struct Range {
  std::string_view type;
  int weight = 1000;
};

// "0", "0.5", "1.000".
std::optional<int> parse_weight(std::string_view value) {
  constexpr size_t kDecimals = 3;
  const auto whole = text::parse_unsigned(value.substr(0, 1), 1);
  if (!whole || value.size() > 2 + kDecimals || (value.size() > 1 && value[1] != '.')) return {};
  std::string decimals(value.size() > 2 ? value.substr(2) : std::string_view());
  decimals.resize(kDecimals, '0');
  const auto part = text::parse_unsigned(decimals);
  const int weight = static_cast<int>(*whole * 1000 + part.value_or(1001));
  if (!part || weight > 1000) return {};
  return weight;
}

Range parse_range(std::string_view member) {
  std::optional<std::string_view> rest = member;
  Range range{text::trim(text::split_first(rest, ';'))};
  while (rest) {
    const std::string_view parameter = text::trim(text::split_first(rest, ';'));
    if (parameter.size() > 2 && text::equal_ignoring_case(parameter.substr(0, 2), "q=")) {
      range.weight = parse_weight(parameter.substr(2)).value_or(0);
    }
  }
  return range;
}

// OpenMetrics only for those who name it, and like nothing else better.
Format choose(std::string_view accept) {
  int open_metrics = 0;
  int plain = 0;
  for (const std::string_view member : text::list_members(accept)) {
    const Range range = parse_range(member);
    if (text::equal_ignoring_case(range.type, kOpenMetricsType)) {
      open_metrics = range.weight;
    } else if (text::equal_ignoring_case(range.type, "text/plain")) {
      plain = range.weight;
    }
  }
  return open_metrics > 0 && open_metrics >= plain ? Format::kOpenMetrics : Format::kPrometheus;
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
  }
}

// A bucket's bound; OpenMetrics wants "1.0" where Prometheus has long written "1".
std::string bound_text(double bound, Format format) {
  std::string text;
  append_number(text, bound);
  if (format == Format::kOpenMetrics && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text::to_valid_utf8(std::string(text))) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || (quotes && c == '"')) out += '\\';
      out += c;
    }
  }
}

void append_labels(std::string& out, const std::vector<Label>& labels, std::string_view bound) {
  if (labels.empty() && bound.empty()) return;
  char separator = '{';
  const auto append = [&](std::string_view name, std::string_view value) {
    out += separator;
    separator = ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  };
  for (const Label& label : labels) append(label.name, label.value);
  if (!bound.empty()) append("le", bound);
  out += '}';
}

void append_line(std::string& out, std::string_view name, std::string_view suffix,
                 const std::vector<Label>& labels, std::string_view bound, double value) {
  out += name;
  out += suffix;
  append_labels(out, labels, bound);
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_histogram(std::string& out, const Family& family, const Sample& sample, Format format) {
  uint64_t up_to = 0;
  const metrics::Bounds bounds = sample.histogram.bounds;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    up_to += sample.histogram.buckets[i];
    const bool last = i == bounds.size();
    append_line(out, family.name, "_bucket", sample.labels,
                last ? "+Inf" : bound_text(bounds[i], format), static_cast<double>(up_to));
  }
  append_line(out, family.name, "_sum", sample.labels, "", sample.histogram.sum);
  append_line(out, family.name, "_count", sample.labels, "",
              static_cast<double>(sample.histogram.count));
}

std::string_view type_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "unknown";
}

void append_comment(std::string& out, std::string_view what, std::string_view name,
                    std::string_view suffix) {
  out += "# ";
  out += what;
  out += ' ';
  out += name;
  out += suffix;
  out += ' ';
}

void append_family(std::string& out, const Family& family, Format format) {
  const std::string_view total = family.kind == Kind::kCounter ? "_total" : "";
  // OpenMetrics names the family, Prometheus the sample.
  const std::string_view suffix = format == Format::kOpenMetrics ? "" : total;
  append_comment(out, "HELP", family.name, suffix);
  append_escaped(out, family.help, format == Format::kOpenMetrics);
  out += '\n';
  append_comment(out, "TYPE", family.name, suffix);
  out += type_of(family.kind);
  out += '\n';
  for (const Sample& sample : family.samples) {
    if (family.kind == Kind::kHistogram) {
      append_histogram(out, family, sample, format);
    } else {
      append_line(out, family.name, total, sample.labels, "", sample.value);
    }
  }
}

}  // namespace

MetricsText metrics_text(const metrics::Snapshot& snapshot, std::string_view accept) {
  const Format format = choose(accept);
  MetricsText text;
  text.content_type = format == Format::kOpenMetrics
                          ? std::string(kOpenMetricsType) + "; version=1.0.0; charset=utf-8"
                          : "text/plain; version=0.0.4; charset=utf-8";
  for (const Family& family : snapshot) append_family(text.body, family, format);
  if (format == Format::kOpenMetrics) text.body += "# EOF\n";
  return text;
}

}  // namespace sidespan::report
