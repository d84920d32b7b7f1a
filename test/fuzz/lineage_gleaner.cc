// Any bytes as a body of each voice, whole and in pieces of the size its first byte says: the same
// is gleaned, never more than the limit, and it is there once. As a tool's name it has the words
// between what are no letters, in the singular or plural; as a form's field it says the same
// whichever kind of a form that is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
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
  // Fields alone know no end of theirs.
  const bool over = parts.over();
  const bool met_file = parts.met_file();
  form.finish();
  parts.finish();
  if (form.over() || form.met_file() || parts.over() != over) std::abort();
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
      if (resemble(asked.name, asked.name) != (asked.name != ToolName{})) std::abort();
    }
    for (const Prefix& prefix : one->prefixes) all.push_back(std::to_string(prefix.digest));
  }
  // Whoever takes it has it all, and once.
  const Gleaned& left = gleaner.gleaned();
  const size_t values = left.values.size();
  if (gleaner.take().values.size() != values || !left.values.empty() || !left.asked.empty()) {
    std::abort();
  }
  all.push_back(std::to_string(sum));
  all.emplace_back(over ? "over" : "not over").append(met_file ? ", with a file" : "");
  std::ranges::sort(all);
  return all;
}

// Of a form with one field, in either of its two kinds.
std::vector<uint64_t> of_form(std::string_view body, std::string_view boundary) {
  Forgotten forgotten;
  FormGleaner gleaner(kKey, forgotten, {kValuesMax}, boundary);
  gleaner.feed(body);
  gleaner.finish();
  std::vector<uint64_t> all = {forgotten.sum};
  for (const Value& value : gleaner.gleaned().values) all.push_back(value.hash + value.weight);
  for (const Asked& asked : gleaner.gleaned().asked) all.push_back(asked.arguments);
  return all;
}

void check_field(std::string_view text) {
  constexpr size_t kTextBytesMax = 4096;  // a longer field may be cut, encoded elsewhere
  constexpr std::string_view kDelimiter = "\r\n--b";
  const std::string ended = std::string(text).append(kDelimiter);
  if (text.size() > kTextBytesMax || ended.find(kDelimiter) != text.size()) return;
  std::string encoded = "f=";
  for (const char c : text) {
    encoded += '%';
    sidespan::text::append_hex(encoded, static_cast<unsigned char>(c), 2);
  }
  const std::string part = "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n" + ended;
  if (of_form(encoded, "") != of_form(part + "--\r\n", "b")) std::abort();
}

ToolName words(std::string_view text) {
  ToolName name = {};
  add_words(kKey, text, name);
  return name;
}

void check_names(std::string_view text) {
  const ToolName name = words(text);
  if (!std::ranges::is_sorted(name, {}, [](uint32_t word) { return word == 0; })) std::abort();
  std::string plain(text);
  std::ranges::replace_if(plain, [](char c) { return !sidespan::text::is_alpha(c); }, '_');
  if (words(plain) != name) std::abort();
  const std::string lower = sidespan::text::lower(plain);
  const std::string first = lower.substr(0, lower.find('_'));
  if (words(first) != words("/" + first + "/7")) std::abort();
  if (first.size() < 3 || first.ends_with('s') || first.ends_with("ie")) return;
  if (!resemble(words(first), words("get_" + first + "s"))) std::abort();
  if (first.ends_with('y') &&
      !resemble(words(first), words(first.substr(0, first.size() - 1) + "ies")))
    std::abort();
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
  check_names(text);
  check_field(text);
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
