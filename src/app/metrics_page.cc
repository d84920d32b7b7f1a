#include "app/metrics_page.h"

#include <cstdlib>
#include <optional>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

// Values of ours that are asked for hold no quotes.
std::string value_of_label(std::string_view labels, std::string_view label) {
  const std::string start = std::string(label) + "=\"";
  const size_t at = labels.find(start);
  if (at == std::string_view::npos) return "";
  labels.remove_prefix(at + start.size());
  return std::string(labels.substr(0, labels.find('"')));
}

}  // namespace

MetricsPage::MetricsPage(std::string_view text) {
  std::optional<std::string_view> rest = text;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    const size_t blank = line.rfind(' ');
    if (line.starts_with('#') || blank == std::string_view::npos) continue;
    const std::string_view series = line.substr(0, blank);
    const size_t brace = series.find('{');
    const bool labelled = brace != std::string_view::npos && series.ends_with('}');
    const std::string number(line.substr(blank + 1));
    samples_.push_back(
        {.name = std::string(series.substr(0, brace)),
         .labels = labelled ? std::string(series.substr(brace + 1, series.size() - brace - 2)) : "",
         .value = std::strtod(number.c_str(), nullptr)});
  }
}

double MetricsPage::total(std::string_view name) const {
  double sum = 0;
  for (const Sample& sample : samples_) {
    if (sample.name == name) sum += sample.value;
  }
  return sum;
}

std::map<std::string, double> MetricsPage::by_label(std::string_view name,
                                                    std::string_view label) const {
  std::map<std::string, double> sums;
  for (const Sample& sample : samples_) {
    if (sample.name == name && sample.value != 0) {
      sums[value_of_label(sample.labels, label)] += sample.value;
    }
  }
  return sums;
}

}  // namespace sidespan::app
