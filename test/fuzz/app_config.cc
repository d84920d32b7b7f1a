// Whatever a configuration file holds: it is read or refused. What has no fault is printed as a
// configuration that is read again without one, and has the same values.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "app/config.h"
#include "app/config_print.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan::app;
  const auto read = [](std::string content) {
    ConfigSources sources;
    sources.environment = {{"NAME", "value"}, {"PORT", "4318"}, {"EMPTY", ""}};
    sources.file = ConfigFile{"fuzz.yaml", std::move(content)};
    return configure(sources);
  };
  const Configuration first = read(std::string(reinterpret_cast<const char*>(data), size));
  if (!first.faults.empty()) return 0;
  const Configuration second = read(print_effective(first));
  if (!second.faults.empty() || first.values.size() != second.values.size()) std::abort();
  for (size_t i = 0; i < first.values.size(); ++i) {
    if (first.values[i].setting->secret) continue;
    if (to_yaml(first.values[i].value) != to_yaml(second.values[i].value)) std::abort();
  }
  return 0;
}
