// Server-sent events (WHATWG HTML, section 9.2), read from a stream that arrives in any pieces.
// Data is told on as it comes and kept by nobody; of a name a beginning is kept. Used by the tap on
// model streams, and by the counter of events. What stands in the data is the sink's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidespan::http {

// Views are for this call. Each event is on_event, on_data any number of times, on_event_end.
class SseSink {
 public:
  // `name` as far as it stands before the first data: empty where there is none.
  virtual void on_event(std::string_view name) = 0;
  // Never empty. Lines are joined by LF.
  virtual void on_data(std::string_view part) = 0;
  // `whole`: an empty line ended it, and not the end of the stream.
  virtual void on_event_end(bool whole) = 0;

 protected:
  ~SseSink() = default;
};

// An event is a block with at least one `data` field; comments and blocks without data are none.
class SseReader {
 public:
  static constexpr size_t kNameBytesMax = 64;  // of an event's name; what is beyond is cut

  // Null: nobody wants the data, and events are only counted. A sink must outlive this.
  explicit SseReader(SseSink* sink = nullptr) : sink_(sink) {}

  void feed(std::string_view bytes);
  // Nothing more comes: an event that was begun ends so.
  void finish();
  // Those that an empty line ended.
  uint64_t events() const { return events_; }
  // Some had an `id`: who lost the stream can ask for what came after it (Last-Event-ID).
  bool has_ids() const { return has_ids_; }

 private:
  enum class At : uint8_t { kMark, kLineStart, kField, kBlank, kData, kName, kIgnored };

  size_t step(std::string_view bytes);
  size_t match_mark(char c);
  size_t match_field(std::string_view bytes);
  void begin_value();
  void begin_data();
  void append_name(std::string_view part);
  void end_line();
  void end_event(bool whole);

  SseSink* sink_;
  uint64_t events_ = 0;
  At at_ = At::kMark;
  std::string_view field_;  // what this line's name may yet be: "data", "event", "id"
  uint8_t matched_ = 0;     // bytes of the mark, or of field_
  bool in_event_ = false;   // the block has data
  bool has_ids_ = false;
  bool after_cr_ = false;  // an LF that follows belongs to the same line end
  uint8_t name_size_ = 0;
  std::array<char, kNameBytesMax> name_;
};

class SseCounter {
 public:
  // Returns how many events were completed by these bytes.
  uint64_t feed(std::string_view bytes) {
    const uint64_t before = reader_.events();
    reader_.feed(bytes);
    return reader_.events() - before;
  }
  uint64_t events() const { return reader_.events(); }

 private:
  SseReader reader_;
};

}  // namespace sidespan::http
