#include "lineage/text_scan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lineage/blocks.h"
#include "lineage/bundle.h"
#include "sidespan/base/text.h"

namespace sidespan::lineage {
namespace {

// Of a byte, what it says of the word it stands in.
enum : uint8_t { kBreak = 1, kDigit = 2, kColon = 4, kAt = 8, kEquals = 16 };
constexpr uint8_t kTelling = kDigit | kColon | kAt | kEquals;

constexpr std::array<uint8_t, 256> classes() {
  std::array<uint8_t, 256> out{};
  for (size_t c = 0; c <= ' '; ++c) out[c] = kBreak;
  for (const char c : std::string_view("\"'`<>()[]{},;|\\*")) {
    out[static_cast<uint8_t>(c)] = kBreak;
  }
  for (char c = '0'; c <= '9'; ++c) out[static_cast<uint8_t>(c)] = kDigit;
  out[static_cast<uint8_t>(':')] = kColon;
  out[static_cast<uint8_t>('@')] = kAt;
  out[static_cast<uint8_t>('=')] = kEquals;
  return out;
}
constexpr std::array<uint8_t, 256> kClass = classes();

uint8_t class_of(char c) {
  return kClass[static_cast<uint8_t>(c)];
}

// Where from `at` on the next byte is that makes a word tell something; size() where none is.
size_t find_telling(std::string_view line, size_t at) {
  static_assert(':' == '9' + 1);
  return find_byte(
      line, at,
      [](Block block) -> Mask {
        return (block - uint8_t{'0'} <= uint8_t{':' - '0'}) | (block == uint8_t{'='}) |
               (block == uint8_t{'@'});
      },
      [](char c) { return (class_of(c) & kTelling) != 0; });
}

size_t find_sentence_end(std::string_view line, size_t at) {
  return find_byte(
      line, at,
      [](Block block) -> Mask {
        return (block == uint8_t{'.'}) | (block == uint8_t{'?'}) | (block == uint8_t{'!'});
      },
      [](char c) { return c == '.' || c == '?' || c == '!'; });
}

// Of a line that may have a question behind a label.
constexpr uint8_t kLabelledWeightMin = kEvidenceWeight / 2;

// A line that has no parts, and is compared as a whole.
bool is_one_word(std::string_view text) {
  return text.size() <= TextScan::kLineBytesMax && std::ranges::none_of(text, [](char c) {
           return (class_of(c) & (kBreak | kColon | kEquals)) != 0;
         });
}

std::string_view without_edges(std::string_view word) {
  const size_t last = word.find_last_not_of(".,:;!?");
  return last == std::string_view::npos ? std::string_view() : word.substr(0, last + 1);
}

bool is_url(std::string_view word) {
  return word.starts_with("https://") || word.starts_with("http://");
}

// As people write it.
std::string plain_url(const Target& target, std::string_view scheme) {
  constexpr size_t kMore = 8;  // a port and brackets
  const std::string_view host = text::without_root_dot(target.host);
  std::string out;
  out.reserve(scheme.size() + host.size() + target.path.size() + kMore);
  out = scheme;
  const bool literal = host.find(':') != host.npos;
  if (literal) out += '[';
  for (const char c : host) out += text::to_lower(c);
  if (literal) out += ']';
  if (target.port != 0 && target.port != 80 && target.port != 443) {
    out.append(":").append(std::to_string(target.port));
  }
  return out.append(target.path);
}

// userinfo is no part of what is fetched. There is no IPv6 literal: a bracket ends a word.
// False: the port is none.
bool set_authority(std::string_view text, Target& target) {
  if (const size_t at = text.rfind('@'); at != text.npos) text.remove_prefix(at + 1);
  const size_t colon = text.find(':');
  target.host = text.substr(0, colon);
  if (colon == text.npos || colon + 1 == text.size()) return true;
  const auto port = text::parse_unsigned(text.substr(colon + 1), UINT16_MAX);
  target.port = static_cast<uint16_t>(port.value_or(0));
  return port.has_value();
}

void scan_url_word(std::string_view url, ValueList& values) {
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find('#'));
  const size_t path = std::min(url.find_first_of("/?"), url.size());
  Target target{.path = url.substr(path)};
  target.fetches = set_authority(url.substr(0, path), target);
  scan_target(target, values);
}

}  // namespace

