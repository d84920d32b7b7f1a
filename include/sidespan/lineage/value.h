// What a call carried that may tell which execution it belongs to: ids and texts, never kept
// themselves but as keyed 64-bit hashes with a weight. Made by the gleaners (gleaner.h), compared
// by the registry (registry.h). The key is the process's own and secret: who does not know it can
// neither make values that collide nor guess what a hash stands for. SipHash-1-3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sidespan::lineage {

struct HashKey {
  uint64_t first = 0;
  uint64_t second = 0;
};

// Of bytes that come in any pieces.
class Hasher {
 public:
  explicit Hasher(const HashKey& key);

  void add(std::string_view bytes);
  void add(uint64_t word);
  // Of what came by now; more may come.
  uint64_t finish() const;

 private:
  void mix(uint64_t word);

  std::array<uint64_t, 4> v_;
  uint64_t tail_ = 0;  // bytes that make no word yet
  uint64_t size_ = 0;
};

uint64_t hash_of(const HashKey& key, std::string_view bytes);

// How much it tells that two calls carry the same text: about the bits that somebody who did not
// copy it would have to guess. Nothing for what programs write by themselves: short words, names of
// fields, dates and times. Of `text` without blanks at its ends.
uint8_t weight_of(std::string_view text);
// Nobody else's id is the same: it has a part that was made by chance. One that ends in a count
// ("call_12", "functions.getUser2:0"), or is a name, is given to many.
bool is_unique(std::string_view id);
// Of such weight one value alone is evidence.
inline constexpr uint8_t kEvidenceWeight = 12;
// Texts so heavy are no constants of a program, however often they are met.
inline constexpr uint8_t kHeavyWeight = 24;

// Where in a body a value stood, as far as it matters what that says of its origin.
enum class Place : uint8_t {
  kFixed,    // what agents send by themselves: instructions, definitions of tools, fields
  kWords,    // what somebody said: a message to a model
  kResent,   // a model's own words in such a conversation
  kContent,  // in an answer
  kAsked,    // there, of a model's: what it asks a tool for
};

// How much of what was said a value is.
enum class Extent : uint8_t {
  kText,   // a line, or something short
  kName,   // one that is an id or a mail address
  kUrl,    // one that is a URL
  kPart,   // of the text before: a sentence, or what stands behind a label
  kWord,   // in it
  kWhole,  // the texts before, together, or a part of a word
};

struct Value {
  uint64_t hash = 0;
  uint8_t weight = 0;
  Place place = Place::kFixed;
  bool id = false;  // it stood where ids stand, and is_unique()
  Extent extent = Extent::kText;
  uint16_t size = 0;  // bytes of the text, as many as are told
};

// What somebody says, and others hardly do by themselves: not a word of it, an id, a mail address
// or a URL, nor several texts together.
inline bool is_sentence(const Value& value) {
  return !value.id && value.size > 0 &&
         (value.extent == Extent::kText || value.extent == Extent::kPart);
}

// The messages of a conversation up to one of them, as a model call resends them.
struct Prefix {
  uint64_t digest = 0;
  uint32_t values_end = 0;      // of `values`: those that stood behind belong to later messages
  bool answer_follows = false;  // the next message is the model's
};

// The words of a tool's name, or of a path, by hash: nothing where there are less.
using ToolName = std::array<uint32_t, 6>;
// Those of `text` that have three letters at least, as far as there is room; in any case, singular
// or plural.
void add_words(const HashKey& key, std::string_view text, ToolName& name);
// They have a word in common.
bool resemble(const ToolName& one, const ToolName& other);

// All that a tool is asked for, by a model, or by a request.
struct Asked {
  uint64_t arguments = 0;  // of their texts, whatever their names and order
  ToolName name = {};      // nothing: not known
  bool url = false;        // of a request: they are its URL
};

// What a body, or a head, carried.
struct Gleaned {
  std::vector<Value> values;
  std::vector<Asked> asked;  // of a request: what it may be asking for; of an answer: what it wants
  std::vector<Prefix> prefixes;  // the latest ones; the last is of all messages
  uint32_t messages_begin = 0;   // of `values`: where the messages begin
  uint32_t messages_end = 0;
};

}  // namespace sidespan::lineage
