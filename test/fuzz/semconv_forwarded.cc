// Any text as each of the fields in which proxies say who asked: what is found is part of it, and
// plain enough to be shown.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "semconv/forwarded.h"

using namespace sidespan;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (std::ranges::any_of(input, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }))
    return 0;
  for (const auto* name :
       {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}) {
    http::Headers headers;
    headers.add(name, input);
    const semconv::Forwarded found = semconv::read_forwarded(headers);
    for (const std::string_view text : {found.client, found.host, found.scheme}) {
      if (text.size() > 255 || !input.contains(text)) std::abort();
      if (text.find_first_of(" \t,;\"<>&") != std::string_view::npos) std::abort();
    }
  }
  return 0;
}
