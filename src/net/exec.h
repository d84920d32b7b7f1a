// The part of starting a program that happens between fork and exec, where little more than system
// calls is allowed: everything it needs is prepared before. For Process.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "sidespan/net/process.h"

namespace sidespan::net {

// A program with its arguments and environment, ready for execve. The strings it was made of must
// outlive it.
class Command {
 public:
  Command(const std::vector<std::string>& argv, const std::vector<std::string>& environment);
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Tries the candidates in the order of PATH, like execvp(3); returns errno. Async-signal-safe.
  int exec() const;

 private:
  int exec_one(const std::string& path) const;

  std::vector<std::string> candidates_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  mutable std::vector<char*> script_argv_;  // for a script without "#!"
};

// The files that `program` may mean, by PATH of `environment` (the C library's default without
// one).
std::vector<std::string> candidates(std::string_view program,
                                    const std::vector<std::string>& environment);

// Forks. 0, or the errno of what failed: fork, or exec in the child (`exec_failed`).
int start_child(const Command& command, ChildFiles files, pid_t& pid, bool& exec_failed);

}  // namespace sidespan::net
