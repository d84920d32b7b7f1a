#include "head_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

namespace sidespan::http {
namespace {

std::unexpected<Error> malformed(Side side, std::string_view what) {
  return fail(Code::kMalformed, side, std::string(what));
}

// The fields that frame or route a message: how many lines, and the value of the last.
struct FrameFields {
  explicit FrameFields(const Headers& headers) {
    for (size_t i = 0; i < headers.size(); ++i) {
      const Field field = headers.at(i);
      if (Line* line = line_of(field.name)) *line = {line->count + 1, field.value};
    }
  }

  struct Line {
    size_t count = 0;
    std::string_view value;
  };
  Line host;
  Line length;
  Line coding;

 private:
  Line* line_of(std::string_view name) {
    const auto is = [&](std::string_view known) { return text::equal_ignoring_case(name, known); };
    switch (name.size()) {
      case 4:
        return is("host") ? &host : nullptr;
      case 14:
        return is("content-length") ? &length : nullptr;
      case 17:
        return is("transfer-encoding") ? &coding : nullptr;
      default:
        return nullptr;
    }
  }
};

Result<BodyLength> judge_framing(const FrameFields& fields, int minor_version, Side side,
                                 BodyLength otherwise) {
  if (fields.length.count > 1) return malformed(side, "there is more than one Content-Length");
  if (fields.coding.count == 0) {
    if (fields.length.count == 0) return otherwise;
    // Beyond 2^63 some readers see a negative number.
    const auto length = text::parse_unsigned(fields.length.value, INT64_MAX);
    if (!length) return malformed(side, "Content-Length is not a number that can be");
    return BodyLength::known(*length);
  }
  if (fields.length.count > 0) {
    return malformed(side, "there are both Content-Length and Transfer-Encoding");
  }
  if (minor_version == 0) return malformed(side, "HTTP/1.0 has no Transfer-Encoding");
  if (fields.coding.count > 1) return malformed(side, "there is more than one Transfer-Encoding");
  if (!text::equal_ignoring_case(fields.coding.value, "chunked")) {
    return malformed(side, "Transfer-Encoding is something else than chunked");
  }
  return BodyLength::unknown();
}

Result<void> judge_host(const FrameFields& fields, int minor_version) {
  if (fields.host.count > 1) return malformed(Side::kAgent, "there is more than one Host");
  if (fields.host.count == 0) {
    if (minor_version == 0) return {};
    return malformed(Side::kAgent, "there is no Host");
  }
  Result<void> host = check_authority(fields.host.value);
  if (!host) host.error().what.insert(0, "in the Host field ");
  return host;
}

Result<void> judge_target(const Head& head) {
  if (head.asks("CONNECT")) return check_authority(head.target(), true);
  if (head.target().starts_with('/')) return {};
  if (head.target() == "*" && head.asks("OPTIONS")) return {};
  return check_url(head.target());
}

}  // namespace

Result<BodyLength> judge_request(const Head& head) {
  const FrameFields fields(head.headers);
  if (Result<void> host = judge_host(fields, head.minor_version); !host) {
    return std::unexpected(std::move(host).error());
  }
  if (Result<void> target = judge_target(head); !target) {
    return std::unexpected(std::move(target).error());
  }
  const Result<BodyLength> body =
      judge_framing(fields, head.minor_version, Side::kAgent, BodyLength::none());
  if (body && *body != BodyLength::none() && head.asks("CONNECT")) {
    return malformed(Side::kAgent, "CONNECT has no body");
  }
  return body;
}

Result<BodyLength> judge_answer(const Head& head) {
  const FrameFields fields(head.headers);
  Result<BodyLength> body =
      judge_framing(fields, head.minor_version, Side::kOrigin, BodyLength::unknown());
  if (!body || head.status >= 200) return body;
  // Whoever reads a body here reads the next answer's head.
  if (fields.coding.count > 0 || body->bytes > 0) {
    return malformed(Side::kOrigin, "an interim answer announces a body");
  }
  return body;
}

std::optional<Error> judge_trailers(const Headers& fields, Side side) {
  constexpr std::array<std::string_view, 3> kForbidden = {"content-length", "transfer-encoding",
                                                          "host"};
  const bool bad =
      std::ranges::any_of(kForbidden, [&](std::string_view name) { return fields.contains(name); });
  if (!bad) return std::nullopt;
  return malformed(side, "a trailer says how the message is framed or routed").error();
}

bool keeps_connection(const Head& head) {
  if (head.headers.lists("connection", "close")) return false;
  return head.minor_version > 0 || head.headers.lists("connection", "keep-alive");
}

}  // namespace sidespan::http
