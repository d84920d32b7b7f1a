// A page of Prometheus text as `doctor` reads it, written by our own /metrics. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::app {

class MetricsPage {
 public:
  // Lines that are no samples are left out.
  explicit MetricsPage(std::string_view text);

  bool empty() const { return samples_.empty(); }
  // All samples of that name together.
  double total(std::string_view name) const;
  // The same by the value of one label; what is 0 is left out.
  std::map<std::string, double> by_label(std::string_view name, std::string_view label) const;

 private:
  struct Sample {
    std::string name;
    std::string labels;  // as they stand between the braces
    double value = 0;
  };
  std::vector<Sample> samples_;
};

}  // namespace sidespan::app
