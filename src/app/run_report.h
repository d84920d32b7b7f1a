// What `run` says on stderr when the command has ended: the tree or the JSON of the run, and where
// its spans went. Pure: lines come back, run_command prints them.
#pragma once

#include <string>
#include <vector>

#include "app/run_root.h"
#include "app/run_spans.h"
#include "app/run_tree.h"
#include "app/settings.h"
#include "sidespan/report/pipeline.h"

namespace sidespan::app {

// The address of the collector that is configured, without a query, which may hold a key, and by
// gRPC without a path, which it does not use.
std::string shown(const ExportSettings& exporting);

// The tree, or a sentence that says why there is none.
std::vector<std::string> run_report(const Settings& settings, const RunRoot& root,
                                    const RunRecord& record, const TreeStyle& style);

// One sentence about the spans; empty where there were none. `log` names the run's log file, empty
// when there is none.
std::string where_spans_went(const Settings& settings, const report::Totals& totals,
                             const std::string& log);

}  // namespace sidespan::app
