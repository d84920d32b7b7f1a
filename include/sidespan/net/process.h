// A child process on this terminal: same stderr, process group and session, and unless it is given
// others the same stdin and stdout, so that job control, terminal reads and Ctrl-C work as if it
// had been started without us.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sidespan/base/error.h"
#include "sidespan/net/loop.h"

namespace sidespan::net {

struct ProcessExit {
  int status = 0;  // when signal is 0
  int signal = 0;  // the signal that ended it
};

// What the child reads and writes.
struct ChildFiles {
  int in = 0;
  int out = 1;
};

class Process {
 public:
  using OnExit = std::function<void(ProcessExit)>;
  // `argv[0]` is looked up in the child's PATH. `environment` is the whole of it, "NAME=value"
  // each. The child gets the signal mask and the ignored signals this process itself was started
  // with (so nohup goes through), all else default. It is killed when this process dies
  // (PR_SET_PDEATHSIG), so that no agent goes on without its sidecar; Linux means the *thread* that
  // calls spawn(), so call it on the main one. Error side kAgent with kInvalid when the program
  // does not exist (127) or cannot be executed (126, kDenied). Keeps the loop running until the
  // child has ended.
  static Result<std::unique_ptr<Process>> spawn(Loop& loop, const std::vector<std::string>& argv,
                                                const std::vector<std::string>& environment,
                                                OnExit on_exit, ChildFiles files = {});
  ~Process();  // forgets the child, which goes on
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int pid() const;
  // Nothing happens when it has already ended.
  void kill(int signal);

 private:
  struct Impl;
  explicit Process(Impl* impl) : impl_(impl) {}
  Impl* impl_;
};

// Of all children that have ended, but for `own` (0: none is), takes note: else each would stay a
// zombie. Nobody started them from here: the first process of a container is handed whoever's
// parent has ended, and who came by exec has the children of the program before. For whoever hears
// SIGCHLD; how `own` has ended stays its Process's to ask. Never waits.
void reap_orphans(int own);

}  // namespace sidespan::net
