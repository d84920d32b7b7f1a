// How the end of a command that we started is told to whoever started us: as a shell tells it.
#pragma once

#include "sidespan/base/error.h"
#include "sidespan/net/process.h"

namespace sidespan::app {

// The status, or 128 and the number of the signal that ended it.
int exit_status(const net::ProcessExit& exit);
// Of a command that did not start: 127 there is no such program, 126 it cannot be executed, 1 the
// fault is ours.
int exit_status(const Error& not_started);

}  // namespace sidespan::app
