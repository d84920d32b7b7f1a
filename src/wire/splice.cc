#include "sidespan/wire/splice.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "sidespan/wire/read_room.h"

namespace sidespan::wire {
namespace {

// A share keeps the whole block that was read into, so it has to be a good part of it.
constexpr size_t kSharedBytesMin = size_t{16} * 1024;

}  // namespace

Splice::Splice(std::unique_ptr<net::Stream> agent, std::unique_ptr<net::Stream> origin,
               size_t queue_bytes_max, Owner& owner)
    : owner_(owner),
      queue_bytes_max_(queue_bytes_max),
      last_activity_(agent->loop().now().mono),
      agent_(*this, Side::kAgent, std::move(agent)),
      origin_(*this, Side::kOrigin, std::move(origin)) {
  for (End* end : {&agent_, &origin_}) {
    end->stream->start(*end);
    end->stream->resume();
  }
}

void Splice::end_with(bool rst) {
  over_ = true;
  agent_.stream->close(rst);
  origin_.stream->close(rst);
}

size_t Splice::room(const End& from) const {
  const net::Stream& to = *other(from).stream;
  const size_t writable = to.writable();
  return read_room(to.pending(), writable - std::min(writable, to.pending()), queue_bytes_max_);
}

void Splice::pass(End& from, const Chunk& chunk) {
  last_activity_ = from.stream->loop().now().mono;
  from.read += chunk.size();
  net::Stream& to = *other(from).stream;
  const std::string_view rest = chunk.view().substr(to.write_now(chunk.view()));
  if (rest.empty()) return;
  Chain waits;
  if (rest.size() >= kSharedBytesMin) {
    waits.append(chunk.share(rest));
  } else {
    waits.append(rest);
  }
  to.write(std::move(waits));
}

void Splice::on_written(End& to) {
  last_activity_ = to.stream->loop().now().mono;
  if (room(other(to)) > 0) other(to).stream->resume();
  settle();
}

void Splice::end(End& from) {
  last_activity_ = from.stream->loop().now().mono;
  from.ended = true;
  if (!closed_by_) closed_by_ = from.side;
  other(from).stream->shutdown();
  settle();
}

void Splice::settle() {
  if (over_ || !agent_.ended || !origin_.ended || held() > 0) return;
  over_ = true;
  owner_.on_splice_end(nullptr);
}

void Splice::fail(const End& from) {
  if (std::exchange(over_, true)) return;
  if (!closed_by_) closed_by_ = from.side;
  const Error error{Code::kConnectionReset, from.side, false,
                    "the " + std::string(name_of(from.side)) + " broke the connection off"};
  owner_.on_splice_end(&error);
}

}  // namespace sidespan::wire
