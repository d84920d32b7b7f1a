// The codec of one HTTP/2 connection. h2_input.cc is what nghttp2 says of the peer's bytes,
// h2_output.cc what goes to the peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "event_queue.h"
#include "h2_stream.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/spare_allocator.h"
#include "sidespan/http/codec.h"

namespace sidespan::http {

class H2Connection final : public Codec {
 public:
  // An empty scheme makes a server.
  H2Connection(const CodecLimits& limits, std::string_view scheme);
  ~H2Connection() override;

  // h2_input.cc
  void feed(std::string_view bytes, MonoTime now) override;
  void feed(const Chunk& read, MonoTime now) override;
  void eof(InputEnd how) override;
  std::optional<Event> next() override;
  bool has_events() const override { return !events_.empty(); }
  void consumed(StreamId stream, size_t n) override;
  void read_ahead(StreamId stream) override;
  bool wants_input() const override;
  void wait_from(MonoTime now) override;
  std::optional<MonoTime> deadline() const override;
  void on_time(MonoTime now) override;

  // h2_output.cc
  StreamId open() override;
  size_t send(Event&& event) override;
  size_t send_head(StreamId stream, const Head& head) override;
  size_t queued(StreamId stream) const override;
  size_t sendable(StreamId stream) const override;
  Chain take_output() override;
  bool has_output() const override;
  void written(size_t n) override;
  void tunnel(StreamId) override {}  // CONNECT's body is opaque from the start
  void resume_http(StreamId, Chain) override {}
  void half_close(StreamId) override {}
  void drain() override;

  size_t memory_bytes() const override { return charge_.bytes(); }
  size_t streams() const override { return streams_.size(); }
  bool output_ended() const override;
  bool done() const override { return output_ended(); }
  bool ends_abruptly() const override { return false; }
  bool greeted() const override { return greeted_; }
  bool reusable() const override;

 private:
  // Bytes of the output that have not left, by whose they are; neighbours of one stream are one.
  struct Piece {
    StreamId stream;  // 0: nobody's
    size_t bytes;
    size_t body;  // of them
  };
  friend struct H2Callbacks;
  static constexpr size_t kFrameHeaderBytes = 9;  // RFC 9113 section 4.1
  // How many streams more may be ended before their answer began, or by the peer's fault, than were
  // served whole.
  static constexpr size_t kResetsMax = 200;
  // Who reads a body in small pieces refunds each, to its stream and to the connection, when it
  // likes: Go does so for 4 KiB, and long after the last of it was sent. More than its window held
  // it cannot owe, which may be many small frames.
  static constexpr size_t kRefundBytes = 1024;
  static constexpr size_t kRefundsKept = 16'384;
  // So many times CodecLimits::window_bytes of all streams together may wait for the socket before
  // little more is wanted for any.
  static constexpr size_t kQueuedWindows = 8;
  // Of an answer: whoever asked may never take it.
  static constexpr size_t kWindowAtFirst = size_t{8} * 1024;
  // Of streams that are over, for those to come: as many as two connections have at a time, one on
  // either side.
  static constexpr size_t kStreamsKept = 256;

  static size_t refunds(size_t bytes) { return 2 * (1 + bytes / kRefundBytes); }
  bool server() const { return scheme_.empty(); }
  std::optional<MonoTime> farewell_deadline() const;
  std::optional<MonoTime> ping_deadline() const;
  void ping(MonoTime now);
  Side peer() const { return server() ? Side::kAgent : Side::kOrigin; }
  const H2Stream* find(StreamId id) const;
  H2Stream* find(StreamId id);
  H2Stream* on_wire(int32_t wire_id) const;
  H2Stream& add_stream(StreamId id);
  void forget(const H2Stream& stream);
  template <class What>
  void push(const H2Stream& stream, What&& what) {
    events_.push(stream.id, std::forward<What>(what));
  }

