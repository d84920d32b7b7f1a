// Members of the documents that models, their agents and tools exchange, as far as their names say
// what a value is worth as evidence. Of all providers in one table: where a name means one thing
// with one of them and nothing with the others, it is there for all.
#pragma once

#include <cstdint>
#include <string_view>

namespace sidespan::lineage {

enum class Member : uint8_t {
  kOther,
  kIgnored,   // counters, times, names of models and kinds: the same for everybody, or nobody's
  kLasting,   // ids of what outlives a turn: those of one session share them
  kMark,      // set on a message by where it stands, and so not part of what was said
  kMessages,  // the list of messages
  kId,        // of a tool's call, an answer, a task
  kRole,
  kType,
  kArguments,  // of a tool's call: JSON in a text, in an answer perhaps a piece of it
  kProse,      // in an answer that is streamed, a piece of what the model says
  kName,       // of a tool
  kTools,      // their definitions
  kIndex,      // of the part of an answer that the piece belongs to
};

Member member_of(std::string_view name);

}  // namespace sidespan::lineage
