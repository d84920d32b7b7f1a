// A thread with an event loop of its own and the one door to it. Worker and Telemetry are each
// built on one: what they own lives on the loop and is made, used and destroyed by work handed in
// here.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "sidespan/net/loop.h"
#include "sidespan/net/mailbox.h"

namespace sidespan::app {

class LoopThread {
 public:
  // Where there are more of them than processors.
  enum class Rank : uint8_t {
    kUsual,
    kBehind,  // runs when the others have nothing to do, or have had three quarters of the time
  };

  // `name` is what the system's tools show: at most 15 bytes.
  explicit LoopThread(const char* name, Rank rank = Rank::kUsual);
  // stop()
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  // Runs `work` on the thread and waits for it. Not from the thread itself, not after stop().
  void call(net::Mailbox::Work work);
  // Ends the loop after what was posted before and waits for the thread. Everything made on the
  // loop must be gone by then.
  void stop();

  // On the thread only.
  net::Loop& loop() { return *loop_; }
  // As the system numbers it; known once a call() has come back.
  pid_t id() const { return id_; }
  // Open until stop().
  net::Mailbox& mailbox() { return *mailbox_; }

 private:
  void run(const char* name, Rank rank);

  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Mailbox> mailbox_;
  pid_t id_ = 0;
  std::thread thread_;
};

}  // namespace sidespan::app
