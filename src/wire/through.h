// A connection to an origin through the second proxy: dials that, and asks it by CONNECT.
#pragma once

#include <memory>
#include <string>

#include "sidespan/http/codec.h"
#include "sidespan/net/stream.h"
#include "sidespan/net/timer.h"
#include "sidespan/wire/dialer.h"

namespace sidespan::wire {

class Through final : public Dialer::Attempt, private net::StreamReader {
 public:
  Through(Dialer& dialer, net::Loop& loop, const SecondProxy& proxy, std::string authority,
          size_t passed, Milliseconds time_max, Dialer::OnDial done);

 private:
  void on_bytes(const Chunk& read) override;
  void on_end() override;
  void on_failure(Error error) override;
  void on_written(size_t) override {}

  void on_dialled(Result<Dialled> result);
  void ask();
  void on_answer(int status);
  std::unexpected<Error> failed(Code code, const std::string& what) const;
  void finish(Result<Dialled> result);

  net::Loop& loop_;
  const SecondProxy& proxy_;
  std::string authority_;
  const size_t passed_;
  Dialer::OnDial done_;
  net::Timer limit_;
  std::unique_ptr<Dialer::Attempt> attempt_;
  Dialled dialled_;
  std::unique_ptr<http::Codec> codec_;
  http::StreamId stream_ = 0;
};

}  // namespace sidespan::wire
