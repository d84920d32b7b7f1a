// Undoes a Content-Encoding as the body arrives, in any pieces: gzip (RFC 1952), deflate (RFC 1950,
// and 1951 bare, as browsers bear it), br (RFC 7932), zstd (RFC 8878), and two of them in a row.
// Bounded: the plain text goes to a sink in pieces of at most 16 KiB, what would be a bomb ends at
// a limit, and what would take the thread too long at once waits for the next turn of its loop
// (InflateBacklog). A decoder is made when its first byte comes and holds what its format asks for:
// gzip and deflate 40 KiB, br and zstd their window and tables, at most
// InflateLimits::memory_bytes_max each, which the memory ledger counts as far as it is filled; all
// decoders of a thread at most a quarter of its limit, then none is made and none takes more. Used
// by taps on bodies, and for a collector's answer.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/http/message.h"

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

// Of a head whose body such decoders undo.
bool is_packed(const Headers& headers);

struct InflateLimits {
  uint64_t plain_bytes_max = uint64_t{64} << 20;
  // What a packed byte may become, once the first plain_bytes_free came out. 0: no limit.
  uint64_t ratio_max = 100;
  uint64_t plain_bytes_free = uint64_t{1} << 20;
  // Of one br or zstd decoder. A zstd frame may have a window of half of it; the usual level 3 asks
  // for 2 MiB, level 19 for 8.
  size_t memory_bytes_max = size_t{4} << 20;
};

class PlainSink {
 public:
  // For this call.
  virtual void on_plain(std::string_view part) = 0;

 protected:
  ~PlainSink() = default;
};

class Decoder;
class Inflater;

// Shares a turn of the loop among the decoders of one body: within a Scope they make so many plain
// bytes and then stop, with the packed bytes that are left, until they are told to go on. Without a
// Scope whatever is fed is decoded at once. Of one thread.
class InflateBacklog {
 public:
  class Scope {
   public:
    explicit Scope(InflateBacklog& backlog);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    InflateBacklog* const before_;
  };

  InflateBacklog() = default;
  InflateBacklog(const InflateBacklog&) = delete;
  InflateBacklog& operator=(const InflateBacklog&) = delete;
  ~InflateBacklog();

  // A turn begins, with room for so many plain bytes.
  void begin_turn(size_t plain_bytes) { room_ = plain_bytes; }
  size_t room() const { return room_; }
  // Nobody is behind.
  bool empty() const;
  // Those who are behind, as far as there is room. Within a Scope.
  void go_on();

 private:
  friend class Inflater;
  friend class WebSocketInflater;

  // Of the thread; null: none.
  static InflateBacklog* current();
  void spend(size_t plain_bytes) { room_ -= std::min(room_, plain_bytes); }
  void add(Inflater& inflater);
  void remove(Inflater& inflater);

  std::vector<Inflater*> behind_;  // null: it is gone
  size_t room_ = 0;
};

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
  // Once it reads no more it takes bytes for nothing. Those that it stays behind with are copied.
  void feed(std::string_view bytes);
  State state() const { return state_; }
  // What was fed ends where the packed text does, and it is not behind.
  bool complete() const;

 private:
  friend class InflateBacklog;

  struct Stage {
    std::unique_ptr<Decoder> decoder;
    std::string rest;  // was given to it, and waits for the next turn
    Coding coding = Coding::kGzip;
    uint64_t packed_bytes = 0;
    uint64_t plain_bytes = 0;
    bool ended = false;
    bool full = false;  // its decoder may have more of what it has taken

    bool waits() const { return full || !rest.empty(); }
  };

  void go_on();
  void settle();
  bool behind() const;
  bool must_wait(size_t stage) const;
  void run(size_t stage, std::string_view packed);
  // True: the decoder may have more of what it was given.
  bool step(size_t stage, std::string_view& packed);
  static size_t held_by(const Stage& stage);
  void charge(size_t bytes);
  void pass(size_t stage, std::string_view plain);

  const InflateLimits limits_;
  PlainSink& sink_;
  std::array<Stage, Codings::kMax> stages_;  // the coding applied last comes first
  size_t stage_count_;
  InflateBacklog* backlog_ = nullptr;  // that it is in
  State state_ = State::kReading;
  MemoryCharge charge_;
};

// Of a whole body in memory. Nothing when it is not gzip, not all of it, or would be longer than
// `plain_bytes_max`.
std::optional<std::string> gunzip(std::string_view packed, size_t plain_bytes_max);

}  // namespace sidespan::http
