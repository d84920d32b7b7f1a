// Why a tunnel was not opened, for people: a row for each value of `sidespan.tunnel.reason`. Used
// by `doctor` and by the tree of a run.
#pragma once

#include <string_view>

namespace sidespan::app {

struct OpaqueWords {
  std::string_view reason;
  bool meant;              // the configuration or the protocol has it so
  std::string_view words;  // for the end of a line
  std::string_view advice;
};
// Of a reason that is not known: those of `not_tls`.
const OpaqueWords& words_for(std::string_view reason);

}  // namespace sidespan::app
