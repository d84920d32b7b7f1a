// TLS between a connection's socket and its codec, with the count of what waits for the socket: how
// much plain text is in it, and how much is there that only TLS itself had to say.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "sidespan/base/buffer.h"
#include "sidespan/tls/engine.h"

namespace sidespan::wire {

class TlsLayer {
 public:
  explicit TlsLayer(std::unique_ptr<tls::Engine> engine) : engine_(std::move(engine)) {}

  tls::Engine& engine() { return *engine_; }
  const tls::Engine& engine() const { return *engine_; }

  // What is to be written now: what the engine says itself, then `plain`, encrypted.
  Chain take_output(const Chain& plain = {});
  // So many bytes of what was taken left for the socket: that much plain text did with them.
  size_t written(size_t cipher);
  // Said by the engine itself, and not gone yet.
  size_t own_bytes() const { return own_ + engine_->output_bytes(); }

 private:
  struct Piece {
    size_t cipher;
    size_t plain;
    size_t own;
  };
  std::unique_ptr<tls::Engine> engine_;
  size_t own_ = 0;                // of those in flight
  std::vector<Piece> in_flight_;  // the oldest first; most often one
};

}  // namespace sidespan::wire
