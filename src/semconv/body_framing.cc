#include "semconv/body_framing.h"

#include <algorithm>

#include "sidespan/base/spares.h"
#include "sidespan/http/eventstream.h"
#include "sidespan/http/sse.h"

namespace sidespan::semconv {
namespace {

class TextFramer final : public Framer {
 public:
  TextFramer(BodySink& sink, const json::ReaderLimits& limits) : document_(sink, limits) {
    document_.begin("", false, false);
  }
  void feed(std::string_view plain) override { document_.feed(plain); }
  void finish(bool clean) override { document_.end(clean); }
  bool broken() const override { return document_.broken(); }

 private:
  JsonDocument document_;
};

class RowFramer final : public Recycled<RowFramer, 32>, public Framer {
 public:
  RowFramer(BodySink& sink, const json::ReaderLimits& limits) : document_(sink, limits) {
    document_.begin("", true, false);
  }
  void feed(std::string_view plain) override {
    while (!plain.empty() && !broken()) {
      plain.remove_prefix(document_.feed(plain));
      if (document_.over() && !broken()) document_.begin("", true, false);
    }
  }
  void finish(bool clean) override { document_.end(clean); }
  bool broken() const override { return document_.broken(); }

 private:
  JsonDocument document_;
};

// Commas are taken as they come: what is wrong about them is nobody's interest here.
class ElementFramer final : public Framer {
 public:
  ElementFramer(BodySink& sink, const json::ReaderLimits& limits) : document_(sink, limits) {}

  void feed(std::string_view plain) override {
    while (!plain.empty() && at_ != At::kEnd) {
      if (at_ == At::kElement || at_ == At::kText) {
        plain.remove_prefix(document_.feed(plain));
        if (document_.over()) at_ = at_ == At::kElement && !broken() ? At::kArray : At::kEnd;
        continue;
      }
      const size_t blanks = plain.find_first_not_of(at_ == At::kBefore ? " \t\r\n" : " \t\r\n,");
      plain.remove_prefix(std::min(blanks, plain.size()));
      if (!plain.empty()) plain.remove_prefix(open(plain.front()));
    }
  }
  void finish(bool clean) override { document_.end(clean); }
  bool broken() const override { return document_.broken(); }

 private:
  enum class At : uint8_t { kBefore, kArray, kElement, kText, kEnd };

  // At a byte that may begin something. Returns how many were read.
  size_t open(char c) {
    if (at_ == At::kBefore && c == '[') {
      at_ = At::kArray;
      return 1;
    }
    if (at_ == At::kArray && c == ']') {
      at_ = At::kEnd;
      return 1;
    }
    at_ = at_ == At::kArray ? At::kElement : At::kText;
    document_.begin("", true, false);
    return 0;
  }

  At at_ = At::kBefore;
  JsonDocument document_;
};

// A line that is no JSON is one document that is not whole; the next line is read again.
class LineFramer final : public Framer {
 public:
  LineFramer(BodySink& sink, const json::ReaderLimits& limits) : document_(sink, limits) {}

  void feed(std::string_view plain) override {
    while (!plain.empty()) {
      if (!in_line_) document_.begin("", false, false);
      const size_t size = plain.find('\n');
      document_.feed(plain.substr(0, size));
      in_line_ = size == std::string_view::npos;
      if (in_line_) return;
      document_.end(true);
      plain.remove_prefix(size + 1);
    }
  }
  void finish(bool clean) override { document_.end(clean); }

 private:
  bool in_line_ = false;
  JsonDocument document_;
};

class EventFramer final : public Framer, private http::SseSink {
 public:
  EventFramer(BodySink& sink, const json::ReaderLimits& limits)
      : document_(sink, limits), reader_(this) {}

  void feed(std::string_view plain) override { reader_.feed(plain); }
  void finish(bool clean) override {
    clean_ = clean;
    reader_.finish();
  }
  bool has_event_ids() const override { return reader_.has_ids(); }

 private:
  void on_event(std::string_view name) override { document_.begin(name, false, true); }
  void on_data(std::string_view part) override { document_.feed(part); }
  void on_event_end(bool whole) override { document_.end(whole || clean_); }

  JsonDocument document_;
  http::SseReader reader_;
  bool clean_ = false;
};

class MessageFramer final : public Framer, private http::EventStreamSink {
 public:
  MessageFramer(BodySink& sink, const json::ReaderLimits& limits)
      : sink_(sink), document_(sink, limits), reader_(*this) {}

  void feed(std::string_view plain) override { reader_.feed(plain); }
  void finish(bool) override { reader_.finish(); }
  bool broken() const override { return reader_.broken(); }

 private:
  void on_message(const http::EventStreamHead& head) override {
    in_error_ = head.kind == http::EventStreamHead::Kind::kError;
    if (in_error_) return sink_.on_stream_error(head.name, head.text);
    document_.begin(head.name, false, false);
  }
  void on_payload(std::string_view part) override {
    if (!in_error_) document_.feed(part);
  }
  void on_message_end(bool whole) override {
    if (!in_error_) document_.end(whole);
  }

  BodySink& sink_;
  JsonDocument document_;
  http::EventStreamReader reader_;
  bool in_error_ = false;
};

}  // namespace

std::unique_ptr<Framer> make_framer(BodyFraming framing, const json::ReaderLimits& limits,
                                    BodySink& sink) {
  switch (framing) {
    case BodyFraming::kTexts:
      return std::make_unique<RowFramer>(sink, limits);
    case BodyFraming::kElements:
      return std::make_unique<ElementFramer>(sink, limits);
    case BodyFraming::kLines:
      return std::make_unique<LineFramer>(sink, limits);
    case BodyFraming::kEvents:
      return std::make_unique<EventFramer>(sink, limits);
    case BodyFraming::kMessages:
      return std::make_unique<MessageFramer>(sink, limits);
    case BodyFraming::kJson:
      break;
  }
  return std::make_unique<TextFramer>(sink, limits);
}

}  // namespace sidespan::semconv
