// Between a header section of HTTP/2, a list of fields with pseudo-header fields in front, and a
// Head (RFC 9113 section 8). nghttp2 has seen to it that names are tokens in lower case, that
// pseudo-header fields are those of the message's kind, each once and in front, and that nothing
// belongs to a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "sidespan/base/error.h"
#include "sidespan/base/spares.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

// A section as it comes. What is over a limit is counted, not kept.
class H2Section final : public Recycled<H2Section, 32> {
 public:
  enum class Kind : uint8_t { kRequest, kAnswer, kTrailers };
  // `limits` outlives it. Errors carry `peer`.
  H2Section(Kind kind, Side peer, const CodecLimits& limits)
      : limits_(limits), kind_(kind), peer_(peer) {}

  // `unindexed`: the peer sent it as never to be indexed.
  void add(std::string_view name, std::string_view value, bool unindexed);
  // So far over the limits that no honest peer sends it: a few bytes that name entries of the HPACK
  // table make megabytes here.
  bool excessive() const { return bytes_ > kExcess * limits_.head_bytes_max; }
  Kind kind() const { return kind_; }

  // When it is whole, once. `ended`: it is all of the message.
  Result<Head> take_head(bool ended);
  Result<Headers> take_trailers();

 private:
  static constexpr size_t kExcess = 4;

  void add_pseudo(std::string_view name, std::string_view value);
  void add_cookie(std::string_view crumb);
  bool is_named(std::string_view host) const;
  Result<void> finish_request(bool ended);
  Result<void> finish_answer(bool ended);
  Result<BodyLength> body_length(BodyLength otherwise) const;
  std::unexpected<Error> malformed(std::string_view what) const;

  const CodecLimits& limits_;
  Head head_;
  std::string scheme_;
  std::string path_;
  std::string authority_;
  // Its crumbs as the one field that HTTP/1 has (section 8.2.3).
  std::optional<std::string> cookie_;
  size_t fields_ = 0;
  size_t bytes_ = 0;
  Kind kind_;
  Side peer_;
  bool named_twice_ = false;  // Host says something else than :authority
};

// A section to be sent, as nghttp2 takes it. Looks at the head until the next one; its memory is
// used again.
class H2Fields {
 public:
  H2Fields() = default;
  H2Fields(const H2Fields&) = delete;
  H2Fields& operator=(const H2Fields&) = delete;

  void request(const Head& head, std::string_view scheme);
  // `bodyless`: no body follows, whatever length the head tells of (HEAD, 304).
  void answer(const Head& head, bool bodyless);
  void trailers(const Headers& trailers);

  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  void begin(size_t lines);
  // A name that is known when this is compiled: nghttp2 neither copies it nor looks for capitals.
  void add_known(std::string_view name, std::string_view value,
                 uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
    add(name, value, flags | uint8_t{NGHTTP2_NV_FLAG_NO_COPY_NAME});
  }
  void add(std::string_view name, std::string_view value, uint8_t flags);
  void add_all(const Headers& headers, bool with_length);
  void add_length(const BodyLength& body);

  std::vector<nghttp2_nv> fields_;
  std::string status_;
  std::string length_;
};

}  // namespace sidespan::http
