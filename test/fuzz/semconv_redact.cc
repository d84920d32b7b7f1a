// Any bytes as a query, a reference, a URL and a header name: after redaction no parameter that is
// a secret has a value, no user is told, redacting again changes nothing, and neither does
// redacting what has no secret. A header's name is told in any case of letters.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/semconv/redact.h"

using namespace sidespan;
using namespace sidespan::semconv;

namespace {

using Names = std::vector<std::string>;

void check_no_secret(std::string_view query, const Names& further) {
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find_first_of("&;"));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !is_secret_parameter(parameter.substr(0, equals), further)) {
      continue;
    }
    if (parameter.substr(equals + 1) != "REDACTED") std::abort();
  }
}

void check_query(std::string_view input, const Names& further) {
  std::string query;
  append_redacted_query(query, input, further);
  check_no_secret(query, further);
  std::string again;
  append_redacted_query(again, query, further);
  if (again != query) std::abort();
}

void check_url(std::string_view input, const Names& further) {
  const auto url = http::parse_url(input);
  if (!url) return;
  const std::string shown = redacted_url(*url, further);
  if (!has_secret(*url, further)) {
    const std::string plain =
        std::string(url->scheme) + "://" + url->authority.to_string() + url->path;
    if (shown != plain) std::abort();
  }
  const auto again = http::parse_url(shown);
  if (!again || redacted_url(*again, further) != shown) std::abort();
  if (again->userinfo != (url->userinfo.empty() ? "" : "REDACTED:REDACTED")) std::abort();
  check_no_secret(std::string_view(shown).substr(std::min(shown.find('?'), shown.size() - 1) + 1),
                  further);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const Names& further : {Names(), Names{"own"}}) {
    check_query(input, further);
    check_url(input, further);
  }
  const std::string location = redacted_field("Location", input, {});
  if (redacted_field("Location", location, {}) != location) std::abort();
  if (redacted_field("Accept", input, {}) != input) std::abort();
  if (is_secret_header(input) != is_secret_header(text::lower(input))) std::abort();
  return 0;
}
