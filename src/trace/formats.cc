#include "sidespan/trace/formats.h"

#include <algorithm>

#include "sidespan/base/text.h"

namespace sidespan::trace {
namespace {

constexpr size_t index_of(std::string_view format) {
  return static_cast<size_t>(std::ranges::find(kVendorFormats, format) - kVendorFormats.begin());
}

struct Row {
  std::string_view name;
  VendorField field;
  bool prefix = false;
};

constexpr auto kRows = std::to_array<Row>({
    {"b3", {index_of("b3"), false}},
    {"x-b3-", {index_of("b3multi"), false}, true},
    {"uber-trace-id", {index_of("jaeger"), false}},
    {"jaeger-debug-id", {index_of("jaeger"), false}},
    {"jaeger-baggage", {index_of("jaeger"), true}},
    {"uberctx-", {index_of("jaeger"), true}, true},
    {"x-datadog-", {index_of("datadog"), false}, true},
    {"x-amzn-trace-id", {index_of("xray"), false}},
    {"x-cloud-trace-context", {index_of("gcp"), false}},
    {"ot-tracer-", {index_of("ottrace"), false}, true},
    {"ot-baggage-", {index_of("ottrace"), true}, true},
    {"grpc-trace-bin", {index_of(kOpenCensus), false}},
});

static_assert(std::ranges::all_of(kRows, [](const Row& row) {
  return std::ranges::find(kVendorBeginnings, row.name.substr(0, 2)) != kVendorBeginnings.end();
}));

// Most fields begin otherwise, also "User-Agent" and "Origin": "x-" is frequent, and then the
// letter behind it says enough.
bool may_be_one(std::string_view name) {
  if (name.size() < 2) return false;
  const char second = text::to_lower(name[1]);
  switch (text::to_lower(name[0])) {
    case 'b':
      return name.size() == 2;
    case 'u':
      return second == 'b' && name.size() > 7;
    case 'j':
      return second == 'a' && name.size() > 7;
    case 'o':
      return second == 't' && name.size() > 7;
    case 'g':
      return name.size() == 14;
    case 'x':
      break;
    default:
      return false;
  }
  if (name.size() < 8 || second != '-') return false;
  const char third = text::to_lower(name[2]);
  return third == 'b' || third == 'd' || third == 'a' || third == 'c';
}

void remove_row(const Row& row, CarrierWriter& carrier) {
  if (row.prefix) {
    carrier.remove_prefix(row.name);
  } else {
    carrier.remove(row.name);
  }
}

}  // namespace

std::optional<VendorField> vendor_field(std::string_view name) {
  if (!may_be_one(name)) return std::nullopt;
  for (const Row& row : kRows) {
    if (row.prefix ? starts_with_ignoring_case(name, row.name)
                   : text::equal_ignoring_case(name, row.name)) {
      return row.field;
    }
  }
  return std::nullopt;
}

void remove_vendor_context(size_t format, CarrierWriter& carrier) {
  for (const Row& row : kRows) {
    if (row.field.format == format && !row.field.baggage) remove_row(row, carrier);
  }
}

void remove_vendor_baggage(size_t format, CarrierWriter& carrier) {
  for (const Row& row : kRows) {
    if (row.field.format == format && row.field.baggage) remove_row(row, carrier);
  }
}

}  // namespace sidespan::trace
