#include "h2_connection.h"

#include <algorithm>
#include <limits>
#include <new>

#include "h2_memory.h"
#include "sidespan/http/h2_codec.h"

namespace sidespan::http {
namespace {

// As measured: a session with its two HPACK tables, and a stream with nghttp2's part of it.
constexpr size_t kSessionBytes = size_t{12} * 1024;
constexpr size_t kStreamBytes = size_t{1} * 1024;
// Of one head that fills its frames by half at least, and of a small one in more.
constexpr size_t kContinuationsLeast = 8;
constexpr size_t kHalfFrameBytes = size_t{8} * 1024;
// A head that a peer may send, limits.head_bytes of at most 1 MiB, with what is added to it here
// and what nghttp2 reckons beside its bytes, whose own limit is 64 KiB of that.
constexpr size_t kSentHeadBytesMax = size_t{4} * 1024 * 1024;
// Gaps in the numbers of a client's streams that are remembered; few leave any.
constexpr size_t kSkippedMax = 16;

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// What nghttp2 calls. The last argument of each is the connection.
struct H2Callbacks {
  static H2Connection& of(void* self) { return *static_cast<H2Connection*>(self); }

  static int section_begin(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    of(self).on_section_begin(*frame);
    return 0;
  }
  static int frame_begin(nghttp2_session*, const nghttp2_frame_hd* header, void* self) {
    return of(self).on_frame_begin(*header) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  static int field(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                   const uint8_t* value, size_t value_size, uint8_t flags, void* self) {
    const bool unindexed = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
    if (of(self).on_field(view(name, name_size), view(value, value_size), unindexed)) return 0;
    of(self).give_up(NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int body(nghttp2_session*, uint8_t, int32_t wire_id, const uint8_t* bytes, size_t size,
                  void* self) {
    of(self).on_body(wire_id, view(bytes, size));
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    of(self).on_frame(*frame);
    return 0;
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    of(self).on_frame_sent(*frame);
    return 0;
  }
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int reason, void* self) {
    of(self).on_frame_not_sent(*frame, reason);
    return 0;
  }
  static int stream_over(nghttp2_session*, int32_t wire_id, uint32_t code, void* self) {
    of(self).on_stream_over(wire_id, code);
    return 0;
  }
  static int body_frame(nghttp2_session*, nghttp2_frame* frame, const uint8_t* header, size_t size,
                        nghttp2_data_source*, void* self) {
    H2Stream* stream = of(self).on_wire(frame->hd.stream_id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    of(self).on_body_frame(*stream, view(header, H2Connection::kFrameHeaderBytes), size);
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* all = nullptr;
    nghttp2_session_callbacks_new(&all);
    nghttp2_session_callbacks_set_on_begin_headers_callback(all, section_begin);
    nghttp2_session_callbacks_set_on_begin_frame_callback(all, frame_begin);
    nghttp2_session_callbacks_set_on_header_callback(all, field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, body);
    nghttp2_session_callbacks_set_on_frame_recv_callback(all, frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(all, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(all, frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(all, stream_over);
    nghttp2_session_callbacks_set_send_data_callback(all, body_frame);
    return all;
  }
  static nghttp2_option* options() {
    nghttp2_option* all = nullptr;
    nghttp2_option_new(&all);
    nghttp2_option_set_no_auto_window_update(all, 1);
#if SIDESPAN_NGHTTP2_COUNTS_RESETS
    // It counts those of calls that were answered in part, too; count_reset() does not.
    constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
    nghttp2_option_set_stream_reset_rate_limit(all, kNone, kNone);
#endif
    nghttp2_option_set_max_send_header_block_length(all, kSentHeadBytesMax);
#if SIDESPAN_NGHTTP2_COUNTS_CONTINUATIONS
    // It counts pieces of their headers; on_frame_begin() counts frames.
    nghttp2_option_set_max_continuations(all, std::numeric_limits<size_t>::max());
#endif
    return all;
  }
};

H2Connection::H2Connection(const CodecLimits& limits, std::string_view scheme)
    : Codec(true),
      limits_(limits),
      scheme_(scheme),
      continuations_max_(std::max(kContinuationsLeast, limits.head_bytes_max / kHalfFrameBytes)),
      charge_(kSessionBytes),
      resets_left_(kResetsMax) {
  // The same for every connection, and never changed: made once, for the process.
  static const nghttp2_session_callbacks* const kCallbacks = H2Callbacks::make();
  static const nghttp2_option* const kOptions = H2Callbacks::options();
  nghttp2_mem memory = h2_memory();
  const auto make = server() ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  const int made = make(&session_, kCallbacks, this, kOptions, &memory);
  if (made != 0) throw std::bad_alloc();
  const auto bytes = [](size_t n) { return static_cast<uint32_t>(n); };
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
       bytes(server() ? limits_.stream_window_bytes : kWindowAtFirst)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, bytes(limits_.head_bytes_max)},
      server() ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                        bytes(limits_.streams_max)}
               : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits_.connection_window_bytes));
}

H2Connection::~H2Connection() {
  nghttp2_session_del(session_);
}

bool H2Connection::on_frame_begin(const nghttp2_frame_hd& header) {
  continuations_ = header.type == NGHTTP2_CONTINUATION ? continuations_ + 1 : 0;
  if (continuations_ > continuations_max_) return false;
  if (!server() || header.type != NGHTTP2_HEADERS) return true;
  const auto id = static_cast<StreamId>(header.stream_id);
  if (id > last_stream_) {
    if (id > last_stream_ + 2 && skipped_.size() < kSkippedMax) {
      skipped_.emplace_back(last_stream_, id);
    }
    last_stream_ = id;
    return true;
  }
  // Who passes over a stream has closed it (RFC 9113 section 5.1.1); nghttp2 would just not hear.
  return std::ranges::none_of(skipped_,
                              [&](const auto& gap) { return gap.first < id && id < gap.second; });
}

void H2Connection::settle() {
  produces_ = true;
  charge_.set(kSessionBytes + streams_.size() * kStreamBytes);
}

std::unique_ptr<Codec> make_h2_server(const CodecLimits& limits) {
  return std::make_unique<H2Connection>(limits, "");
}

std::unique_ptr<Codec> make_h2_client(const CodecLimits& limits, std::string_view scheme) {
  return std::make_unique<H2Connection>(limits, scheme);
}

std::string_view nghttp2_version() {
  return ::nghttp2_version(0)->version_str;
}

}  // namespace sidespan::http
