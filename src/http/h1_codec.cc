#include "sidespan/http/h1_codec.h"

#include <string>

#include <llhttp.h>

namespace sidespan::http {

std::string_view llhttp_version() {
  static const std::string kVersion = std::to_string(LLHTTP_VERSION_MAJOR) + "." +
                                      std::to_string(LLHTTP_VERSION_MINOR) + "." +
                                      std::to_string(LLHTTP_VERSION_PATCH);
  return kVersion;
}

}  // namespace sidespan::http
