#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>

#include "http/decoder.h"

namespace sidespan::http {
namespace {

// The first byte of a frame's magic number, or of one to skip (RFC 8878 section 3.1). The library
// may also read what zstd was before it was a standard, which nobody sends in HTTP.
bool begins_frame(char first) {
  constexpr unsigned kFrame = 0x28;
  constexpr unsigned kSkippable = 0x50;  // to 0x5f
  const auto byte = static_cast<unsigned char>(first);
  return byte == kFrame || (byte & 0xF0U) == kSkippable;
}

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(size_t memory_bytes_max) : stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) return;
    // The other half is for its tables, and the blocks it holds beside the window.
    const int wanted = static_cast<int>(std::bit_width(memory_bytes_max / 2)) - 1;
    const ZSTD_bounds allowed = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax,
                           std::clamp(wanted, allowed.lowerBound, allowed.upperBound));
  }
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  Step step(std::string_view& packed, std::span<char> plain) override {
    if (stream_ == nullptr) return {Outcome::kTooLarge};
    if (begins_ && !packed.empty()) {
      if (!begins_frame(packed.front())) return {Outcome::kBroken};
      begins_ = false;
    }
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{plain.data(), plain.size(), 0};
    const size_t result = ZSTD_decompressStream(stream_, &out, &in);
    packed.remove_prefix(in.pos);
    if (ZSTD_isError(result) != 0) {
      const bool window = ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge;
      return {window ? Outcome::kTooLarge : Outcome::kBroken, out.pos};
    }
    begins_ = result == 0;
    return {begins_ ? Outcome::kEnded : Outcome::kGoesOn, out.pos};
  }
  // Frames follow each other (RFC 8878 section 3); the stream is ready for one.
  bool restart() override { return true; }
  size_t memory_bytes() const override { return ZSTD_sizeof_DStream(stream_); }

 private:
  ZSTD_DStream* stream_;
  bool begins_ = true;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder(size_t memory_bytes_max) {
  return std::make_unique<ZstdDecoder>(memory_bytes_max);
}

}  // namespace sidespan::http
