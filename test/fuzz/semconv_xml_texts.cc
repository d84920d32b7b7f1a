// Any bytes as XML: the same texts however it was cut, none of them over the limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "semconv/xml_texts.h"

using sidespan::semconv::XmlTexts;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto read = [&](size_t piece) {
    std::string out;
    XmlTexts texts([&](const XmlTexts::Text& text) {
      if (text.name.size() > XmlTexts::kNameBytesMax + 1) std::abort();
      if (text.text.size() > XmlTexts::kTextBytesMax) std::abort();
      out.append(text.parent).append("\x01").append(text.name).append("\x01").append(text.text);
      out.append(text.cut ? "~" : "\x02");
    });
    for (size_t at = 0; at < bytes.size(); at += piece) texts.feed(bytes.substr(at, piece));
    return out;
  };
  if (read(1) != read(size + 1)) std::abort();
  return 0;
}
