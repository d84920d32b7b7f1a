// Any bytes as a form: the same pairs however it was cut, none of them over the limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "semconv/form_reader.h"

using sidespan::semconv::FormReader;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = [&](size_t piece) {
    std::string out;
    FormReader reader([&](const FormReader::Pair& pair) {
      if (pair.name.empty() || pair.name.size() > FormReader::kNameBytesMax) std::abort();
      if (pair.value.size() > FormReader::kValueBytesMax) std::abort();
      out.append(pair.name).append("\x01").append(pair.value).append(pair.cut ? "~" : "\x02");
    });
    for (size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
    reader.finish(true);
    return out;
  };
  if (read(1) != read(size + 1)) std::abort();
  return 0;
}
