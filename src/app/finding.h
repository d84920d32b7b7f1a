// What `sidespan doctor` has to say: a line for each thing it looked at, and a sentence of what to
// do where something is wrong. Plain values; the judges of doctor_*.h make them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sidespan::app {

enum class Verdict : uint8_t {
  kOk,
  kWarn,  // may be meant; the exit status stays 0
  kFail,
};

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string what;         // one line
  std::string advice = {};  // a sentence; empty: nothing to do
};
using Findings = std::vector<Finding>;

void append(Findings& findings, Findings&& more);
bool any_failed(const Findings& findings);
// "FAIL what" and the advice indented below it, a line each.
std::string text_of(const Findings& findings);

}  // namespace sidespan::app
