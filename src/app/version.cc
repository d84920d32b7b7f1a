#include "app/version.h"

#include "sidespan/http/h1_codec.h"
#include "sidespan/http/h2_codec.h"

// Declared here instead of included: uv.h belongs to net and zlib.h to http, which do the linking.
extern "C" const char* uv_version_string(void);
extern "C" const char* zlibVersion(void);  // NOLINT(readability-identifier-naming)

namespace sidespan::app {

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
  add("zlib", zlibVersion());
  add("yaml-cpp", SIDESPAN_YAML_CPP_VERSION);
  return out;
}

}  // namespace sidespan::app
