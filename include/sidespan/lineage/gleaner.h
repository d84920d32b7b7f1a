// Gleans from bodies and URLs what may tell which execution a call belongs to (value.h): whole
// texts, and inside of long ones their lines, numbers, ids and URLs; in a model's answer also what
// its streamed arguments say, which are pieces of one JSON text inside the texts of others; of the
// messages to a model the digest of each beginning of the conversation. What is nested too deep to
// have a name may be an id that outlives a turn, and is told as what is not kept. Stands on the
// events of json::Reader, beside whoever else reads the documents. Bounded: it holds a line, a few
// nested readers, and up to `values_max` values; nothing of content outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sidespan/json/reader.h"
#include "sidespan/lineage/value.h"

namespace sidespan::lineage {

// Whose words they are.
enum class Voice : uint8_t {
  kModelRequest,
  kModelAnswer,
  kToolRequest,  // of any call that is none of a model
  kToolAnswer,
  kGiven,  // a request that an execution begins with, as an ingress has it
};

struct GleanLimits {
  size_t values_max = 8192;
};

// Told what is not kept, so that nobody takes it for what only others carried.
class Overflow {
 public:
  virtual void forget(uint64_t hash) = 0;

 protected:
  ~Overflow() = default;
};

class Gleaner final : public json::Handler {
 public:
  // `overflow` outlives this. `streamed`: an answer of many documents, each a piece of it.
  Gleaner(const HashKey& key, Voice voice, bool streamed, Overflow& overflow,
          const GleanLimits& limits = {});
  ~Gleaner() override;
  Gleaner(const Gleaner&) = delete;
  Gleaner& operator=(const Gleaner&) = delete;

  // Around the events of each document.
  void begin_document();
  void end_document();
  // Nothing more comes: what streamed texts say at their ends.
  void finish();

  const Gleaned& gleaned() const;
  // What came since the last take(). Not while a request's messages are wanted as a whole.
  Gleaned take();

  void on_object() override;
  void on_object_end() override;
  void on_array() override;
  void on_array_end() override;
  void on_key(std::string_view key) override;
  void on_text(std::string_view part, bool last) override;
  void on_integer(int64_t number) override;
  void on_number(double number) override;
  void on_bool(bool truth) override;
  void on_null() override;
  json::Handler* deep() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Where a request goes.
struct Target {
  std::string_view host = {};  // in any case, an IPv6 literal without brackets
  uint16_t port = 0;           // zero: what goes without saying
  std::string_view path = {};  // as written, with the query
  bool secure = false;         // https
  bool fetches = false;        // and does nothing else (GET)
  bool alone = false;          // has no body

  // Shorter ones tell nothing: "/json".
  bool may_tell() const { return path.size() > 5; }
};

// The segments of a target's path, the values of its query, and the whole where it is fetched. Of
// one that is alone also what it may be asking a tool for: its query, the end of its path, or, of
// one that is fetched and tells something, its URL.
void glean_target(const HashKey& key, const Target& target, Gleaned& out);

// The fields of a form that comes in any pieces: application/x-www-form-urlencoded, or with a
// boundary multipart/form-data (RFC 7578), where files are none.
class FormGleaner {
 public:
  FormGleaner(const HashKey& key, Overflow& overflow, const GleanLimits& limits = {},
              std::string_view boundary = {});
  ~FormGleaner();
  void feed(std::string_view bytes);
  void finish();
  const Gleaned& gleaned() const;
  // In parts: a file has begun, and what follows comes when it is over; the last delimiter came,
  // and nothing follows.
  bool met_file() const;
  bool over() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An answer that is a text and no JSON, as pages are, in any pieces.
class TextGleaner {
 public:
  TextGleaner(const HashKey& key, Overflow& overflow, const GleanLimits& limits = {});
  ~TextGleaner();
  void feed(std::string_view bytes);
  void finish();
  // What came since the last take().
  Gleaned take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::lineage
