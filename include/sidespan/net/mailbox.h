// The one door between threads: post() from anywhere, and the work runs on the loop's thread, in
// order, batched by one wake-up. Bounded by its callers, not here: spans are counted by report
// before they are posted. A mailbox keeps its loop running, since mail may always come.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "sidespan/net/loop.h"

namespace sidespan::net {

class Mailbox {
  struct Impl;

 public:
  using Work = std::move_only_function<void()>;

  // A door that may outlive the mailbox: for threads that nobody waits for.
  class Sender {
   public:
    // Thread-safe; false once the mailbox is closed.
    bool post(Work work) const;

   private:
    friend class Mailbox;
    explicit Sender(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
  };

  explicit Mailbox(Loop& loop);
  ~Mailbox();  // close()
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Thread-safe; false once the mailbox is closed.
  bool post(Work work);
  Sender sender() const;

  // On the loop's thread. Posts that come later are dropped; what is still inside is run first,
  // now.
  void close();
  // On the loop's thread: whether the loop may end although this mailbox is open. Not after
  // close().
  void set_background(bool background);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace sidespan::net
