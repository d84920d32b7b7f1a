// From what was written to Settings: flags, SIDESPAN_* variables, the file, OTEL_* variables,
// defaults, in this order of precedence, by the table in setting_table.h. Every fault is told, not
// only the first; without one the Settings are complete and valid. Pure: file content and
// environment are passed in (config_file.h reads them). Who uses it: main, `check`, tests, the fuzz
// target. Sources are gathered in config_sources.cc and weighed in config.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_tree.h"
#include "app/environment.h"
#include "app/setting_table.h"
#include "app/settings.h"

namespace sidespan::app {

struct ConfigFile {
  std::string name;  // for messages
  std::string content;
};

// A value that a command line gives, or that a command brings along.
struct Override {
  std::string key;
  std::string value;
  std::string by;  // "--name", "run"
};

struct ConfigSources {
  std::vector<Override> flags;  // stronger than all else
  Environment environment;
  std::optional<ConfigFile> file;
  std::vector<Override> defaults;  // weaker than all but the table's own
};

struct Fault {
  std::string where;  // "sidespan.yaml", "SIDESPAN_LOG_LEVEL", "--name"
  int line = 0;       // of a file; 0: none
  std::string key;    // "egress.deny[1]"; empty for what concerns the whole file
  std::string what;

  std::string to_string() const;  // "where:line: key: what"
};

enum class SourceKind : uint8_t { kFlag, kVariable, kFile, kStandard, kCommand, kDefault };

// One source's word on one setting.
struct Candidate {
  SourceKind kind = SourceKind::kDefault;
  std::string where;
  int line = 0;
  Node value;

  std::string place() const;  // "sidespan.yaml:12"
};

struct EffectiveValue {
  const Setting* setting;
  Node value;
  std::vector<Candidate> winners;   // one; several, strongest first, where a map adds up
  std::vector<std::string> losers;  // places that were not heard; defaults are not among them
};

struct Configuration {
  Settings settings;                   // valid only without faults
  std::vector<Fault> faults;           // of the file in the order of lines, then the others
  std::vector<EffectiveValue> values;  // one a setting, in the table's order
};

Configuration configure(const ConfigSources& sources);

}  // namespace sidespan::app