std::string form_decode(std::string_view value) {
  std::string spaced(value);
  std::ranges::replace(spaced, '+', ' ');
  return text::percent_decode(spaced);
}

void scan_target(const Target& target, ValueList& values) {
  constexpr size_t kTellingBytes = 10;  // a segment so long makes the whole worth comparing
  const size_t query = std::min(target.path.find('?'), target.path.size());
  const bool asks_more = query + 1 < target.path.size();
  size_t longest = 0;
  size_t count = 0;
  bool told = asks_more;
  // What stands further up than the last segment is no part of what is asked, and tells perhaps.
  bool told_above = false;
  std::string_view last;
  uint8_t last_weight = 0;
  std::string decoded;
  const Extent extent = values.set_extent(Extent::kWhole);
  std::optional<std::string_view> rest = target.path.substr(0, query);
  while (rest) {
    const std::string_view segment = text::split_first(rest, '/');
    if (segment.empty()) continue;
    ++count;
    told_above |= last_weight >= kEvidenceWeight;
    last = segment;
    last_weight = 0;
    if (segment.size() < kWordBytesMin) continue;  // as in most interfaces
    std::string_view plain = segment;
    if (segment.find('%') != segment.npos) plain = decoded = text::percent_decode(segment);
    longest = std::max(longest, plain.size());
    last_weight = weight_of(plain);
    told |= last_weight >= kEvidenceWeight;
    if (is_one_word(plain)) {
      values.add(plain, last_weight);
    } else {
      scan_text(plain, values);
    }
  }
  values.set_extent(extent);
  const bool asks = target.alone && !told_above;
  const bool tells = told || longest >= kTellingBytes;
  if (query == target.path.size() && !tells && !asks) return;
  Bundle said(values);
  Bundle asked(values);
  said.begin();
  asked.begin();
  if (asks && (query == target.path.size() || last_weight >= kEvidenceWeight)) {
    asked.add(text::percent_decode(last));
  }
  if (asks_more) {
    visit_query(target.path.substr(query + 1), [&](const std::string& plain, bool weighs) {
      if (weighs) scan_text(plain, values);
      said.add(plain, weighs);
      if (asks) asked.add(plain, weighs);
    });
  }
  said.end_said();
  if (asks) asked.end_asked();
  // An interface's own address is a constant of those who call it.
  if (!target.fetches || !tells) return;
  const std::string_view scheme = target.secure ? "https://" : "http://";
  const std::string whole = plain_url(target, scheme);
  // A port that goes without saying in the other scheme is left out of `whole`.
  if (target.alone && target.port != (target.secure ? 80 : 443)) {
    asked.begin();
    asked.add(whole);
    asked.end_asked(true);
  }
  if (extent == Extent::kText) values.set_extent(Extent::kUrl);
  values.add(std::string_view(whole).substr(scheme.size()),
             static_cast<uint8_t>(std::min<size_t>(12 + 3 * count + longest, 40)));
  values.set_extent(extent);
}

void scan_word(std::string_view word, ValueList& values) {
  word = without_edges(word);
  if (word.size() < kWordBytesMin) return;
  if (is_url(word)) return scan_url_word(word, values);
  values.add(word, weight_of(word));
}

void TextScan::part(std::string_view line, std::string_view part) {
  part = text::trim(part);
  if (part.size() < line.size()) values_.add(part, weight_of(part));
}

// What one puts into the words of others: the text behind a label ("Task: ...") and sentences.
void TextScan::labelled(std::string_view line) {
  constexpr size_t kLabelBytesMax = 40;
  const size_t label = line.substr(0, kLabelBytesMax).find(": ");
  if (label != std::string_view::npos) part(line, line.substr(label + 2));
}

