// Pick tables of the providers, put together from lists of paths: those that are always wanted, and
// those that lead to content. A table is made once for each degree of capture. Private to genai.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "semconv/genai/call_draft.h"
#include "sidespan/json/picker.h"

namespace sidespan::semconv::genai {

using Rows = std::span<const json::PickTable::Row>;
using Prefixes = std::span<const std::string_view>;

inline constexpr std::array<std::string_view, 1> kAtRoot = {""};

// One list of paths, from some degree of capture on.
struct Paths {
  Rows rows;
  Prefixes prefixes = kAtRoot;
  Capture from = Capture::kOff;
};

class Tables {
 public:
  explicit Tables(std::span<const Paths> paths)
      : off_(make(paths, Capture::kOff)),
        tools_(make(paths, Capture::kTools)),
        all_(make(paths, Capture::kAll)) {}

  const json::PickTable& of(const CallDraft& draft) const {
    if (draft.captures(Capture::kAll)) return all_;
    return draft.captures(Capture::kTools) ? tools_ : off_;
  }

 private:
  static json::PickTable make(std::span<const Paths> paths, Capture capture) {
    std::vector<json::PickTable::Part> parts;
    for (const Paths& some : paths) {
      if (some.from <= capture) parts.push_back({some.rows, some.prefixes});
    }
    return json::PickTable(parts);
  }

  json::PickTable off_;
  json::PickTable tools_;
  json::PickTable all_;
};

}  // namespace sidespan::semconv::genai
