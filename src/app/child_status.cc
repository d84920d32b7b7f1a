#include "app/child_status.h"

namespace sidespan::app {
namespace {

constexpr int kOwnFailure = 1;
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;
constexpr int kSignalBase = 128;

}  // namespace

int exit_status(const net::ProcessExit& exit) {
  return exit.signal == 0 ? exit.status : kSignalBase + exit.signal;
}

int exit_status(const Error& not_started) {
  if (not_started.side != Side::kAgent) return kOwnFailure;
  return not_started.code == Code::kInvalid ? kNotFound : kCannotExecute;
}

}  // namespace sidespan::app
