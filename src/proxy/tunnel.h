// A tunnel whose bytes nobody reads, from when that is sure to its end: two sockets, spliced, and
// the span that its exchange had begun. Sessions and exchanges are made for messages, and cost two
// and a half times as much while they are idle, as tunnels are for hours. The Server owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "origin_book.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/base/slot_map.h"
#include "sidespan/net/stream.h"
#include "sidespan/proxy/interceptor.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/trace/packed_span.h"
#include "sidespan/wire/pool.h"
#include "sidespan/wire/splice.h"
#include "worker.h"

namespace sidespan::proxy {

class Tunnel final : private wire::Splice::Owner {
 public:
  class Owner {
   public:
    // It is to be destroyed at the end of the turn.
    virtual void tunnel_over(SlotId id) = 0;

   protected:
    ~Owner() = default;
  };
  // What the log will say of it, where there is one.
  struct Logged {
    trace::SpanContext span;
    std::string baggage;
  };
  struct Parts {
    std::unique_ptr<net::Stream> agent = nullptr;
    wire::Pool::Taken origin = {};
    OriginBook::Use known = {};
    MonoTime start{};
    MonoTime opened{};
    uint64_t sent = 0;  // bytes, before
    uint64_t received = 0;
    Opaque reason{};
    std::unique_ptr<trace::PackedSpan> span = nullptr;  // null: unsampled
    std::unique_ptr<const Logged> logged = nullptr;
  };

  Tunnel(Worker& worker, Owner& owner, SlotId id, Place place, Parts parts);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  // Ends it now.
  void reset(semconv::Ending ending, const Error& error);
  // Called now and then: too long a silence ends it.
  void sweep();
  // Bytes that it keeps.
  size_t held() const { return charge_.bytes() + splice_.held(); }

 private:
  void on_splice_end(const Error* broken) override;
  void end(semconv::Ending ending, const Error* error);

  Worker& worker_;
  Owner& owner_;
  const SlotId id_;
  const Opaque reason_;
  bool over_ = false;
  const Place place_;
  const wire::OriginPlace origin_place_;
  const MemoryCharge charge_;
  OriginBook::Use known_;
  const MonoTime start_;
  const MonoTime opened_;
  const uint64_t sent_before_;
  const uint64_t received_before_;
  std::unique_ptr<trace::PackedSpan> span_;
  const std::unique_ptr<const Logged> logged_;
  wire::Splice splice_;
};

}  // namespace sidespan::proxy
