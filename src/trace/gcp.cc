// Google Cloud's older header (Cloud Trace documentation): `X-Cloud-Trace-Context:
// 32hex/DECIMAL;o=1`. Span 0, or none, is a trace without a parent.
#include <array>
#include <string>

#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 1> kFields = {"x-cloud-trace-context"};
constexpr std::string_view kOption = "o=";
constexpr uint64_t kTraced = 1;

struct Gcp {
  TraceId trace;
  uint64_t span = 0;
  Asked asked = Asked::kUndecided;
};

std::optional<Gcp> parse(std::string_view value) {
  const size_t semicolon = value.find(';');
  const std::string_view ids = value.substr(0, semicolon);
  const size_t slash = ids.find('/');
  if (slash != std::string_view::npos && slash != 32) return std::nullopt;
  const std::string_view digits = ids.substr(0, slash);
  const std::optional<TraceId> trace =
      digits.size() == 32 ? parse_trace_id(digits, true) : std::nullopt;
  if (!trace) return std::nullopt;
  Gcp found{*trace};
  if (slash != std::string_view::npos) {
    const auto span = text::parse_unsigned(ids.substr(slash + 1));
    if (!span) return std::nullopt;
    found.span = *span;
  }
  if (semicolon == std::string_view::npos) return found;
  const std::string_view option = text::trim(value.substr(semicolon + 1));
  if (!option.starts_with(kOption)) return found;
  if (const auto bits = text::parse_unsigned(option.substr(kOption.size()))) {
    found.asked = (*bits & kTraced) != 0 ? Asked::kKeep : Asked::kDrop;
  }
  return found;
}

class GcpPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "gcp"; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const auto value = first_value(carrier, kFields[0]);
    const std::optional<Gcp> found = value ? parse(*value) : std::nullopt;
    if (!found) return false;
    if (found->span == 0) {
      context.hint(found->asked, found->trace);
      return false;
    }
    const uint8_t flags = found->asked == Asked::kKeep ? kSampledFlag : 0;
    context.adopt({found->trace, {found->span}, flags, {}}, name());
    if (found->asked == Asked::kUndecided) context.asked = Asked::kUndecided;
    return true;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) return carrier.remove(kFields[0]);
    if (!context.span.valid()) return;
    std::string value;
    append_id(value, context.span.trace_id);
    value.append("/").append(std::to_string(context.span.span_id.value));
    value.append(context.span.sampled() ? ";o=1" : ";o=0");
    carrier.set(kFields[0], value);
  }

  std::span<const std::string_view> fields() const override { return kFields; }
};

}  // namespace

std::unique_ptr<const Propagator> make_gcp() {
  return std::make_unique<GcpPropagator>();
}

}  // namespace sidespan::trace
