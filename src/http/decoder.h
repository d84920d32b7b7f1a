// One content coding's decoder as Inflater drives it: bytes in, plain bytes out, no limits but on
// its own memory. Each of zlib, brotli and zstd has a file with its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "sidespan/http/inflate.h"

namespace sidespan::http {

class Decoder {
 public:
  enum class Outcome : uint8_t {
    kGoesOn,
    kEnded,  // the packed text is over; another may follow where the coding allows it
    kBroken,
    kTooLarge,
  };
  struct Step {
    Outcome outcome = Outcome::kGoesOn;
    size_t written = 0;
  };

  virtual ~Decoder() = default;
  // Takes what it read off `packed`. When it goes on, all of `packed` was read or `plain` is full.
  virtual Step step(std::string_view& packed, std::span<char> plain) = 0;
  // Behind the end: whether what follows is read as another packed text.
  virtual bool restart() = 0;
  // It holds now.
  virtual size_t memory_bytes() const = 0;
};

std::unique_ptr<Decoder> make_gzip_decoder();
std::unique_ptr<Decoder> make_deflate_decoder();
std::unique_ptr<Decoder> make_bare_deflate_decoder();  // RFC 1951, of any window
std::unique_ptr<Decoder> make_brotli_decoder(size_t memory_bytes_max);
std::unique_ptr<Decoder> make_zstd_decoder(size_t memory_bytes_max);

}  // namespace sidespan::http
