// Whoever is at the other end of a socket.
#pragma once

#include <memory>
#include <string>

#include "sidespan/net/stream.h"

namespace sidespan::wire {

struct Peer final : net::StreamReader {
  void on_bytes(const Chunk& read) override { got += read.view(); }
  void on_end() override { ended = true; }
  void on_failure(Error) override { failed = true; }
  void on_written(size_t) override {}
  bool over() const { return ended || failed; }

  std::unique_ptr<net::Stream> stream;
  std::string got;
  bool ended = false;
  bool failed = false;
};

}  // namespace sidespan::wire
