// A listening TCP socket. Sheds connections when the process runs out of descriptors (a spare one
// is kept for that) instead of spinning. Several workers listen on one port by SO_REUSEPORT.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "sidespan/base/error.h"
#include "sidespan/net/address.h"
#include "sidespan/net/loop.h"
#include "sidespan/net/stream.h"

namespace sidespan::net {

class Listener {
 public:
  struct Options {
    int backlog = 1024;
    bool reuse_port = false;  // several workers share the port; never set for one worker, so that a
                              // second sidecar on the same port is an error
    int descriptors_kept = 0;  // of what the process may have, left to others; the connection that
                               // would take one of these is shed
  };
  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;

  // Port 0 takes a free one; address() tells which. Error side: kSelf.
  static Result<std::unique_ptr<Listener>> listen(Loop& loop, const Address& address,
                                                  Options options, OnAccept on_accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const Address& address() const;
  // Stops and restarts accepting; connections wait in the backlog meanwhile.
  void pause();
  void resume();
  // Connections closed unanswered because the process had no descriptor left for them.
  uint64_t shed() const;

 private:
  struct Impl;
  explicit Listener(Impl* impl) : impl_(impl) {}
  Impl* impl_;
};

}  // namespace sidespan::net
