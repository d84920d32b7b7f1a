// The formats of trace context beside W3C's, by name, and whose field a header is: the proxy lets
// none pass that names another span than ours. What each looks like is in its file (b3.cc,
// jaeger.cc and so on), behind the Propagator that PropagatorRegistry has under that name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sidespan/trace/carrier.h"

namespace sidespan::trace {

// As OTEL_PROPAGATORS has them; Datadog's, Google's and OpenCensus's are no OpenTelemetry names.
inline constexpr std::string_view kOpenCensus = "opencensus";
inline constexpr std::array<std::string_view, 8> kVendorFormats = {
    "b3", "b3multi", "jaeger", "datadog", "xray", "gcp", "ottrace", kOpenCensus};

// A set of them, a bit each, in that order.
using VendorFormats = uint32_t;

struct VendorField {
  size_t format;  // in kVendorFormats
  bool baggage;   // the user's own pairs, no ids
};

// What the names of their fields begin with.
inline constexpr std::array<std::string_view, 6> kVendorBeginnings = {"b3", "x-", "ub",
                                                                      "ja", "ot", "gr"};
// Whose that name is, in any case; nothing: none of theirs. Costs little for most names.
std::optional<VendorField> vendor_field(std::string_view name);

// Removes a format's fields with ids in them, and those with baggage.
void remove_vendor_context(size_t format, CarrierWriter& carrier);
void remove_vendor_baggage(size_t format, CarrierWriter& carrier);

}  // namespace sidespan::trace
