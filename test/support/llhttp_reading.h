// What llhttp makes of a head, all of it or what it is shown beside the guard, as text. Used by the
// unit test and the fuzz target that hold the two to be one.
#pragma once

#include <llhttp.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/head_guard.h"
#include "http/shown.h"
#include "http/start_lines.h"

namespace sidespan::http::script {

class LlhttpReading {
 public:
  explicit LlhttpReading(bool request) {
    llhttp_settings_init(&settings_);
    settings_.on_url = settings_.on_status = [](llhttp_t* p, const char* at, size_t n) {
      if (n > 0) self(p).start_text_ = {at, n};
      return 0;
    };
    settings_.on_headers_complete = [](llhttp_t* p) {
      self(p).told_ += " upgrade " + std::to_string(p->upgrade);
      p->upgrade = 0;
      return 0;
    };
    settings_.on_message_complete = [](llhttp_t* p) {
      self(p).told_ += " complete";
      return static_cast<int>(HPE_PAUSED);
    };
    llhttp_init(&parser_, request ? HTTP_REQUEST : HTTP_RESPONSE, &settings_);
    parser_.data = this;
  }
  LlhttpReading(const LlhttpReading&) = delete;
  LlhttpReading& operator=(const LlhttpReading&) = delete;

  // Whether all of it is read and more can be.
  bool read(std::string_view bytes) {
    const llhttp_errno_t code = llhttp_execute(&parser_, bytes.data(), bytes.size());
    const char* const end = bytes.data() + bytes.size();
    const bool paused = code == HPE_PAUSED && llhttp_get_error_pos(&parser_) == end;
    failed_ = code != HPE_OK && !paused;
    if (failed_) told_ += std::string(" ") + llhttp_errno_name(code);
    return !failed_;
  }
  // A start line, from the readings that are known where it is among them.
  bool read_start(std::string_view line, StartLines& known) {
    if (const StartLines::Reading* reading = known.find(line, parser_)) {
      reading->resume(parser_);
      start_text_ = line.substr(reading->text().begin, reading->text().size);
      return resumed_ = true;
    }
    if (!read(line)) return false;
    const std::ptrdiff_t begin = start_text_.empty() ? 0 : start_text_.data() - line.data();
    known.keep(line, {static_cast<uint32_t>(begin), static_cast<uint32_t>(start_text_.size())},
               parser_);
    return true;
  }
  bool failed() const { return failed_; }
  // Whether it went on from a reading that was known.
  bool resumed() const { return resumed_; }
  // Verdict, start line, what frames the body and what steers the connection. HTTP/2's method is
  // refused for what it is, whatever follows.
  std::string text() const {
    if (parser_.method == HTTP_PRI) return "PRI";
    return told_ + " text " + std::string(start_text_) + " method " +
           std::to_string(parser_.method) + " status " + std::to_string(parser_.status_code) +
           " version " + std::to_string(parser_.http_major) + "." +
           std::to_string(parser_.http_minor) + " flags " + std::to_string(parser_.flags) +
           " length " + std::to_string(parser_.content_length) + " until eof " +
           std::to_string(llhttp_message_needs_eof(&parser_)) + " keep " +
           std::to_string(llhttp_should_keep_alive(&parser_));
  }

 private:
  static LlhttpReading& self(llhttp_t* p) { return *static_cast<LlhttpReading*>(p->data); }

  llhttp_settings_t settings_;
  llhttp_t parser_;
  std::string told_;
  std::string_view start_text_;  // the target or the reason
  bool failed_ = false;
  bool resumed_ = false;
};

struct TwoReadings {
  std::string all;    // of the whole head
  std::string shown;  // of what llhttp is shown of it
  size_t passed = 0;  // lines it was not shown
  bool resumed = false;
};

// Nothing where the guard finds no whole head in `bytes`.
inline std::optional<TwoReadings> read_twice(std::string_view bytes, bool request,
                                             const CodecLimits& limits) {
  using Section = HeadGuard::Section;
  Headers lines;
  HeadGuard guard(request ? Section::kRequest : Section::kResponse, Side::kAgent, limits, lines);
  const Guarded guarded = guard.feed(bytes);
  if (!guarded.complete) return std::nullopt;
  const std::string_view head = bytes.substr(0, guarded.used);
  LlhttpReading all(request);
  LlhttpReading shown(request);
  TwoReadings out;
  all.read(head);
  constinit thread_local StartLines known;
  const auto start = [&](std::string_view line) { return shown.read_start(line, known); };
  const auto read = [&](std::string_view piece) { return shown.read(piece); };
  const auto pass = [&](size_t n) {
    out.passed += n;
    return true;
  };
  const bool stands = show_head(head, lines.table(), start, read, pass);
  out.resumed = shown.resumed();
  out.all = all.text();
  out.shown = shown.text();
  if (!stands && out.shown == out.all && !all.failed()) out.shown += " refused";
  return out;
}

}  // namespace sidespan::http::script
