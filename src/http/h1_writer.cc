#include "h1_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/http/answer.h"

namespace sidespan::http {
namespace {

constexpr std::string_view kCrlf = "\r\n";
// Room for what a head has beside its fields and texts.
constexpr size_t kExtraBytes = 128;

struct Digits {
  explicit Digits(uint64_t value)
      : end(std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr) {}
  std::string_view view() const {
    return {buffer.data(), static_cast<size_t>(end - buffer.data())};
  }

  std::array<char, 20> buffer;
  char* end;
};

// One block that has room for all of a head or a trailer section.
class Lines {
 public:
  explicit Lines(size_t capacity) : chunk_(capacity) {}
  void put(std::string_view text) {
    [[maybe_unused]] const size_t n = chunk_.append(text);
    assert(n == text.size());
  }
  void put_field(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put(kCrlf);
  }
  Chunk take() { return std::move(chunk_); }

 private:
  Chunk chunk_;
};

// The text up to the first byte that its place in a start line does not allow.
std::string_view allowed(std::string_view text, unsigned char first) {
  const auto bad = [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < first && byte != '\t');
  };
  return {text.begin(), std::ranges::find_if(text, bad)};
}

// A length stays where its sender put it.
void put_fields(Lines& out, const Head& head, Framing framing, bool keep_length) {
  bool length_put = false;
  for (size_t i = 0; i < head.headers.size(); ++i) {
    const Field field = head.headers.at(i);
    if (text::equal_ignoring_case(field.name, "transfer-encoding")) continue;
    if (!text::equal_ignoring_case(field.name, "content-length")) {
      out.put_field(field.name, field.value);
    } else if (!std::exchange(length_put, true)) {
      if (framing == Framing::kLength) {
        out.put_field(field.name, Digits(head.body.bytes).view());
      } else if (keep_length) {
        out.put_field(field.name, field.value);
      }
    }
  }
  if (framing == Framing::kLength && !length_put) {
    out.put_field("Content-Length", Digits(head.body.bytes).view());
  }
  if (framing == Framing::kChunked) out.put_field("Transfer-Encoding", "chunked");
}

}  // namespace

void write_request_head(Chain& out, const Head& head, Framing framing) {
  Lines lines(head.method.size() + head.target.size() + head.headers.wire_bytes() + kExtraBytes);
  lines.put(allowed(head.method, '!'));
  lines.put(" ");
  lines.put(allowed(head.target, '!'));
  lines.put(" HTTP/1.1\r\n");
  put_fields(lines, head, framing, false);
  lines.put(kCrlf);
  out.append(lines.take());
}

void write_response_head(Chain& out, const Head& head, Framing framing,
                         std::string_view connection) {
  const std::string_view reason =
      head.reason.empty() ? reason_phrase(head.status) : std::string_view(head.reason);
  Lines lines(reason.size() + head.headers.wire_bytes() + connection.size() + kExtraBytes);
  lines.put("HTTP/1.1 ");
  lines.put(Digits(static_cast<uint64_t>(head.status)).view());
  lines.put(" ");
  lines.put(allowed(reason, ' '));
  lines.put(kCrlf);
  // RFC 9110 section 8.6: never with an interim answer or a 204.
  const bool keep_length = framing == Framing::kNone && head.status >= 200 && head.status != 204;
  put_fields(lines, head, framing, keep_length);
  if (!connection.empty()) lines.put_field("Connection", connection);
  lines.put(kCrlf);
  out.append(lines.take());
}

void write_chunk(Chain& out, Chain data) {
  if (data.empty()) return;  // an empty chunk would end the body
  std::array<char, 20> line;
  char* end = std::to_chars(line.data(), line.data() + line.size() - 2, data.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append({line.data(), static_cast<size_t>(end - line.data())});
  out.append(std::move(data));
  out.append(kCrlf);
}

void write_last_chunk(Chain& out, const Headers& trailers) {
  if (trailers.empty()) return out.append("0\r\n\r\n");
  Lines lines(trailers.wire_bytes() + kExtraBytes);
  lines.put("0\r\n");
  for (size_t i = 0; i < trailers.size(); ++i) {
    lines.put_field(trailers.at(i).name, trailers.at(i).value);
  }
  lines.put(kCrlf);
  out.append(lines.take());
}

}  // namespace sidespan::http
