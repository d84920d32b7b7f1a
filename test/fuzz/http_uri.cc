// What parses is plain: no character that could end a line, a host that reads back as itself, a
// path that is an origin-form.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidespan/http/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidespan::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto check = [](const Authority& authority) {
    const auto again = parse_authority(authority.to_string());
    if (!again || again->host != authority.host || again->port != authority.port) std::abort();
  };
  if (const auto authority = parse_authority(text)) check(*authority);
  if (const auto url = parse_url(text)) {
    check(url->authority);
    if (!is_origin_form(url->path) || url->port() == 0) std::abort();
    if (url->userinfo.find('@') != std::string::npos) std::abort();
  }
  return 0;
}
