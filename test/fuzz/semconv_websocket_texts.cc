// Any bytes as one direction of a WebSocket with permessage-deflate: each document that begins ends
// before the next, and what whole ones say is the same however the stream is cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "semconv/websocket_texts.h"

using namespace sidespan;

namespace {

// What was read, as a text.
class Log final : public semconv::BodySink, private json::Handler {
 public:
  json::Handler* begin_document(std::string_view) override {
    if (open_) std::abort();
    open_ = true;
    document_.clear();
    return this;
  }
  void end_document(bool whole) override {
    if (!open_) std::abort();
    open_ = false;
    // Of one that is not, a reader may have told more or less before it knew.
    text_ += whole ? document_ + '>' : "!";
  }
  // One that is not over when the stream is may have been found to be no JSON by then, or not yet.
  std::string finished() const { return open_ ? text_ + '!' : text_; }

 private:
  void on_key(std::string_view key) override { document_ += key; }
  void on_text(std::string_view part, bool) override { document_ += part; }
  void on_integer(int64_t number) override { document_ += std::to_string(number); }

  std::string text_;
  std::string document_;
  bool open_ = false;
};

std::string read(std::string_view bytes, size_t piece) {
  Log log;
  semconv::WebSocketTexts texts({.plain_bytes_max = 4096, .inflate = {.ratio_max = 0}}, log);
  texts.set_packed();
  http::WebSocketReader reader(&texts);
  for (size_t i = 0; i < bytes.size(); i += piece) reader.feed(bytes.substr(i, piece));
  return log.finished();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(bytes, size + 1);
  for (const size_t piece : {size_t{1}, size_t{3}}) {
    if (read(bytes, piece) != whole) std::abort();
  }
  return 0;
}
