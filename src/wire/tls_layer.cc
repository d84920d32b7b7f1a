#include "tls_layer.h"

#include <algorithm>

namespace sidespan::wire {

Chain TlsLayer::take_output(const Chain& plain) {
  const size_t own = engine_->output_bytes();
  if (!plain.empty()) engine_->write(plain);
  Chain cipher = engine_->take_output();
  in_flight_.push_back({cipher.size(), plain.size(), own});
  own_ += own;
  return cipher;
}

size_t TlsLayer::written(size_t cipher) {
  size_t plain = 0;
  size_t whole = 0;
  for (Piece& piece : in_flight_) {
    const size_t part = std::min(piece.cipher, cipher);
    piece.cipher -= part;
    cipher -= part;
    if (piece.cipher > 0) break;
    plain += piece.plain;
    own_ -= piece.own;
    ++whole;
  }
  in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<ptrdiff_t>(whole));
  return plain;
}

}  // namespace sidespan::wire
