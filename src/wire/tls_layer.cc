#include "tls_layer.h"

#include <algorithm>

namespace sidespan::wire {

size_t TlsLayer::written(size_t cipher) {
  size_t plain = 0;
  size_t whole = 0;
  for (Piece& piece : in_flight_) {
    const size_t part = std::min(piece.cipher, cipher);
    piece.cipher -= part;
    cipher -= part;
    if (piece.cipher > 0) break;
    plain += piece.plain;
    ++whole;
  }
  in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<ptrdiff_t>(whole));
  return plain;
}

}  // namespace sidespan::wire
