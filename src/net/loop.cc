#include "sidespan/net/loop.h"

#include <uv.h>

#include <algorithm>
#include <cassert>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

namespace sidespan::net {
namespace {

void abort_unless(int status, const char* what) {
  if (status == 0) return;
  std::fprintf(stderr, "sidespan: cannot %s: %s\n", what, uv_strerror(status));
  std::abort();
}

// libuv writes with writev(2), which has no MSG_NOSIGNAL. A handler somebody installed stays.
void ignore_sigpipe() {
  struct sigaction action{};
  if (::sigaction(SIGPIPE, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace

struct Loop::Impl {
  uv_loop_t uv;
  uv_prepare_t before_poll;
  uv_check_t after_poll;
  uv_idle_t going_on;            // while `next` is not empty: then the poll waits for nothing
  std::vector<NextTurn*> next;   // cancelled work leaves a null, as in `queue`
  std::vector<NextTurn*> begun;  // those of `next` whose turn it is
  std::vector<TurnEnd*> queue;   // cancelled work leaves a null
  TurnEnd* first = nullptr;      // of the queue, it does not wait for the turn's end
  std::optional<Moment> moment;
  MonoTime looking;  // when the poll that is under way, or comes next, began at the earliest
  MonoTime looked;   // the same of the one that is over
  uint64_t turn = 1;
  bool stopped = false;
  // Made before the thread has a memory account: one of these is nobody's traffic.
  Chunk read_chunk{Chunk::kReadBytes};

  void init();
  void before_look() {
    looking = MonoTime(Milliseconds(uv_now(&uv)));
    end_turn();
  }
  void after_look() {
    looked = looking;
    end_turn();
    ++turn;
  }
  void end_turn();
  void go_on();
  std::span<char> fresh_landing();
};

void Loop::Impl::init() {
  abort_unless(uv_loop_init(&uv), "make an event loop");
  uv_prepare_init(&uv, &before_poll);
  uv_check_init(&uv, &after_poll);
  uv_idle_init(&uv, &going_on);
  before_poll.data = this;
  after_poll.data = this;
  going_on.data = this;
  // Timers run before the poll and I/O in it, so a turn has two ends.
  uv_prepare_start(&before_poll,
                   [](uv_prepare_t* handle) { static_cast<Impl*>(handle->data)->before_look(); });
  uv_check_start(&after_poll,
                 [](uv_check_t* handle) { static_cast<Impl*>(handle->data)->after_look(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&before_poll));
  uv_unref(reinterpret_cast<uv_handle_t*>(&after_poll));
}

void Loop::Impl::end_turn() {
  // By index: the work may ask for more, which grows the queue.
  for (size_t i = 0; i < queue.size(); ++i) {
    TurnEnd* work = std::exchange(queue[i], nullptr);
    if (work == nullptr) continue;
    work->place_ = 0;
    work->on_turn_end();
  }
  queue.clear();
  first = nullptr;
  moment.reset();  // read again by whoever asks first after the poll
}

[[gnu::noinline]] std::span<char> Loop::Impl::fresh_landing() {
  read_chunk = Chunk(Chunk::kReadBytes);
  return read_chunk.spare();
}

void Loop::Impl::go_on() {
  begun.swap(next);
  for (size_t i = 0; i < begun.size(); ++i) {
    if (NextTurn* const work = std::exchange(begun[i], nullptr)) work->on_next_turn();
  }
  begun.clear();
  if (next.empty()) uv_idle_stop(&going_on);
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  ignore_sigpipe();
  impl_->init();
  impl_->uv.data = this;
}

Loop::~Loop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->before_poll), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->after_poll), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->going_on), nullptr);
  // A close callback may close another handle, hence more than one round.
  int status = uv_loop_close(&impl_->uv);
  for (int round = 0; round < 16 && status == UV_EBUSY; ++round) {
    uv_run(&impl_->uv, UV_RUN_NOWAIT);
    status = uv_loop_close(&impl_->uv);
  }
  assert(status == 0 && "something made on this loop outlived it");
}

void Loop::run() {
  do {
    // Work for the end of a turn does not keep libuv going; what it starts does.
    impl_->end_turn();
    uv_run(&impl_->uv, UV_RUN_DEFAULT);
    impl_->end_turn();
  } while (!impl_->stopped && uv_loop_alive(&impl_->uv) != 0);
  impl_->stopped = false;
}

void Loop::stop() {
  impl_->stopped = true;
  uv_stop(&impl_->uv);
}

Moment Loop::now() const {
  if (!impl_->moment) impl_->moment = precise_now();
  return *impl_->moment;
}

// Out of line, as at_turn_end() is: each request asks for both in many places, where little else is
// done.
[[gnu::noinline]] Moment Loop::precise_now() const {
  return SystemClock().now();
}

MonoTime Loop::looked() const {
  return impl_->looked;
}

uint64_t Loop::turn() const {
  return impl_->turn;
}

[[gnu::noinline]] void Loop::at_turn_end(TurnEnd& work) {
  if (work.place_ != 0) return;
  impl_->queue.push_back(&work);
  work.place_ = impl_->queue.size();
}

void Loop::after_read(TurnEnd& work) {
  at_turn_end(work);
  if (impl_->first == nullptr) impl_->first = &work;
}

void Loop::end_read() {
  TurnEnd* const work = impl_->first;
  if (work == nullptr) return;
  cancel_turn_end(*work);
  work->on_turn_end();
}

void Loop::cancel_turn_end(TurnEnd& work) {
  if (impl_->first == &work) impl_->first = nullptr;
  if (work.place_ == 0) return;
  impl_->queue[work.place_ - 1] = nullptr;
  work.place_ = 0;
}

void Loop::at_next_turn(NextTurn& work) {
  impl_->next.push_back(&work);
  uv_idle_start(&impl_->going_on,
                [](uv_idle_t* handle) { static_cast<Impl*>(handle->data)->go_on(); });
}

void Loop::cancel_next_turn(NextTurn& work) {
  std::ranges::replace(impl_->next, &work, static_cast<NextTurn*>(nullptr));
  std::ranges::replace(impl_->begun, &work, static_cast<NextTurn*>(nullptr));
}

std::span<char> Loop::landing() {
  Chunk& chunk = impl_->read_chunk;
  if (chunk.shared()) return impl_->fresh_landing();
  chunk.clear();
  return chunk.spare();
}

const Chunk& Loop::landed(size_t n) {
  impl_->read_chunk.use(n);
  return impl_->read_chunk;
}

uv_loop_s* Loop::uv() {
  return &impl_->uv;
}

}  // namespace sidespan::net
