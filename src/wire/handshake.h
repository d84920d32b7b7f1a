// A client's TLS handshake on a stream that is connected already. Those under way are listed, since
// each may hold as much as an origin pleases to show.
#pragma once

#include <functional>
#include <memory>

#include "sidespan/base/slot_map.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"
#include "sidespan/tls/engine.h"
#include "sidespan/wire/dialer.h"

namespace sidespan::wire {

class Handshake final : public Dialer::Attempt, private net::StreamReader {
 public:
  using List = SlotMap<Handshake*>;

  // Without an engine, since memory is short, it fails. `done` comes later, never within this call.
  Handshake(net::Loop& loop, List& under_way, Dialled dialled, std::unique_ptr<tls::Engine> engine,
            std::string host, Milliseconds time_max, Dialer::OnDial done);
  ~Handshake() override;

  size_t held() const { return engine_ ? engine_->memory_bytes() : 0; }
  // Ends it for want of memory.
  void give_up();

 private:
  void on_bytes(const Chunk& read) override;
  void on_end() override;
  void on_failure(Error error) override;
  void on_written(size_t) override {}

  void write_out();
  void finish(Result<Dialled> result);

  net::Loop& loop_;
  List& under_way_;
  const SlotId id_;
  Dialled dialled_;
  std::unique_ptr<tls::Engine> engine_;
  std::string host_;
  Dialer::OnDial done_;
  net::Timer limit_;
  MonoTime started_;
};

}  // namespace sidespan::wire
