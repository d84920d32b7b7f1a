#include "sidespan/http/deflate.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <memory>

namespace sidespan::http {
namespace {

// zlib's way to ask for the gzip form with the largest window, and for nothing but it when reading.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;
// Growth of the plain text while its size is not known; the trailer's word for it is not trusted.
constexpr size_t kFirstPlainBytes = size_t{16} * 1024;

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

struct Free {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
};

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
      out.resize(out.size() - stream_.avail_out);
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

std::string gzip(std::string_view plain, int level) {
  const std::unique_ptr<libdeflate_compressor, Free> compressor(libdeflate_alloc_compressor(level));
  if (!compressor) std::abort();  // out of memory, or a level that is none
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), plain.size()), '\0');
  const size_t size = libdeflate_gzip_compress(compressor.get(), plain.data(), plain.size(),
                                               out.data(), out.size());
  assert(size > 0 && "the bound is never too small");
  out.resize(size);
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
