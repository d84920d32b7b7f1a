// Where the log goes that nobody has to read: what does not fit into a pipe, a socket or a terminal
// is lost and counted, and no thread waits for the reader. Callable from every thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace sidespan::app {

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // The line that tells how many were lost, with its end.
  using TellLost = std::function<std::string(uint64_t lines)>;

  // `descriptor` is not its own, nor is what it describes: others may write there, too.
  StderrSink(int descriptor, TellLost tell_lost);
  ~StderrSink() override;
  StderrSink(const StderrSink&) = delete;
  StderrSink& operator=(const StderrSink&) = delete;

  uint64_t lost() const { return lost_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

  void put(std::string_view line);
  bool put_rest();
  // How much of it is there now; the whole where it cannot be written at all.
  size_t written(std::string_view bytes);
  ssize_t write_some(std::string_view bytes) const;

  int descriptor_;
  int own_ = -1;  // the same file, so that no write waits; none where that cannot be had
  bool is_socket_ = false;
  TellLost tell_lost_;
  std::string rest_;  // of the line that was begun
  uint64_t untold_ = 0;
  std::atomic<uint64_t> lost_ = 0;
};

}  // namespace sidespan::app
