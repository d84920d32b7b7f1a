// Bytes from one file descriptor to another, of whatever kind (pipe, file, terminal), on a thread
// of its own, past somebody who may look at them and change them. For `sidespan stdio`, whose two
// ends may be anything that a shell can name; sockets belong to Stream. What the reading side does
// not take holds up the writing side, as a pipe between the two would.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "sidespan/base/clock.h"

namespace sidespan::net {

class Pump {
 public:
  // Why nothing more is read.
  enum class End : uint8_t {
    kFromEnded,  // or has long been quiet, after finish_when_quiet()
    kToClosed,   // nobody takes bytes there
    kStopped,
  };
  // All on the pump's thread.
  struct Hooks {
    // What to write for what was read; as a rule `read` itself. May keep bytes back, to be written
    // with later ones.
    std::move_only_function<std::string_view(std::string_view read)> pass;
    // Nothing more is read: what was kept back.
    std::move_only_function<std::string_view(End why)> rest;
    // Last of all; `to` is closed then, where it was to be.
    std::move_only_function<void()> on_end;
  };
  // Owned from now on, both are closed when it ends; a standard stream is /dev/null then.
  Pump(int from, int to, Hooks hooks);
  // stop(), and waits for the thread; on_end was called then.
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // Reads no more; what was read and not taken yet is dropped.
  void stop();
  // `from` may be held open by somebody who has nothing to say: it has ended when there was nothing
  // to read for that long. What was read is written all the same, however long that takes.
  void finish_when_quiet(Milliseconds quiet);

 private:
  enum class Wait : uint8_t { kReady, kQuiet, kStopped };

  void run();
  End move();
  Wait wait_for(int fd, short events);
  std::optional<End> write_all(std::string_view bytes);

  const int from_;
  const int to_;
  int told_[2] = {-1, -1};       // a pipe: closed at one end to stop; a byte: quiet_ is set
  std::atomic<int> quiet_ = -1;  // as poll() wants it: milliseconds, or -1 for no limit
  Hooks hooks_;
  std::thread thread_;
};

}  // namespace sidespan::net
