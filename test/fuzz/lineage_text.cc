// Any bytes as a page, or another answer that is a text: whole, byte by byte and at random cuts the
// same is gleaned of it, also where somebody takes what there is by now. What is beyond the limit
// is told as forgotten, in its order. Of a text without URLs all that is told is what a plain
// reading of it tells.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../support/http_script.h"
#include "lineage/text_scan.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/gleaner.h"

using namespace sidespan;
using namespace sidespan::lineage;
using http::script::Cuts;

namespace {

constexpr HashKey kKey{3, 5};
constexpr size_t kNoLimit = SIZE_MAX;
constexpr int kWeightMax = 60;

struct Forgotten final : Overflow {
  void forget(uint64_t hash) override { hashes.push_back(hash); }
  std::vector<uint64_t> hashes;
};

struct Told {
  uint64_t hash;
  uint8_t weight;
  bool operator==(const Told&) const = default;
};

void add(const Gleaned& gleaned, size_t values_max, std::vector<Told>& told) {
  if (gleaned.values.size() > values_max) std::abort();
  // Nobody is asked for anything by an answer.
  if (!gleaned.asked.empty() || !gleaned.prefixes.empty()) std::abort();
  for (const Value& value : gleaned.values) {
    if (value.weight == 0 || value.weight > kWeightMax || value.id) std::abort();
    if (value.place != Place::kContent) std::abort();
    told.push_back({value.hash, value.weight});
  }
}

std::vector<Told> gleaned(std::string_view text, Cuts cuts, bool taken_meanwhile) {
  Forgotten forgotten;
  TextGleaner gleaner(kKey, forgotten, {kNoLimit});
  std::vector<Told> told;
  cuts.cut(text, [&](std::string_view piece) {
    gleaner.feed(std::string(piece));
    if (taken_meanwhile) add(gleaner.take(), kNoLimit, told);
  });
  gleaner.finish();
  add(gleaner.take(), kNoLimit, told);
  if (!gleaner.take().values.empty() || !forgotten.hashes.empty()) std::abort();
  return told;
}

// With room for few: those that come first, and of the others that they were there.
void check_limit(std::string_view text, Cuts cuts, const std::vector<Told>& all, size_t room) {
  Forgotten forgotten;
  TextGleaner gleaner(kKey, forgotten, {room});
  cuts.cut(text, [&](std::string_view piece) { gleaner.feed(std::string(piece)); });
  gleaner.finish();
  std::vector<Told> kept;
  add(gleaner.take(), room, kept);
  if (kept.size() + forgotten.hashes.size() != all.size()) std::abort();
  if (!std::ranges::equal(kept, std::span(all).first(kept.size()))) std::abort();
  if (!std::ranges::equal(forgotten.hashes, std::span(all).subspan(kept.size()), {}, {},
                          &Told::hash)) {
    std::abort();
  }
}

// What stands in a text of which no word is a URL, byte for byte.
class PlainReading {
 public:
  explicit PlainReading(std::string_view text) : whole_(kKey) {
    std::optional<std::string_view> rest = text;
    while (rest) {
      for (const std::string_view part : cut(text::split_first(rest, '\n'))) line(part);
    }
    if (lines_ > 1 && weight_ > 0) {
      told.push_back({whole_.finish(), static_cast<uint8_t>(std::min(weight_, kWeightMax))});
    }
  }

  std::vector<Told> told;

 private:
  // A longer line is several, at the last blank that is within, or where there is none anywhere.
  static std::vector<std::string_view> cut(std::string_view line) {
    std::vector<std::string_view> parts;
    while (line.size() > TextScan::kLineBytesMax) {
      size_t end = TextScan::kLineBytesMax;
      size_t next = end;
      for (size_t at = 1; at < TextScan::kLineBytesMax; ++at) {
        if (line[at] == ' ' || line[at] == '\t') next = (end = at) + 1;
      }
      parts.push_back(line.substr(0, end));
      line.remove_prefix(next);
    }
    parts.push_back(line);
    return parts;
  }

  void add(std::string_view text) {
    if (const uint8_t weight = weight_of(text); weight > 0)
      told.push_back({hash_of(kKey, text), weight});
  }

  void line(std::string_view line) {
    line = text::trim(line);
    if (line.size() < kWordBytesMin) return;
    ++lines_;
    whole_.add(hash_of(kKey, line));
    const uint8_t weight = weight_of(line);
    weight_ += weight;
    add(line);
    if (weight >= kEvidenceWeight / 2) labelled(line);
    if (weight >= kHeavyWeight) sentences(line);
    words(line);
  }

  void labelled(std::string_view line) {
    constexpr size_t kLabelBytesMax = 40;
    const size_t label = line.find(": ");
    if (label != line.npos && label + 2 <= kLabelBytesMax) part(line, line.substr(label + 2));
  }

  void sentences(std::string_view line) {
    size_t start = 0;
    for (size_t at = 0; at < line.size(); ++at) {
      const bool ends = line[at] == '.' || line[at] == '?' || line[at] == '!';
      if (!ends || (at + 1 < line.size() && line[at + 1] != ' ')) continue;
      if (at + 1 - start >= kHeavyWeight) part(line, line.substr(start, at + 1 - start));
      start = at + 1;
    }
  }

  void part(std::string_view line, std::string_view part) {
    part = text::trim(part);
    if (part.size() < line.size()) add(part);
  }

  void words(std::string_view line) {
    constexpr std::string_view kBreaks = "\"'`<>()[]{},;|\\*";
    for (size_t begin = 0, end = 0; begin < line.size(); begin = end + 1) {
      const auto breaks = [&](char c) {
        return static_cast<uint8_t>(c) <= ' ' || kBreaks.contains(c);
      };
      for (end = begin; end < line.size() && !breaks(line[end]);) ++end;
      const std::string_view one = line.substr(begin, end - begin);
      if (one.find_first_of("0123456789:@=") == one.npos) continue;
      if (one.size() < line.size()) word(one);
      if (const size_t at = one.find_last_of("=:"); at != one.npos) word(one.substr(at + 1));
    }
  }

  void word(std::string_view word) {
    while (!word.empty() && std::string_view(".,:;!?").contains(word.back())) word.remove_suffix(1);
    if (word.size() >= kWordBytesMin) add(word);
  }

  Hasher whole_;
  int lines_ = 0;
  int weight_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Cuts any = Cuts::random(data[0]);
  const std::vector<Told> whole = gleaned(text, Cuts::whole(), false);
  if (gleaned(text, Cuts::every_byte(), false) != whole) std::abort();
  if (gleaned(text, any, false) != whole || gleaned(text, any, true) != whole) std::abort();
  check_limit(text, any, whole, data[0] % 8U);
  if (!text.contains("://") && PlainReading(text).told != whole) std::abort();
  return 0;
}
