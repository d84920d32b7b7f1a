// Who says what about each setting, before anybody decides: the half of config.h that looks into
// the sources. Pure; used by config.cc alone.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"

namespace sidespan::app {

struct Gathered {
  // One list a setting, in the table's order; strongest first, the table's default last.
  std::vector<std::vector<Candidate>> candidates;
  std::vector<Fault> faults;  // of what could not even be gathered: syntax, unknown keys, variables
  std::vector<std::string> warnings;
};

Gathered gather(const ConfigSources& sources);

// Adds `sentence`, made printable, unless it is there already.
void add_once(std::vector<std::string>& sentences, std::string sentence);

}  // namespace sidespan::app
