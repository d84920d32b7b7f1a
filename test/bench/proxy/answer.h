// Reads answers as the load generator needs them: status, end, and what a stream of events says.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidespan::bench {

class Answer {
 public:
  enum class State : uint8_t { kUnfinished, kWhole, kWrong };

  // `on_line(view)` gets each line of a chunked body. Bytes behind a whole answer are wrong: nobody
  // asked for more.
  template <class OnLine>
  State feed(std::string_view bytes, OnLine&& on_line);
  int status() const { return status_; }

 private:
  enum class Part : uint8_t { kHead, kBody, kChunkSize, kChunk, kChunkEnd };
  static constexpr size_t kHeadBytesMax = 8192;

  bool read_head();
  std::string_view field(std::string_view name) const;
  template <class OnLine>
  State take_chunks(std::string_view bytes, OnLine&& on_line);
  template <class OnLine>
  void take_lines(std::string_view data, OnLine&& on_line);

  Part part_ = Part::kHead;
  std::string text_;  // the head, a chunk's size line, or a line of the body, as far as it came
  std::string line_;
  size_t left_ = 0;
  int status_ = 0;
};

inline std::string_view Answer::field(std::string_view name) const {
  const size_t at = text_.find(name);
  if (at == std::string::npos) return {};
  const std::string_view rest = std::string_view(text_).substr(at + name.size());
  return rest.substr(0, rest.find("\r\n"));
}

inline bool Answer::read_head() {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!text_.starts_with(kVersion)) return false;
  std::from_chars(text_.data() + kVersion.size(), text_.data() + text_.size(), status_);
  if (field("\r\nTransfer-Encoding: ") == "chunked") {
    part_ = Part::kChunkSize;
    text_.clear();
    return true;
  }
  const std::string_view length = field("\r\nContent-Length: ");
  part_ = Part::kBody;
  return std::from_chars(length.data(), length.data() + length.size(), left_).ec == std::errc();
}

template <class OnLine>
void Answer::take_lines(std::string_view data, OnLine&& on_line) {
  for (size_t end = data.find('\n'); end != std::string_view::npos; end = data.find('\n')) {
    line_ += data.substr(0, end);
    on_line(std::string_view(line_));
    line_.clear();
    data.remove_prefix(end + 1);
  }
  line_ += data;
}

template <class OnLine>
Answer::State Answer::feed(std::string_view bytes, OnLine&& on_line) {
  if (part_ == Part::kHead) {
    const size_t before = text_.size();
    text_ += bytes;
    const size_t end = text_.find("\r\n\r\n");
    if (end == std::string::npos) {
      return text_.size() > kHeadBytesMax ? State::kWrong : State::kUnfinished;
    }
    bytes.remove_prefix(end + 4 - before);
    text_.resize(end + 2);
    if (!read_head()) return State::kWrong;
  }
  if (part_ == Part::kBody) {
    if (bytes.size() > left_) return State::kWrong;
    left_ -= bytes.size();
    return left_ == 0 ? State::kWhole : State::kUnfinished;
  }
  return take_chunks(bytes, on_line);
}

template <class OnLine>
Answer::State Answer::take_chunks(std::string_view bytes, OnLine&& on_line) {
  while (!bytes.empty()) {
    if (part_ == Part::kChunk) {
      const std::string_view data = bytes.substr(0, left_);
      take_lines(data, on_line);
      bytes.remove_prefix(data.size());
      left_ -= data.size();
      if (left_ == 0) part_ = Part::kChunkEnd;
      continue;
    }
    // Both a size and the empty line behind a chunk end with LF.
    const size_t end = bytes.find('\n');
    text_ += bytes.substr(0, std::min(end, bytes.size()));
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (part_ == Part::kChunkSize) {
      const auto read = std::from_chars(text_.data(), text_.data() + text_.size(), left_, 16);
      if (read.ec != std::errc()) return State::kWrong;
      if (left_ == 0) return State::kWhole;
      part_ = Part::kChunk;
    } else {
      part_ = Part::kChunkSize;
    }
    text_.clear();
  }
  return State::kUnfinished;
}

}  // namespace sidespan::bench