void TextScan::sentences(std::string_view line) {
  size_t start = 0;
  for (size_t at = find_sentence_end(line, 0); at < line.size();
       at = find_sentence_end(line, at + 1)) {
    if (at + 1 < line.size() && line[at + 1] != ' ') continue;
    const std::string_view sentence = line.substr(start, at + 1 - start);
    if (sentence.size() >= kHeavyWeight) part(line, sentence);
    start = at + 1;
  }
}

void TextScan::line(std::string_view line) {
  line = text::trim(line);
  if (line.size() < kWordBytesMin) return;
  const uint8_t weight = weight_of(line);
  const bool url = is_url(line);
  const uint64_t hash = hash_of(values_.key(), line);
  if (!url && weight > 0) values_.add_hashed(line, hash, weight);
  whole_.add(hash);
  whole_weight_ = static_cast<uint8_t>(std::min(60, whole_weight_ + weight));
  ++lines_;
  const Extent extent = values_.set_extent(Extent::kPart);
  if (!url && weight >= kLabelledWeightMin) labelled(line);
  if (!url && weight >= kHeavyWeight) sentences(line);
  values_.set_extent(url ? extent : Extent::kWord);
  // A word of letters alone tells nothing beside its line.
  size_t past = 0;
  for (size_t at = find_telling(line, 0); at < line.size(); at = find_telling(line, past)) {
    size_t begin = at;
    while (begin > past && (class_of(line[begin - 1]) & kBreak) == 0) --begin;
    size_t end = at;
    uint8_t seen = 0;
    for (; end < line.size() && (class_of(line[end]) & kBreak) == 0; ++end) {
      seen |= class_of(line[end]);
    }
    past = end;
    const std::string_view word = line.substr(begin, end - begin);
    if (url || word.size() < line.size()) scan_word(word, values_);
    if ((seen & (kEquals | kColon)) == 0 || is_url(word)) continue;
    scan_word(word.substr(word.find_last_of("=:") + 1), values_);
  }
  values_.set_extent(extent);
}

// By itself a text that grows would take nearly twice what one may have.
void TextScan::keep(std::string_view part) {
  const size_t size = line_.size() + part.size();
  if (size > line_.capacity() && size > kLineBytesMax / 2) {
    std::string whole;
    whole.reserve(kLineBytesMax);
    line_ = std::move(whole.append(line_));
  }
  line_ += part;
}

void TextScan::append(std::string_view part) {
  while (line_.size() + part.size() > kLineBytesMax) {
    const size_t room = kLineBytesMax - line_.size();
    keep(part.substr(0, room));
    part.remove_prefix(room);
    const size_t blank = line_.find_last_of(" \t");
    if (blank == std::string::npos || blank == 0) {
      line(line_);
      line_.clear();
    } else {
      const std::string rest = line_.substr(blank + 1);
      line(std::string_view(line_).substr(0, blank));
      line_ = rest;
    }
  }
  keep(part);
}

void TextScan::flush() {
  if (!line_.empty()) line(line_);
  line_.clear();
}

void TextScan::feed(std::string_view part) {
  while (!part.empty()) {
    const size_t end = part.find('\n');
    if (end == std::string_view::npos) return append(part);
    if (line_.empty() && end <= kLineBytesMax) {
      line(part.substr(0, end));
    } else {
      append(part.substr(0, end));
      flush();
    }
    part.remove_prefix(end + 1);
  }
}

void TextScan::end() {
  flush();
  if (lines_ > 1 && whole_weight_ > 0) {
    const Extent extent = values_.set_extent(Extent::kWhole);
    values_.add_sum(whole_.finish(), whole_weight_);
    values_.set_extent(extent);
  }
  drop();
}

void TextScan::drop() {
  line_.clear();
  if (lines_ > 0) whole_ = Hasher(values_.key());
  lines_ = 0;
  whole_weight_ = 0;
}

void scan_text(std::string_view text, ValueList& values) {
  if (is_one_word(text)) {
    if (text.size() >= kWordBytesMin) values.add(text, weight_of(text));
    return;
  }
  TextScan scan(values);
  scan.feed(text);
  scan.end();
}

}  // namespace sidespan::lineage
