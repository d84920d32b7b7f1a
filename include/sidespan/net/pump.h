// Bytes from one file descriptor to another, of whatever kind (pipe, file, terminal), on a thread
// of its own, past somebody who may look at them and change them. For `sidespan stdio`, whose two
// ends may be anything that a shell can name; sockets belong to Stream. What the reading side does
// not take holds up the writing side, as a pipe between the two would.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace sidespan::net {

class Pump {
 public:
  // All on the pump's thread.
  struct Hooks {
    // What to write for what was read; as a rule `read` itself. May keep bytes back, to be written
    // with later ones.
    std::move_only_function<std::string_view(std::string_view read)> pass;
    // Nothing more is read: what was kept back. `from` has ended, or nobody takes bytes at `to`.
    std::move_only_function<std::string_view()> rest;
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

 private:
  void run();
  bool wait_for(int fd, short events) const;
  bool write_all(std::string_view bytes) const;

  const int from_;
  const int to_;
  int stop_[2] = {-1, -1};  // a pipe: closed at one end to stop
  Hooks hooks_;
  std::thread thread_;
};

}  // namespace sidespan::net
