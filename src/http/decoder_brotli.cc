#include <brotli/decode.h>

#include <cstdlib>

#include "http/decoder.h"

namespace sidespan::http {
namespace {

// Its ring grows with the text up to the window that the stream names, 16 MiB at most: what it asks
// for is refused beyond the limit.
struct Allowance {
  size_t bytes_max;
  size_t used = 0;

  static constexpr size_t kSizeBytes = alignof(std::max_align_t);

  static void* allocate(void* opaque, size_t size) {
    Allowance& self = *static_cast<Allowance*>(opaque);
    if (size > self.bytes_max - self.used) return nullptr;
    void* const block = std::malloc(size + kSizeBytes);
    if (block == nullptr) return nullptr;
    *static_cast<size_t*>(block) = size;
    self.used += size;
    return static_cast<char*>(block) + kSizeBytes;
  }

  static void release(void* opaque, void* address) {
    if (address == nullptr) return;
    void* const block = static_cast<char*>(address) - kSizeBytes;
    static_cast<Allowance*>(opaque)->used -= *static_cast<size_t*>(block);
    std::free(block);
  }
};

class BrotliDecoder final : public Decoder {
 public:
  explicit BrotliDecoder(size_t memory_bytes_max) : allowance_{memory_bytes_max} {
    state_ = BrotliDecoderCreateInstance(&Allowance::allocate, &Allowance::release, &allowance_);
  }
  ~BrotliDecoder() override { BrotliDecoderDestroyInstance(state_); }
  BrotliDecoder(const BrotliDecoder&) = delete;
  BrotliDecoder& operator=(const BrotliDecoder&) = delete;

  Step step(std::string_view& packed, std::span<char> plain) override {
    if (state_ == nullptr) return {Outcome::kTooLarge};
    size_t in_left = packed.size();
    const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
    size_t out_left = plain.size();
    auto* out = reinterpret_cast<uint8_t*>(plain.data());
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_, &in_left, &in, &out_left, &out, nullptr);
    packed.remove_prefix(packed.size() - in_left);
    const size_t written = plain.size() - out_left;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return {Outcome::kEnded, written};
    if (result != BROTLI_DECODER_RESULT_ERROR) return {Outcome::kGoesOn, written};
    return {refused() ? Outcome::kTooLarge : Outcome::kBroken, written};
  }
  bool restart() override { return false; }
  size_t memory_bytes() const override { return allowance_.used; }

 private:
  bool refused() const {
    const BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state_);
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
  }

  Allowance allowance_;
  BrotliDecoderState* state_;
};

}  // namespace

std::unique_ptr<Decoder> make_brotli_decoder(size_t memory_bytes_max) {
  return std::make_unique<BrotliDecoder>(memory_bytes_max);
}

}  // namespace sidespan::http
