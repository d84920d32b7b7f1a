// Undoes a Content-Encoding as the body arrives, in any pieces: gzip (RFC 1952), deflate (RFC 1950,
// and 1951 bare, as browsers bear it), br (RFC 7932), zstd (RFC 8878), and two of them in a row.
// Bounded: the plain text goes to a sink in pieces of at most 16 KiB, what would be a bomb ends at
// a limit, and so does what would take the thread too long at once. A decoder is made when its
// first byte comes and holds what its format asks for: gzip and deflate 40 KiB, br and zstd their
// window and tables, at most InflateLimits::memory_bytes_max each, which the memory ledger counts;
// all decoders of a thread at most a quarter of its limit, then a new one is not made. Used by taps
// on bodies, and for a collector's answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/memory_ledger.h"

namespace sidespan::http {

enum class Coding : uint8_t { kGzip, kDeflate, kBrotli, kZstd };

// In the order in which they were applied, as the field names them.
struct Codings {
  static constexpr size_t kMax = 2;
  std::array<Coding, kMax> all{};
  size_t count = 0;
};

// Of a Content-Encoding's value. Nothing: one that is not known here, or more than kMax.
std::optional<Codings> parse_codings(std::string_view content_encoding);

struct InflateLimits {
  uint64_t plain_bytes_max = uint64_t{64} << 20;
  // What a packed byte may become, once the first plain_bytes_free came out. 0: no limit.
  uint64_t ratio_max = 100;
  uint64_t plain_bytes_free = uint64_t{1} << 20;
  // Of one br or zstd decoder. A zstd frame may have a window of half of it; the usual level 3 asks
  // for 2 MiB, level 19 for 8.
  size_t memory_bytes_max = size_t{4} << 20;
  // What one call of feed() may become: so much, and so many bytes for each that is fed, which is
  // what events that are all alike become. Nothing waits for the next call: the packed bytes are
  // forwarded meanwhile. 0 of the first: no limit.
  size_t feed_bytes_max = size_t{64} << 10;
  size_t feed_ratio_max = 40;
};

class PlainSink {
 public:
  // For this call.
  virtual void on_plain(std::string_view part) = 0;

 protected:
  ~PlainSink() = default;
};

class Decoder;

class Inflater {
 public:
  Inflater(const Codings& codings, const InflateLimits& limits, PlainSink& sink);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  enum class State : uint8_t {
    kReading,
    kBroken,  // not of that coding
    kLimit,   // more than a limit allows
  };
  // Once it reads no more it takes bytes for nothing.
  void feed(std::string_view bytes);
  State state() const { return state_; }
  // What was fed ends where the packed text does.
  bool complete() const;

 private:
  struct Stage {
    std::unique_ptr<Decoder> decoder;
    Coding coding = Coding::kGzip;
    uint64_t packed_bytes = 0;
    uint64_t plain_bytes = 0;
    bool ended = false;
  };

  void run(size_t stage, std::string_view packed);
  // True: the decoder may have more of what it was given.
  bool step(size_t stage, std::string_view& packed);
  void charge(size_t bytes);
  void pass(size_t stage, std::string_view plain);

  const InflateLimits limits_;
  PlainSink& sink_;
  std::array<Stage, Codings::kMax> stages_;  // the coding applied last comes first
  size_t stage_count_;
  size_t room_ = 0;  // of plain bytes, within this call
  State state_ = State::kReading;
  MemoryCharge charge_;
};

// Of a whole body in memory. Nothing when it is not gzip, not all of it, or would be longer than
// `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
