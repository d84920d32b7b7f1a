#include "sidespan/wire/connection.h"

#include <utility>

namespace sidespan::wire {
namespace {

// How long the peer may take nothing of what is left to write once the connection is finishing.
constexpr Milliseconds kStallTimeMax{30'000};
// A peer that is still sending when it gets our last answer would lose that answer to a reset, so
// its bytes are read and thrown away for a while.
constexpr Milliseconds kLingerTimeMax{2000};
constexpr size_t kLingerBytesMax = size_t{1024} * 1024;

}  // namespace

Connection::Connection(std::unique_ptr<net::Stream> stream, std::unique_ptr<http::Codec> codec,
                       ConnectionOwner& owner)
    : loop_(stream->loop()),
      stream_(std::move(stream)),
      codec_(std::move(codec)),
      owner_(owner),
      peer_(stream_->peer()) {
  stream_->start(*this);
}

Connection::~Connection() {
  // The last words were said in this turn, and its end comes too late for them.
  if (stream_ && (finishing_ || codec_->ends_abruptly())) flush();
  loop_.cancel_turn_end(*this);
}

size_t Connection::send(http::Event&& event) {
  const size_t queued = codec_->send(std::move(event));
  flush_later();
  return queued;
}

size_t Connection::send_head(http::StreamId stream, const http::Head& head) {
  const size_t queued = codec_->send_head(stream, head);
  flush_later();
  return queued;
}

void Connection::consumed(http::StreamId stream, size_t n) {
  codec_->consumed(stream, n);
  update_reading();
}

void Connection::tunnel(http::StreamId stream) {
  codec_->tunnel(stream);
  flush_later();
}

void Connection::resume_http(http::StreamId stream, Chain first) {
  codec_->resume_http(stream, std::move(first));
  flush_later();
}

void Connection::half_close(http::StreamId stream) {
  codec_->half_close(stream);
  flush_later();
}

void Connection::drain() {
  codec_->drain();
  flush_later();
}

void Connection::finish() {
  if (finishing_ || !stream_) return;
  finishing_ = true;
  flush_later();
}

void Connection::abort() {
  close(true);
  flush_later();
}

void Connection::flush_later() {
  loop_.at_turn_end(*this);
}

void Connection::on_bytes(const Chunk& read) {
  if (lingering_) {
    lingered_ += read.size();
    if (lingered_ <= kLingerBytesMax) return;
    close(false);
    return wake();
  }
  codec_->feed(read, loop_.now().mono);
  arm_deadline();
  update_reading();
  flush_later();
  wake();
}

void Connection::on_end() {
  input_ended_ = true;
  if (lingering_) {
    close(false);
    return wake();
  }
  codec_->eof(http::InputEnd::kClean);
  flush_later();
  wake();
}

void Connection::on_failure(Error) {
  close(false);
  codec_->eof(http::InputEnd::kTruncated);
  wake();
}

void Connection::on_written(size_t bytes) {
  codec_->written(bytes);
  if (flushing_) return;
  if (ends_by_timer_ && !lingering_) end_after(kStallTimeMax);
  flush_later();
  wake();
}

void Connection::on_turn_end() {
  if (stream_) flush();
  // What the flush brought about: room for more, a finished stream, or the end.
  if (codec_->has_events() || (codec_->done() && !finishing_) || closed()) wake();
}

void Connection::flush() {
  flushing_ = true;
  while (stream_ && codec_->has_output()) stream_->write(codec_->take_output());
  flushing_ = false;
  if (!stream_) return;
  if (codec_->ends_abruptly()) return close(true);
  if (codec_->output_ended()) stream_->shutdown();
  if (finishing_ && !lingering_) {
    if (stream_->pending() == 0) {
      linger();
    } else if (!ends_by_timer_) {
      end_after(kStallTimeMax);
    }
  }
  update_reading();
}

bool Connection::has_unsent() const {
  return stream_ && (codec_->has_output() || stream_->pending() > 0);
}

void Connection::linger() {
  stream_->shutdown();
  if (input_ended_) return close(false);
  lingering_ = true;
  end_after(kLingerTimeMax);
}

void Connection::end_after(Milliseconds time) {
  if (!ends_by_timer_) {
    ends_by_timer_ = true;
    timer_ = std::make_unique<net::Timer>(loop_, [this] {
      close(!lingering_);
      wake();
    });
  }
  timer_->start(time, true);
}

void Connection::update_reading() {
  if (!stream_) return;
  if (lingering_ || codec_->wants_input()) {
    stream_->resume();
  } else {
    stream_->pause();
  }
}

void Connection::arm_deadline() {
  const std::optional<MonoTime> deadline = codec_->deadline();
  if (!deadline || ends_by_timer_ || (armed_for_ && *armed_for_ <= *deadline)) return;
  if (!timer_) timer_ = std::make_unique<net::Timer>(loop_, [this] { on_deadline(); });
  armed_for_ = deadline;
  timer_->start(std::chrono::ceil<Milliseconds>(*deadline - loop_.now().mono));
}

void Connection::on_deadline() {
  armed_for_.reset();
  codec_->on_time(loop_.precise_now().mono);
  arm_deadline();
  flush_later();
  wake();
}

void Connection::close(bool reset) {
  if (!stream_) return;
  stream_->close(reset);
  stream_.reset();
  timer_.reset();
}

}  // namespace sidespan::wire
