// `sidespan doctor` on a sidecar that runs: is it there, what did it count, does its collector
// take spans. Pure: facts in, findings out.
#pragma once

#include <string>
#include <string_view>

#include "app/finding.h"
#include "app/metrics_page.h"

namespace sidespan::app {

struct SidecarFacts {
  std::string egress = {};        // where it is reached, as a URL
  std::string egress_fault = {};  // empty: somebody takes connections there
  std::string stranger = {};      // what tells that it is not sidespan; empty: it is
  std::string refusal = {};       // what it says to calls from here; empty: it takes them
  std::string asked = {};         // which listener was asked for its health; empty: both are off
  // "" where it was answered with 200.
  std::string alive_fault = {};
  std::string ready_fault = {};
  MetricsPage metrics{""};
};
Findings judge_sidecar(const SidecarFacts& facts);

// What became of one empty export.
struct CollectorFacts {
  bool tracing = true;
  std::string endpoint;     // empty: none is configured
  bool decided = false;     // that there is none was said
  std::string fault;        // nobody there, no TLS, no answer
  std::string status = {};  // of the answer: "200", of gRPC "OK"
};
Findings judge_collector(const CollectorFacts& facts);

// "3 calls", "1 call".
std::string counted(double number, std::string_view what);

}  // namespace sidespan::app
