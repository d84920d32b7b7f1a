// Two lines, Authorization and the path, then a line "name:value" for each field of the request and
// for what is to be written into it: what is signed stays as it was, however it is written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "../support/field_lines.h"
#include "proxy/signed_request.h"
#include "sidespan/base/text.h"

using namespace sidespan;

namespace {

std::vector<std::string> values_of(const http::Headers& headers, std::string_view name) {
  std::vector<std::string> values;
  headers.for_each(name, [&](std::string_view value) { values.emplace_back(value); });
  return values;
}

// How many begin so.
size_t count_of(const http::Headers& headers, std::string_view prefix) {
  size_t lines = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    lines += trace::starts_with_ignoring_case(headers.at(i).name, prefix) ? 1 : 0;
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const std::string_view authorization = text::split_first(rest, '\n');
  const std::string_view path = rest ? text::split_first(rest, '\n') : std::string_view();
  const proxy::SignedFields covered(authorization, path);
  const bool may_be = proxy::SignedFields::may_be(authorization, path.contains('?'));
  if (covered && !may_be) std::abort();

  std::vector<http::Field> lines;
  http::Headers before;
  testing::for_each_field(rest, [&](auto name, auto value) {
    if (!before.add(name, value)) return;
    lines.push_back({name, value});
    if (covered.covers(name) != covered.covers(text::lower(name))) std::abort();
    if (covered.covers(name) && !covered) std::abort();
  });
  http::Headers after = before;
  proxy::SignedWriter writer(after, covered);
  for (const auto& [name, value] : lines) {
    const std::string further = std::string(value) + "1";
    const std::string_view two[] = {further, value};
    switch (further.size() % 5) {
      case 0:
        writer.set_lines(name, two);
        break;
      case 1:
        writer.remove(name);
        break;
      case 2:
        writer.remove_prefix(name.substr(0, 1 + name.size() / 2));
        break;
      default:
        writer.set(name, further);
    }
    writer.set("x-amz-" + std::string(name), value);
  }
  if (!lines.empty() && !writer.blocked()) std::abort();
  for (const auto& [name, value] : lines) {
    if (!covered.covers(name)) continue;
    if (values_of(after, name) != values_of(before, name)) std::abort();
  }
  if (count_of(after, "x-amz-") > count_of(before, "x-amz-")) std::abort();
  return 0;
}
