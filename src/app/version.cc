#include "app/version.h"

#include <algorithm>
#include <cstdint>

#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

// Declared here instead of included: their headers belong to net, tls and http, which do the
// linking.
extern "C" {
const char* uv_version_string(void);
// NOLINTBEGIN(readability-identifier-naming)
const char* OpenSSL_version(int what);
const char* zlibVersion(void);
const char* ZSTD_versionString(void);
uint32_t BrotliDecoderVersion(void);
// NOLINTEND(readability-identifier-naming)
}

namespace sidespan::app {
namespace {

// "3.0.17" of "OpenSSL 3.0.17 1 Jul 2025".
std::string_view openssl_version() {
  constexpr int kWhole = 0;
  std::string_view text = OpenSSL_version(kWhole);
  text.remove_prefix(std::min(text.find(' ') + 1, text.size()));
  return text.substr(0, text.find(' '));
}

// 1.0.9 is 0x01000009.
std::string brotli_version() {
  constexpr uint32_t kPart = 0xfff;
  const uint32_t version = BrotliDecoderVersion();
  return std::to_string(version >> 24U) + "." + std::to_string(version >> 12U & kPart) + "." +
         std::to_string(version & kPart);
}

}  // namespace

std::string_view version() {
  return SIDESPAN_VERSION;
}

std::string version_text() {
  std::string out = "sidespan " + std::string(version()) + "\n";
  const auto add = [&](std::string_view library, std::string_view number) {
    out.append(library).append(" ").append(number).append("\n");
  };
  add("libuv", uv_version_string());
  add("llhttp", http::llhttp_version());
  add("nghttp2", http::nghttp2_version());
  add("OpenSSL", openssl_version());
  add("zlib", zlibVersion());
  add("brotli", brotli_version());
  add("zstd", ZSTD_versionString());
  add("yaml-cpp", SIDESPAN_YAML_CPP_VERSION);
  return out;
}

}  // namespace sidespan::app
