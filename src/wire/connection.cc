#include "sidespan/wire/connection.h"

#include <algorithm>
#include <utility>

#include "tls_layer.h"

namespace sidespan::wire {
namespace {

// A peer that is still sending when it gets our last answer would lose that answer to a reset, so
// its bytes are read and thrown away for a while.
constexpr Milliseconds kLingerTimeMax{2000};
constexpr size_t kLingerBytesMax = size_t{1024} * 1024;
// Every KeyUpdate of a peer may ask for one of ours, and every renegotiation is refused: who does
// not take those is not listened to.
constexpr size_t kTlsBytesMax = size_t{64} * 1024;
// RFC 8446 section 5.2, with its header.
constexpr size_t kTlsRecordBytesMax = (size_t{16} * 1024) + 256 + 5;
// From here on a write of its own costs less than blocks that wait for the turn's end: each read
// until then would land in another one, cold.
constexpr size_t kWrittenSoonBytes = size_t{16} * 1024;

}  // namespace

Connection::Connection(std::unique_ptr<net::Stream> stream, std::unique_ptr<tls::Engine> engine,
                       std::unique_ptr<http::Codec> codec, ConnectionOwner& owner)
    : loop_(stream->loop()),
      stream_(std::move(stream)),
      tls_(engine ? std::make_unique<TlsLayer>(std::move(engine)) : nullptr),
      codec_(std::move(codec)),
      owner_(owner),
      peer_(stream_->peer()) {
  stream_->start(*this);
  if (!tls_) return;
  feed_cipher({});  // what came with the end of the handshake
  flush_later();
}

Connection::~Connection() {
  // The last words were said in this turn, and its end comes too late for them.
  if (stream_ && (finishing_ || codec_->ends_abruptly())) flush();
  loop_.cancel_turn_end(*this);
}

size_t Connection::send(http::Event&& event) {
  const size_t queued = codec_->send(std::move(event));
  const bool soon = queued >= kWrittenSoonBytes && stream_ && stream_->pending() == 0;
  soon && codec_->has_output() ? loop_.after_read(*this) : flush_later();
  return queued;
}

size_t Connection::send_head(http::StreamId stream, const http::Head& head) {
  const size_t queued = codec_->send_head(stream, head);
  flush_later();
  return queued;
}

size_t Connection::sendable(http::StreamId stream) const {
  if (!stream_) return 0;
  const size_t writable = stream_->writable();
  const size_t left = writable - std::min(writable, codec_->queued(stream));
  return std::min(codec_->sendable(stream), left);
}

void Connection::consumed(http::StreamId stream, size_t n) {
  codec_->consumed(stream, n);
  read_on();
  if (codec_->has_output()) flush_later();
}

void Connection::tunnel(http::StreamId stream) {
  codec_->tunnel(stream);
  flush_later();
}

void Connection::resume_http(http::StreamId stream, Chain first) {
  codec_->resume_http(stream, std::move(first));
  settled_ = false;
  look_for_successor();
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
  feed(read);
  arm_deadline();
  if (says_something()) flush_later();
  wake();
}

// Whether reading alone has left something for the end of the turn: of HTTP/1 that is an end, and
// seldom. What the owner says to what was read sees to that itself.
bool Connection::says_something() const {
  return tls_ || codec_->multiplexed() || codec_->has_output() || codec_->ends_abruptly() ||
         codec_->output_ended() || codec_->done();
}

// By TLS it comes in records, of which less than a whole one is nothing.
size_t Connection::room() const {
  if (lingering_) return StreamReader::room();
  if (!wants_input()) return 0;
  const size_t wanted = owner_.room(*this);
  if (tls_) return wanted == 0 ? 0 : std::max(wanted, kTlsRecordBytesMax);
  return std::min(wanted, codec_->room());
}

void Connection::feed(const Chunk& read) {
  if (tls_) return feed_cipher(read.view());
  codec_->feed(read, loop_.now().mono);
  if (!settled_) look_for_successor();
}

void Connection::look_for_successor() {
  auto successor = codec_->successor(loop_.now().mono);
  settled_ = successor || codec_->has_events();
  if (!successor) return;
  codec_ = std::move(successor);
  if (input_ended_) codec_->eof(http::InputEnd::kClean);
}

void Connection::feed_cipher(std::string_view bytes) {
  tls::Engine& engine = tls_->engine();
  engine.feed(bytes);
  Chunk plain(bytes.size());
  while (engine.read(plain)) codec_->feed(plain, loop_.now().mono);
  if (!settled_) look_for_successor();
  if (input_ended_ || !(engine.peer_finished() || engine.failure())) return;
  input_ended_ = true;
  codec_->eof(engine.failure() ? http::InputEnd::kTruncated : http::InputEnd::kClean);
  if (engine.failure()) finish();  // with the alert that waits
}

void Connection::secure(std::unique_ptr<tls::Engine> engine, std::unique_ptr<http::Codec> codec,
                        const Chain& first) {
  if (stream_) write_out();  // what the old codec has to say is not by TLS
  tls_ = std::make_unique<TlsLayer>(std::move(engine));
  codec_ = std::move(codec);
  settled_ = false;
  armed_for_.reset();
  first.visit([&](std::string_view bytes) { feed_cipher(bytes); });
  update_reading();
  flush_later();
}

void Connection::read_early(const Chain& bytes) {
  bytes.visit([&](std::string_view piece) { codec_->feed(piece, loop_.now().mono); });
  flush_later();
}

const tls::Engine* Connection::tls() const {
  return tls_ ? &tls_->engine() : nullptr;
}

std::unique_ptr<net::Stream> Connection::detach() {
  timer_.reset();
  return std::move(stream_);
}

void Connection::on_end() {
  const bool told = std::exchange(input_ended_, true);
  if (lingering_) {
    close(false);
    return wake();
  }
  // Without close_notify anybody on the way may have cut it off.
  if (!told) codec_->eof(tls_ ? http::InputEnd::kTruncated : http::InputEnd::kClean);
  flush_later();
  wake();
}

void Connection::on_failure(Error) {
  close(false);
  codec_->eof(http::InputEnd::kTruncated);
  wake();
}

void Connection::on_written(size_t bytes) {
  codec_->written(tls_ ? tls_->written(bytes) : bytes);
  moved_ = true;
  flush_later();
  wake();
}

void Connection::on_turn_end() {
  if (stream_) flush();
  // What the flush brought about: room for more, a finished stream, or the end.
  if (codec_->has_events() || (codec_->done() && !finishing_) || closed()) wake();
}

void Connection::flush() {
  write_out();
  if (codec_->ends_abruptly()) return close(true);
  if (codec_->output_ended()) end_output();
  if (finishing_ && !lingering_) {
    // What is queued on a stream may wait for the peer's window.
    const bool waits = codec_->multiplexed() && codec_->streams() > 0 && !codec_->done();
    if (stream_->pending() == 0 && !waits) {
      linger();
    } else if (!ends_by_timer_) {
      has_moved();  // what moved until now counts no more
      end_after(stall_time_);
    }
  }
  update_reading();
  if (!codec_->multiplexed()) return;
  codec_->wait_from(loop_.now().mono);  // for a stream that was opened
  arm_deadline();
}

// Writing may bring about more: a stream that ends, a window that opens.
void Connection::write_out() {
  if (tls_) return write_by_tls();
  while (codec_->has_output()) {
    if (const size_t taken = stream_->write(codec_->take_output())) {
      codec_->written(taken);
      moved_ = true;
    }
  }
}

[[gnu::noinline]] void Connection::write_by_tls() {
  tls::Engine& engine = tls_->engine();
  while (!output_ended_ &&
         (engine.has_output() || (engine.established() && codec_->has_output()))) {
    const bool says = engine.established() && codec_->has_output();
    write_cipher(tls_->take_output(says ? codec_->take_output() : Chain()));
  }
}

void Connection::write_cipher(Chain&& cipher) {
  const size_t taken = stream_->write(std::move(cipher));
  if (taken == 0) return;
  codec_->written(tls_->written(taken));
  moved_ = true;
}

void Connection::end_output() {
  if (std::exchange(output_ended_, true)) return;
  if (tls_) {
    tls_->engine().finish();
    write_cipher(tls_->take_output());
  }
  stream_->shutdown();
}

bool Connection::has_unsent() const {
  return stream_ && (codec_->has_output() || stream_->pending() > 0);
}

// A socket is writable again only when much of its room is free, which a slow peer takes long for.
bool Connection::has_moved() {
  const size_t untaken = stream_ ? stream_->pending() + stream_->unacknowledged() : 0;
  const bool less = untaken < std::exchange(untaken_, untaken);
  return std::exchange(moved_, false) || less;
}

size_t Connection::held() const {
  return codec_->memory_bytes() + (stream_ ? stream_->pending() : 0) +
         (tls_ ? tls_->engine().memory_bytes() : 0);
}

void Connection::linger() {
  end_output();
  if (input_ended_) return close(false);
  lingering_ = true;
  end_after(kLingerTimeMax);
}

void Connection::end_after(Milliseconds time) {
  if (!ends_by_timer_) {
    ends_by_timer_ = true;
    timer_ = std::make_unique<net::Timer>(loop_, [this] { on_end_time(); });
  }
  timer_->start(time, true);
}

void Connection::on_end_time() {
  if (!lingering_ && has_moved()) return end_after(stall_time_);
  close(!lingering_);
  wake();
}

bool Connection::wants_input() const {
  return codec_->wants_input() && !(tls_ && tls_->own_bytes() > kTlsBytesMax);
}

void Connection::update_reading() {
  if (!stream_) return;
  if (lingering_ || wants_input()) {
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
  // At least until the socket has been looked at again.
  timer_->start(
      std::max(Milliseconds(1), std::chrono::ceil<Milliseconds>(*deadline - loop_.now().mono)));
}

void Connection::on_deadline() {
  armed_for_.reset();
  codec_->on_time(loop_.looked());
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
