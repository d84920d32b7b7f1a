// AWS X-Ray's header (X-Ray developer guide, "tracing header"): `X-Amzn-Trace-Id:
// Root=1-8hex-24hex;Parent=16hex;Sampled=1` in any order. What else is in it is a load balancer's,
// Lambda's or the user's, and goes on.
#include <array>
#include <string>

#include "trace/split.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 1> kFields = {"x-amzn-trace-id"};
constexpr size_t kOthersBytesMax = 512;

struct XRay {
  std::optional<TraceId> root;
  std::optional<SpanId> parent;
  bool has_parent = false;
  Asked asked = Asked::kUndecided;
  std::string others;
};

// 1-8hex-24hex
std::optional<TraceId> parse_root(std::string_view text) {
  if (text.size() != 35 || !text.starts_with("1-") || text[10] != '-') return std::nullopt;
  std::string digits(text.substr(2, 8));
  digits.append(text.substr(11));
  return parse_trace_id(digits, true);
}

XRay parse(std::string_view value) {
  XRay found;
  std::string_view part;
  for (Split parts(value, ';'); parts.next(part);) {
    const std::string_view field = text::trim(part);
    const size_t equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = field.substr(0, equals);
    const std::string_view text = field.substr(equals + 1);
    if (key == "Root") {
      found.root = parse_root(text);
    } else if (key == "Parent") {
      found.has_parent = true;
      if (text.size() == 16) found.parent = parse_span_id(text, true);
    } else if (key == "Sampled") {
      found.asked = text == "1" ? Asked::kKeep : text == "0" ? Asked::kDrop : Asked::kUndecided;
    } else if (found.others.size() + field.size() < kOthersBytesMax && is_printable(field)) {
      found.others.append(";").append(field);
    }
  }
  return found;
}

class XRayPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "xray"; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const auto value = first_value(carrier, kFields[0]);
    if (!value) return false;
    const XRay found = parse(*value);
    if (!found.root || (found.has_parent && !found.parent)) return false;
    if (found.parent) {
      const uint8_t flags = found.asked == Asked::kKeep ? kSampledFlag : 0;
      context.adopt({*found.root, *found.parent, flags, {}}, name());
      if (found.asked == Asked::kUndecided) context.asked = Asked::kUndecided;
    } else {
      // A load balancer begins traces and makes no spans.
      if (context.span.valid()) return false;
      context.hint(found.asked, *found.root);
    }
    if (!found.others.empty()) context.keep(kFields[0], found.others);
    return found.parent.has_value();
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) return carrier.remove(kFields[0]);
    if (!context.span.valid()) return;
    // They are to it what tracestate is to W3C's form.
    const std::string_view others =
        parts.tracestate ? context.find_kept(kFields[0]) : std::string_view();
    std::string id;
    append_id(id, context.span.trace_id);
    std::string value = "Root=1-";
    value.reserve(80 + others.size());
    value.append(id, 0, 8).append("-").append(id, 8).append(";Parent=");
    append_hex_word(value, context.span.span_id.value);
    value.append(context.span.sampled() ? ";Sampled=1" : ";Sampled=0").append(others);
    carrier.set(kFields[0], value);
  }

  std::span<const std::string_view> fields() const override { return kFields; }
};

}  // namespace

std::unique_ptr<const Propagator> make_xray() {
  return std::make_unique<XRayPropagator>();
}

}  // namespace sidespan::trace
