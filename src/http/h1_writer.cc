#include "h1_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <utility>

#include "scan.h"
#include "sidespan/http/answer.h"

namespace sidespan::http {
namespace {

constexpr std::string_view kCrlf = "\r\n";
// Up to here a chunk's data is copied behind its size: events of a stream are small, and three
// blocks for each would cost more.
constexpr size_t kSmallChunkBytes = 1024;
// Up to here a body whose length is known is copied behind its head.
constexpr size_t kSmallBodyBytes = 512;
// Room for what a head has beside its block.
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
  explicit Lines(size_t capacity) : chunk_(capacity), to_(chunk_.spare().data()) {}
  void put(std::string_view text) {
    assert(text.size() <= static_cast<size_t>(chunk_.spare().data() + chunk_.room() - to_));
    if (!text.empty()) std::memcpy(to_, text.data(), text.size());
    to_ += text.size();
  }
  void put_field(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put(kCrlf);
  }
  // Three digits.
  void put_status(int status) {
    const int tens = status / 10;
    for (const int digit : {tens / 10, tens % 10, status % 10}) {
      *to_++ = static_cast<char>('0' + digit);
    }
  }
  Chunk take() {
    chunk_.use(static_cast<size_t>(to_ - chunk_.spare().data()));
    return std::move(chunk_);
  }

 private:
  Chunk chunk_;
  char* to_;
};

// What the fields, method, target and reason may take: a line on the wire is at least as long as
// its parts, the colon and CRLF, and is written with a blank more.
size_t room_for(const Headers& headers) {
  return headers.block().size() + headers.size();
}

// The text up to the first byte that its place in a start line does not allow. A text of that Kind
// has none.
template <class Kind>
std::string_view allowed(std::string_view text, unsigned char first) {
  if (scan::end_of<Kind>(text, 0) == text.size()) return text;
  const auto bad = [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < first && byte != '\t');
  };
  return {text.begin(), std::ranges::find_if(text, bad)};
}

struct Keep {
  bool length;      // Content-Length without a body: what a GET would have had
  bool connection;  // the sender's own Connection
};

// The fields of a head, but for those that frame its message or steer its connection, which are
// ours to write. Lines that lie one behind the other as they are to be written are copied at once.
class FieldWriter {
 public:
  FieldWriter(Lines& out, const Headers& headers) : out_(out), block_(headers.block()) {}

  void put(const FieldLine& line) {
    if (!line.plain) return put_as(line, view(line.value));
    if (line.name.begin != run_end_) {
      flush();
      run_begin_ = line.name.begin;
    }
    run_end_ = line.value.end() + static_cast<uint32_t>(kCrlf.size());
  }
  // With another value.
  void put_as(const FieldLine& line, std::string_view value) {
    flush();
    out_.put_field(view(line.name), value);
  }
  void flush() {
    if (run_begin_ < run_end_) out_.put(view({run_begin_, run_end_ - run_begin_}));
    run_begin_ = run_end_ = 0;
  }
  std::string_view view(Range range) const { return {block_.data() + range.begin, range.size}; }

 private:
  Lines& out_;
  const std::string_view block_;
  uint32_t run_begin_ = 0;  // lines that wait to be copied
  uint32_t run_end_ = 0;
};

// A length stays where its sender put it.
[[gnu::always_inline]] inline void put_fields(Lines& out, const Head& head, Framing framing,
                                              Keep keep) {
  const Headers& headers = head.headers;
  const Digits length(framing == Framing::kLength ? head.body.bytes : 0);
  const FieldNames ours = bit_of(FieldName::kContentLength) | bit_of(FieldName::kTransferEncoding) |
                          (keep.connection ? FieldNames{0} : bit_of(FieldName::kConnection));
  FieldWriter writer(out, headers);
  bool length_put = false;
  for (const FieldLine& line : headers.table()) {
    if ((bit_of(line.known) & ours) == 0) {
      writer.put(line);
    } else if (line.known == FieldName::kContentLength && !std::exchange(length_put, true)) {
      const bool same = framing != Framing::kLength || writer.view(line.value) == length.view();
      if (framing != Framing::kLength && !keep.length) continue;
      same ? writer.put(line) : writer.put_as(line, length.view());
    }
  }
  writer.flush();
  if (framing == Framing::kLength && !length_put) out.put_field("Content-Length", length.view());
  if (framing == Framing::kChunked) out.put_field("Transfer-Encoding", "chunked");
}

// A body that small goes into the block of its head.
size_t room_for_body(const Head& head, Framing framing) {
  const bool small = framing == Framing::kLength && head.body.bytes <= kSmallBodyBytes;
  return small ? static_cast<size_t>(head.body.bytes) : 0;
}

}  // namespace

void write_request_head(Chain& out, const Head& head, Framing framing) {
  Lines lines(room_for(head.headers) + kExtraBytes);
  lines.put(allowed<scan::Token>(head.method(), '!'));
  lines.put(" ");
  lines.put(allowed<scan::Target>(head.target(), '!'));
  lines.put(" HTTP/1.1\r\n");
  put_fields(lines, head, framing, {.length = false, .connection = true});
  lines.put(kCrlf);
  out.append(lines.take());
}

void write_response_head(Chain& out, const Head& head, Framing framing,
                         std::string_view connection) {
  const std::string_view reason =
      head.reason().empty() ? reason_phrase(head.status) : head.reason();
  Lines lines(reason.size() + room_for(head.headers) + connection.size() + kExtraBytes +
              room_for_body(head, framing));
  lines.put("HTTP/1.1 ");
  lines.put_status(head.status);
  lines.put(" ");
  lines.put(allowed<scan::Value>(reason, ' '));
  lines.put(kCrlf);
  // RFC 9110 section 8.6: never with an interim answer, a 204 or what opens a tunnel.
  const bool switching = framing == Framing::kSwitch;
  const bool keep_length = framing == Framing::kNone && head.status >= 200 && head.status != 204;
  put_fields(lines, head, framing, {.length = keep_length, .connection = switching});
  if (!connection.empty()) lines.put_field("Connection", connection);
  lines.put(kCrlf);
  out.append(lines.take());
}

void write_known(Chain& out, Chain&& data) {
  if (data.size() > kSmallBodyBytes) return out.append(std::move(data));
  data.visit([&](std::string_view part) { out.append(part); });
}

void write_chunk(Chain& out, Chain data) {
  if (data.empty()) return;  // an empty chunk would end the body
  std::array<char, 20> line;
  char* end = std::to_chars(line.data(), line.data() + line.size() - 2, data.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  const std::string_view size_line(line.data(), end);
  if (data.size() > kSmallChunkBytes) {
    out.append(size_line);
    out.append(std::move(data));
    return out.append(kCrlf);
  }
  Lines lines(size_line.size() + data.size() + kCrlf.size());
  lines.put(size_line);
  data.visit([&](std::string_view part) { lines.put(part); });
  lines.put(kCrlf);
  out.append(lines.take());
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
