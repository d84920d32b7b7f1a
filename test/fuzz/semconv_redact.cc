// Any bytes as a query, a reference and a header name: after redaction no parameter that is a
// secret has a value, and redacting again changes nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sidespan/semconv/redact.h"

using namespace sidespan::semconv;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string query;
  append_redacted_query(query, input);
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view parameter = rest.substr(0, rest.find_first_of("&;"));
    rest.remove_prefix(std::min(parameter.size() + 1, rest.size()));
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !is_secret_parameter(parameter.substr(0, equals)))
      continue;
    if (parameter.substr(equals + 1) != "REDACTED") std::abort();
  }
  std::string again;
  append_redacted_query(again, query);
  if (again != query) std::abort();
  const std::string location = redacted_field("Location", input);
  if (redacted_field("Location", location) != location) std::abort();
  if (redacted_field("Accept", input) != input) std::abort();
  is_secret_header(input);
  return 0;
}
