// Where a thread of ours is that does not come back, for the log. Asked by a signal it notes its
// own return addresses, whatever it is at; only one that the kernel holds says nothing. Linux.
#pragma once

#include <sys/types.h>

#include <string>

#include "sidespan/base/clock.h"

namespace sidespan::app {

// The frames of `thread`, which is of this process, from the innermost on: "libc.so.6+0x9a1f3
// sidespan+0x71c04", offsets as addr2line takes them. Empty where it does not answer within
// `patience`. From one thread at a time. Takes a real-time signal, with the first call: what it
// needs beside that costs a sidecar at rest some 200 KiB.
std::string stack_of(pid_t thread, Milliseconds patience);

}  // namespace sidespan::app
