// Any bytes as a text with JSON in it: redacting again changes nothing, and what is JSON stays it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/json/members.h"
#include "sidespan/semconv/redact.h"

using namespace sidespan;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string once;
  semconv::append_redacted_members(once, input, {});
  std::string twice;
  semconv::append_redacted_members(twice, once, {});
  if (twice != once) std::abort();
  if (json::members_of(input) && !json::members_of(once)) std::abort();
  return 0;
}
