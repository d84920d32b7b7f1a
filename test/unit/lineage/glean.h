// Documents, as a registry would have read them.
#pragma once

#include <string>
#include <vector>

#include "sidespan/json/reader.h"
#include "sidespan/lineage/registry.h"

namespace sidespan::lineage {

inline Gleaned glean(Registry& registry, Voice voice, const std::vector<std::string>& documents,
                     bool streamed = false) {
  Gleaner gleaner(registry.key(), voice, streamed, registry);
  for (const std::string& document : documents) {
    gleaner.begin_document();
    json::Reader reader(gleaner);
    reader.feed(document);
    reader.finish();
    gleaner.end_document();
  }
  gleaner.finish();
  return gleaner.take();
}

}  // namespace sidespan::lineage
