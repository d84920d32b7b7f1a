// TLS between a connection's socket and its codec, with the count of how much plain text is in what
// waits for the socket.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/tls/engine.h"

namespace sidespan::wire {

class TlsLayer {
 public:
  explicit TlsLayer(std::unique_ptr<tls::Engine> engine)
      : engine_(std::move(engine)), charge_(engine_->memory_bytes()) {}

  tls::Engine& engine() { return *engine_; }
  const tls::Engine& engine() const { return *engine_; }

  // Encrypts; the result waits as the engine's output.
  void seal(const Chain& plain) {
    engine_->write(plain);
    plain_ += plain.size();
  }
  // What is to be written now.
  Chain take_output() {
    Chain cipher = engine_->take_output();
    in_flight_.push_back({cipher.size(), std::exchange(plain_, 0)});
    return cipher;
  }
  // So many bytes of what was taken left for the socket: that much plain text did with them.
  size_t written(size_t cipher);

 private:
  struct Piece {
    size_t cipher;
    size_t plain;
  };
  std::unique_ptr<tls::Engine> engine_;
  MemoryCharge charge_;
  size_t plain_ = 0;              // sealed since the last take_output()
  std::vector<Piece> in_flight_;  // the oldest first; most often one
};

}  // namespace sidespan::wire
