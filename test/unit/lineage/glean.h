// What tests do with a registry: read documents for it, and sweep all of it.
#pragma once

#include <string>
#include <utility>
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

inline std::vector<ClosedTurn> close_due(Registry& registry, MonoTime now) {
  std::vector<ClosedTurn> all;
  for (size_t part = 0; part < Registry::kSweepParts; ++part) {
    for (ClosedTurn& turn : registry.close_due(now)) all.push_back(std::move(turn));
  }
  return all;
}

}  // namespace sidespan::lineage
