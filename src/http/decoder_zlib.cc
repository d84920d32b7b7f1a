#include <zlib.h>

#include <optional>

#include "http/decoder.h"

namespace sidespan::http {
namespace {

// zlib's ways to ask for the largest window, and for one of its three wrappings and no other.
constexpr int kZlibWindowBits = 15;
constexpr int kGzipWindowBits = kZlibWindowBits + 16;
constexpr int kBareWindowBits = -kZlibWindowBits;
// Its state, and the window that it makes when it is first needed.
constexpr size_t kMemoryBytes = size_t{40} * 1024;

class ZlibDecoder final : public Decoder {
 public:
  explicit ZlibDecoder(int window_bits) : window_bits_(window_bits) {
    ready_ = inflateInit2(&stream_, window_bits) == Z_OK;
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }
  ZlibDecoder(const ZlibDecoder&) = delete;
  ZlibDecoder& operator=(const ZlibDecoder&) = delete;

  Step step(std::string_view& packed, std::span<char> plain) override {
    if (!ready_) return {Outcome::kTooLarge};
    // zlib's next_in is not const in every build of it; it is only read.
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    stream_.next_out = reinterpret_cast<Bytef*>(plain.data());
    stream_.avail_out = static_cast<uInt>(plain.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    packed.remove_prefix(packed.size() - stream_.avail_in);
    const size_t written = plain.size() - stream_.avail_out;
    if (status == Z_STREAM_END) return {Outcome::kEnded, written};
    // Z_BUF_ERROR: there was nothing to read, or no room.
    if (status == Z_OK || status == Z_BUF_ERROR) return {Outcome::kGoesOn, written};
    return {Outcome::kBroken, written};
  }

  // Members of a gzip file follow each other (RFC 1952 section 2.2).
  bool restart() override {
    return window_bits_ == kGzipWindowBits && inflateReset(&stream_) == Z_OK;
  }
  size_t memory_bytes() const override { return kMemoryBytes; }

 private:
  z_stream stream_{};
  int window_bits_;
  bool ready_ = false;
};

// "deflate" is zlib's wrapping (RFC 9110 section 8.4.1.2), and bare where the sender took the name
// at its word. Two bytes tell.
class DeflateDecoder final : public Decoder {
 public:
  Step step(std::string_view& packed, std::span<char> plain) override {
    while (!inner_) {
      if (packed.empty()) return {};
      head_[head_size_++] = packed.front();
      packed.remove_prefix(1);
      if (head_size_ == kHeadBytes) inner_.emplace(wrapped() ? kZlibWindowBits : kBareWindowBits);
    }
    if (std::string_view head(head_ + kHeadBytes - head_size_, head_size_); !head.empty()) {
      const Step step = inner_->step(head, plain);
      head_size_ = head.size();
      if (step.outcome != Outcome::kGoesOn || step.written > 0 || !head.empty()) return step;
    }
    return inner_->step(packed, plain);
  }
  bool restart() override { return false; }
  size_t memory_bytes() const override { return kMemoryBytes; }

 private:
  static constexpr size_t kHeadBytes = 2;

  // RFC 1950 section 2.2: method 8, and a check over both bytes.
  bool wrapped() const {
    const unsigned first = static_cast<unsigned char>(head_[0]);
    const unsigned second = static_cast<unsigned char>(head_[1]);
    return (first & 0x0fU) == 8 && (first * 256 + second) % 31 == 0;
  }

  char head_[kHeadBytes] = {};
  size_t head_size_ = 0;  // not handed on yet
  std::optional<ZlibDecoder> inner_;
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder() {
  return std::make_unique<ZlibDecoder>(kGzipWindowBits);
}

std::unique_ptr<Decoder> make_deflate_decoder() {
  return std::make_unique<DeflateDecoder>();
}

std::unique_ptr<Decoder> make_bare_deflate_decoder() {
  return std::make_unique<ZlibDecoder>(kBareWindowBits);
}

}  // namespace sidespan::http
