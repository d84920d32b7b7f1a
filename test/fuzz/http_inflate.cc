// Any bytes as a packed body, its codings named by the first: limits hold, and what is complete is
// the same however it was cut, and in however many turns it was decoded.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/http/inflate.h"

using namespace sidespan::http;

namespace {

constexpr InflateLimits kLimits{.plain_bytes_max = 4096, .ratio_max = 0};

struct Whole final : PlainSink {
  void on_plain(std::string_view part) override { text.append(part); }
  std::string text;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const Codings codings{{Coding(data[0] & 3U), Coding(data[0] >> 2U & 3U)}, 1U + (data[0] >> 7U)};
  Whole plain, plain_cut;
  Inflater whole(codings, kLimits, plain), cut(codings, kLimits, plain_cut);
  whole.feed(bytes);
  for (size_t at = 0; at < bytes.size(); at += 1 + at % 7) cut.feed(bytes.substr(at, 1 + at % 7));
  Whole plain_turns;
  InflateBacklog backlog;
  Inflater turns(codings, kLimits, plain_turns);
  const auto in_a_turn = [&](auto&& what) {
    const size_t room = 1 + bytes.size() % 300;
    const size_t before = plain_turns.text.size();
    backlog.begin_turn(room);
    const InflateBacklog::Scope scope(backlog);
    what();
    if (plain_turns.text.size() - before > room) std::abort();
  };
  for (size_t at = 0; at < bytes.size(); at += 50) {
    in_a_turn([&] { turns.feed(bytes.substr(at, 50)); });
    while (at % 100 == 0 && !backlog.empty()) in_a_turn([&] { backlog.go_on(); });
  }
  while (!backlog.empty()) in_a_turn([&] { backlog.go_on(); });
  if (plain.text.size() > kLimits.plain_bytes_max) std::abort();
  // What a frame of zstd says of its size is held against it only where all of it is there at once.
  const bool zstd = std::ranges::count(codings.all, Coding::kZstd) > 0;
  const auto differ = [&](const Inflater& other, const std::string& text) {
    if (whole.complete() != other.complete()) return !zstd;
    return whole.complete() && plain.text != text;
  };
  if (differ(cut, plain_cut.text) || differ(turns, plain_turns.text)) std::abort();
  return 0;
}
