#include "sidespan/http/deflate.h"

#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <limits>
#include <memory>

namespace sidespan::http {
namespace {

// zlib's way to ask for the gzip form with the largest window, and for nothing but it when reading.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;
// Growth of the plain text while its size is not known; the trailer's word for it is not trusted.
constexpr size_t kFirstPlainBytes = size_t{16} * 1024;
// Spans are packed to a tenth; what gains less has its room doubled.
constexpr size_t kUsualRatio = 8;
constexpr size_t kWrappingBytes = 64;

void set_input(z_stream& stream, std::string_view bytes) {
  // zlib's next_in is not const in every build of it; it is only read.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
}

// What `out` holds from `used` on.
void set_output(z_stream& stream, std::string& out, size_t used) {
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
  stream.avail_out = static_cast<uInt>(out.size() - used);
}

// What a packing needs besides its text, too much to keep between the exports.
struct Deflater {
  isal_zstream stream;
  std::array<uint8_t, ISAL_DEF_LVL1_MEDIUM> level_buffer;
};

// More room behind what `stream` has written to `out`.
void extend_output(isal_zstream& stream, std::string& out, size_t more) {
  const size_t used = out.size() - stream.avail_out;
  out.resize_and_overwrite(out.size() + more, [](char*, size_t size) { return size; });
  stream.next_out = reinterpret_cast<uint8_t*>(out.data() + used);
  stream.avail_out = static_cast<uint32_t>(out.size() - used);
}

class Inflater {
 public:
  Inflater() : ready_(inflateInit2(&stream_, kGzipWindowBits) == Z_OK) {}
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // All members of `packed` appended to `out`, which stays within `bytes_max`; false otherwise.
  bool run(std::string_view packed, std::string& out, size_t bytes_max) {
    set_input(stream_, packed);
    while (ready_) {
      // One byte over the limit tells a text that ends there from one that goes on.
      const size_t used = out.size();
      out.resize(std::min(std::max(used * 2, kFirstPlainBytes), bytes_max + 1));
      set_output(stream_, out, used);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      out.erase(out.size() - stream_.avail_out);
      if (out.size() > bytes_max) return false;
      if (status == Z_STREAM_END) {
        if (stream_.avail_in == 0) return true;
        inflateReset(&stream_);  // another member follows (RFC 1952 section 2.2)
      } else if (status != Z_OK || (stream_.avail_in == 0 && stream_.avail_out > 0)) {
        return false;
      }
    }
    return false;
  }

 private:
  z_stream stream_{};
  bool ready_;
};

}  // namespace

std::string gzip(std::span<const std::string_view> parts) {
  const auto deflater = std::make_unique_for_overwrite<Deflater>();
  isal_zstream& stream = deflater->stream;
  isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = deflater->level_buffer.data();
  stream.level_buf_size = static_cast<uint32_t>(deflater->level_buffer.size());
  stream.gzip_flag = IGZIP_GZIP;
  stream.avail_out = 0;
  std::string out;
  for (const std::string_view& part : parts) {
    assert(part.size() <= std::numeric_limits<uint32_t>::max());
    // Not const in its header; it is only read.
    stream.next_in = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(part.data()));
    stream.avail_in = static_cast<uint32_t>(part.size());
    stream.end_of_stream = &part == &parts.back() ? 1 : 0;
    do {
      if (stream.avail_out < kWrappingBytes) {
        extend_output(stream, out, out.size() + part.size() / kUsualRatio + kWrappingBytes);
      }
      [[maybe_unused]] const int status = isal_deflate(&stream);
      assert(status == COMP_OK && "its settings are right");
    } while (stream.avail_in > 0 ||
             (stream.end_of_stream != 0 && stream.internal_state.state != ZSTATE_END));
  }
  out.erase(out.size() - stream.avail_out);
  return out;
}

std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max) {
  if (packed.size() > std::numeric_limits<uInt>::max() ||
      plain_bytes_max >= std::numeric_limits<uInt>::max()) {
    return std::nullopt;
  }
  std::string plain;
  if (!Inflater().run(packed, plain, plain_bytes_max)) return std::nullopt;
  return plain;
}

}  // namespace sidespan::http
