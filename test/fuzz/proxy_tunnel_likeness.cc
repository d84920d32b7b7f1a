// Any bytes as the first ones of a tunnel: once it is said what they are like, more of them change
// nothing, and nobody waits longer than for a preface, or a frame of settings. What is told to be
// HTTP begins a request as our own codec reads it, and no other of its requests to a path is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "../support/http_script.h"
#include "proxy/tunnel_likeness.h"
#include "sidespan/base/text.h"
#include "sidespan/http/h2_codec.h"

using namespace sidespan;
using proxy::Likeness;

namespace {

constexpr size_t kHeaderBytes = 9;

// Of all its beginnings; what they do not settle, more of it may.
Likeness said_of_beginnings(std::string_view bytes) {
  Likeness said = Likeness::kUnsure;
  for (size_t end = 0; end <= std::min(bytes.size(), http::kH2Preface.size() + 1); ++end) {
    const std::string piece(bytes.substr(0, end));
    const Likeness now = proxy::likeness_to_http(piece);
    if (said != Likeness::kUnsure && now != said) std::abort();
    if (end >= http::kH2Preface.size() && now == Likeness::kUnsure) std::abort();
    said = now;
  }
  return said;
}

// The method of the request to a path that `bytes` begins, as the codec reads it.
std::optional<std::string> method_of(std::string_view bytes) {
  const std::string_view method = bytes.substr(0, bytes.find(' '));
  if (!text::is_token(method) || !bytes.substr(method.size()).starts_with(" /"))
    return std::nullopt;
  std::optional<std::string> found;
  http::script::Line line(http::make_h1_server({}), http::script::Cuts::whole());
  line.react = [&](const http::Event& event) {
    if (const auto* head = std::get_if<http::Head>(&event.what)) found = head->method();
  };
  line.feed(std::string(method).append(" / HTTP/1.1\r\nHost: h\r\n\r\n"));
  line.eof();
  line.output();
  return found;
}

void check_requests(std::string_view bytes) {
  // All of HTTP's own, but for CONNECT.
  constexpr std::string_view kMethods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                           "PATCH", "DELETE", "OPTIONS", "TRACE"};
  const Likeness said = said_of_beginnings(bytes);
  if (proxy::likeness_to_http(bytes) != said) std::abort();
  const std::optional<std::string> method = method_of(bytes);
  const bool asks = method && std::ranges::find(kMethods, *method) != std::end(kMethods);
  if (asks && said != Likeness::kHttp) std::abort();
  if (said == Likeness::kHttp && !asks && !bytes.starts_with(http::kH2Preface)) std::abort();
  // What is unsure is so since it may become HTTP.
  if (said != Likeness::kUnsure) return;
  const auto becomes_http = [&](std::string_view start) {
    return start.starts_with(bytes) && proxy::likeness_to_http(start) == Likeness::kHttp;
  };
  const bool may = std::ranges::any_of(
      kMethods, [&](std::string_view one) { return becomes_http(std::string(one) + " /"); });
  if (!may && !becomes_http(http::kH2Preface)) std::abort();
}

void check_settings(std::string_view bytes) {
  bool before = true;
  for (size_t end = 0; end <= std::min(bytes.size(), kHeaderBytes); ++end) {
    const std::string piece(bytes.substr(0, end));
    const bool now = proxy::is_like_settings(piece);
    if (now && !before) std::abort();
    before = now;
  }
  const bool fits = bytes.size() <= proxy::kSettingsBytesMax;
  if (proxy::is_like_settings(bytes) != (before && fits)) std::abort();
  // As a reader of frames has it, of what is no longer than a frame may be before settings were
  // exchanged, and a bit more.
  if (bytes.size() < kHeaderBytes) return;
  const auto number = [&](size_t at, size_t count) {
    uint64_t value = 0;
    for (const char c : bytes.substr(at, count)) value = value << 8U | static_cast<uint8_t>(c);
    return value;
  };
  const bool settings = number(3, 1) == 4 && number(4, 1) == 0 && number(5, 4) == 0;
  if (before != (settings && number(0, 3) <= UINT16_MAX)) std::abort();
}

// What our own codec says first, where it is an origin.
void check_own_settings(std::string_view behind) {
  static const std::string kOwn =
      http::script::Line(http::make_h2_server({}), http::script::Cuts::whole()).output();
  if (kOwn.size() < kHeaderBytes || !proxy::is_like_settings(kOwn)) std::abort();
  const std::string more = kOwn + std::string(behind);
  if (proxy::is_like_settings(more) != (more.size() <= proxy::kSettingsBytesMax)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_requests(bytes);
  check_settings(bytes);
  check_own_settings(bytes);
  return 0;
}