  // From nghttp2; false: the connection cannot go on.
  bool on_frame_begin(const nghttp2_frame_hd& header);
  void on_section_begin(const nghttp2_frame& frame);
  bool on_field(std::string_view name, std::string_view value, bool unindexed);
  void on_section_end(H2Stream& stream, bool ended);
  void on_body(int32_t wire_id, std::string_view bytes);
  void on_frame(const nghttp2_frame& frame);
  void on_frame_sent(const nghttp2_frame& frame);
  void on_frame_not_sent(const nghttp2_frame& frame, int reason);
  void on_stream_over(int32_t wire_id, uint32_t code);
  ssize_t on_body_wanted(H2Stream& stream, size_t room, uint32_t& flags);
  void on_body_frame(H2Stream& stream, std::string_view header, size_t size);

  void end_input(H2Stream& stream);
  Error error_of(const H2Stream& stream, uint32_t code) const;
  Error not_taken(std::string_view why) const;
  void tell_lost(const H2Stream& stream, const Error& error);
  void lose_streams(const Error& error);
  void lose_silent(std::string what);
  void count_idle_frame();
  void grow_window(H2Stream& stream, size_t consumed);
  void widen(H2Stream& stream, size_t window);
  void count_update(const nghttp2_frame& frame);
  void count_reset();
  void give_up(uint32_t code);
  void send_interim(H2Stream& stream, const Head& head);
  void lose_unsendable(H2Stream& stream);
  void send_reset(H2Stream& stream, const Error& error);
  void submit_reset(const H2Stream& stream, uint32_t code);
  void resume(H2Stream& stream);
  void say_farewell(MonoTime now);
  void say_goodbye();
  void produce();
  void add_piece(StreamId stream, size_t bytes, size_t body);
  void drained(StreamId id, size_t bytes);
  static size_t queued(const H2Stream& stream) { return stream.out.size() + stream.in_flight; }
  void settle();

  const CodecLimits limits_;
  const std::string scheme_;
  const size_t continuations_max_;  // of one head
  nghttp2_session* session_ = nullptr;
  using Streams =
      std::unordered_map<StreamId, H2Stream, std::hash<StreamId>, std::equal_to<>,
                         SpareAllocator<std::pair<const StreamId, H2Stream>, kStreamsKept>>;
  Streams streams_;
  EventQueue events_;
  const Chunk* read_ = nullptr;  // what is fed, for the time of the call
  MonoTime now_{};
  Chain out_;
  std::deque<Piece> unwritten_;
  size_t unwritten_bytes_ = 0;
  size_t waiting_ = 0;  // body bytes that all streams together have not in frames yet
  MemoryCharge charge_;
  std::optional<MonoTime> section_begun_;  // a section that is not whole yet, or the preface
  std::unique_ptr<H2Section> section_;     // that one; nothing comes between its frames
  int32_t section_of_ = 0;                 // the stream of the last one
  StreamId last_stream_ = 0;               // that was opened, by whichever side does
  std::vector<std::pair<StreamId, StreamId>> skipped_;  // between these two there was none
  size_t continuations_ = 0;
  size_t idle_frames_ = 0;
  MonoTime idle_since_{};
  size_t updates_due_ = 0;  // WINDOW_UPDATE frames that what was sent may bring
  size_t window_max_ = NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE;  // the peer's largest so far
  std::optional<MonoTime> silent_since_;  // or, where nothing was owed before, waited for
  std::optional<MonoTime> pinged_at_;     // and nothing was heard since
  std::optional<MonoTime> drained_at_;
  unsigned pings_ = 0;  // that were all that was said for a while
  size_t resets_left_;
  bool produces_ = true;  // nghttp2 may have something to say
  bool greeted_ = false;  // the peer's SETTINGS came
  bool given_up_ = false;
  bool input_ended_ = false;
  bool draining_ = false;
  bool farewell_said_ = false;  // that there will be a goodbye
  bool goodbye_said_ = false;
  bool peer_closing_ = false;  // GOAWAY came
  bool closed_ = false;        // GOAWAY of ours that ends everything is out
};

}  // namespace sidespan::http
