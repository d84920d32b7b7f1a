#include "handshake.h"

#include <string>
#include <utility>

namespace sidespan::wire {

Handshake::Handshake(net::Loop& loop, List& under_way, Dialled dialled,
                     std::unique_ptr<tls::Engine> engine, std::string host, Milliseconds time_max,
                     Dialer::OnDial done)
    : loop_(loop),
      under_way_(under_way),
      id_(under_way.emplace([this](SlotId) { return std::make_unique<Handshake*>(this); })),
      dialled_(std::move(dialled)),
      engine_(std::move(engine)),
      host_(std::move(host)),
      done_(std::move(done)),
      limit_(loop,
             [this, time_max] {
               if (!engine_) return give_up();
               finish(fail(Code::kConnectTimeout, Side::kOrigin,
                           "the TLS handshake with " + host_ + " took longer than " +
                               std::to_string(time_max.count()) + " ms"));
             }),
      started_(loop.precise_now().mono) {
  limit_.start(engine_ ? time_max : Milliseconds(0));
  if (!engine_) return;
  dialled_.stream->start(*this);
  write_out();
}

Handshake::~Handshake() {
  under_way_.erase(id_);
}

void Handshake::give_up() {
  finish(fail(Code::kOverload, Side::kSelf,
              "limits.memory leaves no room for the TLS handshake with " + host_, true));
}

void Handshake::write_out() {
  if (engine_->has_output()) dialled_.stream->write(engine_->take_output());
}

void Handshake::on_bytes(const Chunk& read) {
  engine_->feed(read.view());
  engine_->handshake();
  engine_->keep();
  write_out();  // also the alert that says why not
  if (engine_->failure()) return finish(std::unexpected(*engine_->failure()));
  if (!engine_->established()) return;
  dialled_.phases.tls = loop_.precise_now().mono - started_;
  dialled_.engine = std::move(engine_);
  finish(std::move(dialled_));
}

void Handshake::on_end() {
  finish(fail(Code::kTlsFailure, Side::kOrigin,
              host_ + " closed the connection within the TLS handshake"));
}

void Handshake::on_failure(Error error) {
  finish(fail(Code::kTlsFailure, Side::kOrigin,
              "the connection to " + host_ + " broke within the TLS handshake: " + error.what));
}

// The last thing done here: the callback may destroy this object.
void Handshake::finish(Result<Dialled> result) {
  limit_.stop();
  if (!result) dialled_.stream.reset();
  Dialer::OnDial done = std::move(done_);
  done(std::move(result));
}

}  // namespace sidespan::wire
