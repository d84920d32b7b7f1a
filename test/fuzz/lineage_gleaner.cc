// Any bytes as a body of each voice, whole and in pieces of the size its first byte says: the same
// is gleaned, and never more than the limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/json/reader.h"
#include "sidespan/lineage/gleaner.h"

using namespace sidespan::lineage;

namespace {

constexpr HashKey kKey{3, 5};
constexpr size_t kValuesMax = 64;

struct Forgotten final : Overflow {
  void forget(uint64_t hash) override { sum += hash; }
  uint64_t sum = 0;
};

std::vector<std::string> gleaned(Voice voice, std::string_view text, size_t step) {
  Forgotten of_document;
  Forgotten of_form;
  Gleaner gleaner(kKey, voice, voice == Voice::kModelAnswer, of_document, {kValuesMax});
  FormGleaner form(kKey, of_form, {kValuesMax});
  FormGleaner parts(kKey, of_form, {kValuesMax}, "b");
  gleaner.begin_document();
  sidespan::json::Reader reader(gleaner);
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string piece(text.substr(at, step));
    reader.feed(piece);
    form.feed(piece);
    parts.feed(piece);
  }
  gleaner.end_document();
  gleaner.finish();
  form.finish();
  parts.finish();
  // How far a text was read that is broken later on is the parser's.
  const bool whole = reader.finish() == sidespan::json::Reader::State::kComplete;
  // Lines and what is nested in them take turns, so that the order is another, and which are beyond
  // the limit; what is kept and what is not are the same together.
  std::vector<std::string> all;
  const uint64_t forgotten = of_form.sum + (whole ? of_document.sum : 0);
  uint64_t sum = forgotten;
  for (const Gleaned* one : {&gleaner.gleaned(), &form.gleaned(), &parts.gleaned()}) {
    if (one->values.size() > kValuesMax) std::abort();
    if (!whole && one == &gleaner.gleaned()) continue;
    for (const Value& value : one->values) {
      sum += value.hash;
      if (forgotten == 0) all.push_back(std::to_string(value.hash + value.weight));
    }
    for (const Asked& asked : one->asked) {
      sum += asked.arguments;
      if (forgotten != 0) continue;
      std::string& said = all.emplace_back(std::to_string(asked.arguments));
      for (const uint32_t word : asked.name) said += "." + std::to_string(word);
    }
    for (const Prefix& prefix : one->prefixes) all.push_back(std::to_string(prefix.digest));
  }
  all.push_back(std::to_string(sum));
  std::ranges::sort(all);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const Voice voice : {Voice::kModelRequest, Voice::kModelAnswer, Voice::kToolRequest,
                            Voice::kToolAnswer, Voice::kGiven}) {
    if (gleaned(voice, text, text.size() + 1) != gleaned(voice, text, data[0] % 9U + 1)) {
      std::abort();
    }
  }
  Gleaned url;
  const size_t path = text.size() / 4;
  glean_target(kKey,
               {.host = text.substr(0, path),
                .path = text.substr(path),
                .fetches = true,
                .alone = data[0] % 2 != 0},
               url);
  return 0;
}
