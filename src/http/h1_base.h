// What HTTP/1 connections of both roles share: the queues of events and output, back-pressure
// counts, and the tunnel a connection can turn into. One stream at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "event_queue.h"
#include "h1_parser.h"
#include "h1_writer.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/http/codec.h"

namespace sidespan::http {

class H1Base : public Codec, protected MessageSink {
 public:
  H1Base(CodecLimits limits, Side peer) : Codec(false), limits_(limits), peer_(peer) {}

  using Codec::feed;
  void feed(const Chunk& read, MonoTime now) override;
  std::optional<Event> next() override;
  bool has_events() const override { return !events_.empty(); }
  Chain take_output() override { return std::move(out_); }
  size_t queued(StreamId stream) const override { return stream == stream_ ? queued_ : 0; }
  bool has_output() const override { return !out_.empty(); }
  void written(size_t n) override;
  void consumed(StreamId stream, size_t n) override;
  bool wants_input() const override;
  size_t room() const override;
  size_t memory_bytes() const override {
    return rest_.capacity() + trailers_.memory_bytes() + (parser_ ? parser_->memory_bytes() : 0);
  }
  size_t streams() const override { return stream_ != 0 ? 1 : 0; }
  bool output_ended() const override { return output_ended_; }
  bool ends_abruptly() const override { return abrupt_; }

 protected:
  // MessageSink
  void on_body(std::string_view bytes) override;
  void on_trailers(Headers fields) override;

  template <class What>
  void push(StreamId stream, What&& what) {
    events_.push(stream, std::forward<What>(what));
  }
  // The message that is being read; if there is none, one of this kind begins.
  H1Parser& message(H1Parser::Kind kind) {
    if (parser_) return *parser_;
    parser_ = std::make_unique<H1Parser>(kind, peer_, limits_, static_cast<MessageSink&>(*this));
    return *parser_;
  }
  // An idle connection keeps none of that memory.
  void release_events() {
    if (stream_ == 0 && events_.empty()) events_.release();
  }
  // A new stream, all counts anew.
  void begin_stream();
  // The stream is over. What it queued still has to leave, but nobody is told when.
  void leave_stream();
  // Tells the end of the peer's bytes in a tunnel.
  void end_tunnel_input();
  // No more input is read and no message can follow.
  void refuse_input(Error error);
  // The head that has just been written is followed by a body framed so.
  void begin_body(Framing framing, const BodyLength& length);
  // What send() has in common: the body's frames. True when the message ended, whole or not.
  bool write_body(Event& event);
  // Whether End came before the length that the head had announced.
  bool is_short() const { return framing_ == Framing::kLength && body_left_ > 0; }
  // Bytes that have to wait.
  std::string_view rest() const { return {rest_.data() + rest_begin_, rest_.size() - rest_begin_}; }
  void keep_rest(std::string_view bytes);
  // The first n of them have been read.
  void drop_rest(size_t n);
  // Counts what write_* added to the output since `before` bytes were in it.
  size_t queue_from(size_t before) { return queued_ += out_.size() - before; }

  const CodecLimits limits_;
  const Side peer_;
  EventQueue events_;
  const Chunk* read_ = nullptr;  // what is fed, for the time of the call
  Chain out_;
  std::unique_ptr<H1Parser> parser_;  // while a message is being read
  std::string rest_;                  // of which those from rest_begin_ on have to wait
  size_t rest_begin_ = 0;
  MemoryCharge rest_charge_;
  Headers trailers_;        // to be written with the last chunk
  uint64_t body_left_ = 0;  // of a body whose head said its length
  size_t unconsumed_ = 0;
  size_t queued_ = 0;          // output of this stream, taken or not, that has not left
  size_t queued_earlier_ = 0;  // the same of streams before it; leaves first
  StreamId stream_ = 0;
  StreamId last_stream_ = 0;
  Framing framing_ = Framing::kNone;  // of the message being written
  InputEnd input_end_ = InputEnd::kClean;
  bool head_sent_ = false;
  bool tunnel_ = false;
  bool input_refused_ = false;
  bool input_ended_ = false;
  bool output_ended_ = false;
  bool abrupt_ = false;
};

}  // namespace sidespan::http
