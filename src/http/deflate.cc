#include "sidespan/http/deflate.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <limits>
#include <memory>

namespace sidespan::http {
namespace {

// Spans are packed to a tenth; what gains less has its room doubled.
constexpr size_t kUsualRatio = 8;
constexpr size_t kWrappingBytes = 64;

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

}  // namespace sidespan::http
