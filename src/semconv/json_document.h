// One document after another of a body: begins the sink's with its first byte that is no blank,
// reads it with the handler the sink gave, and ends it. Used by the framings; where a document ends
// otherwise than by itself is theirs to know.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/json/reader.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {

class JsonDocument {
 public:
  JsonDocument(BodySink& sink, const json::ReaderLimits& limits) : sink_(sink), limits_(limits) {}

  // `read_all`: reads also what is of no interest, to know where it ends. `done_mark`: a text of
  // [DONE], which ends the streams of some, is no document.
  void begin(std::string_view event_name, bool read_all, bool done_mark);
  // Returns how many bytes were read: all, unless the document ended.
  size_t feed(std::string_view bytes);
  // It is over, well-formed or not; the rest up to the next begin() is read by nobody.
  bool over() const { return at_ == At::kOver; }
  bool broken() const { return broken_; }
  // Nothing more comes of it. `clean`: because it ends here, and not because the body broke off.
  void end(bool clean);

 private:
  enum class At : uint8_t { kOver, kBefore, kMark, kReading };
  static constexpr size_t kNameBytesMax = 64;

  size_t match_mark(std::string_view bytes);
  void start();
  size_t read(std::string_view bytes);
  void close(bool whole);

  BodySink& sink_;
  const json::ReaderLimits limits_;
  At at_ = At::kOver;
  bool read_all_ = false;
  bool done_mark_ = false;
  bool broken_ = false;
  uint8_t marked_ = 0;
  uint8_t name_size_ = 0;
  std::array<char, kNameBytesMax> name_;
  json::Handler idle_;  // reads what is of no interest
  json::Handler* handler_ = nullptr;
  json::Handler* read_by_ = nullptr;  // reader_'s
  std::optional<json::Reader> reader_;
};

}  // namespace sidespan::semconv
