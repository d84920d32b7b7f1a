#include "foreign_context.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

constexpr std::string_view kB3 = "b3";
constexpr std::string_view kNotSampled = "0";

constexpr semconv::FieldBeginnings kVendorBeginnings = [] {
  semconv::FieldBeginnings all;
  for (const std::string_view beginning : trace::kVendorBeginnings) all.see(beginning);
  return all;
}();

trace::VendorFormats bit_of_format(size_t format) {
  return trace::VendorFormats{1} << format;
}

void inject_in(std::string_view format, const OtherFormats& others, const trace::Context& context,
               trace::Parts parts, trace::CarrierWriter& writer) {
  if (others.registry == nullptr) return;
  const trace::Propagator* const propagator = others.registry->find(format);
  if (propagator != nullptr) propagator->inject(context, parts, writer);
}

void settle_w3c(const OtherFormats& others, const trace::Context& context, trace::Parts parts,
                bool ours, trace::CarrierWriter& writer) {
  const bool stale = ours && !others.injects_w3c;
  const bool gone = stale && others.policy == OtherFormats::Policy::kRemove;
  if (stale && others.policy == OtherFormats::Policy::kRewrite) {
    inject_in("tracecontext", others, context, parts, writer);
  }
  if (gone || !parts.traceparent) writer.remove(trace::kTraceparentField);
  if (gone || !parts.traceparent || !parts.tracestate) writer.remove(trace::kTracestateField);
  if (!parts.baggage) writer.remove(trace::kBaggageField);
}

}  // namespace

ForeignContext::ForeignContext(const http::Headers& headers) {
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers.line(i).known == http::FieldName::kOther) beginnings_.see(headers.at(i).name);
  }
  if (beginnings_.may_have_any(kVendorBeginnings)) look_at(headers);
}

void ForeignContext::look_at(const http::Headers& headers) {
  std::string_view single;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (headers.line(i).known != http::FieldName::kOther) continue;
    const http::Field field = headers.at(i);
    const auto found = trace::vendor_field(field.name);
    if (!found) continue;
    (found->baggage ? baggage_ : contexts_) |= bit_of_format(found->format);
    if (field.name.size() == kB3.size()) single = field.value;
  }
  denies_ = single == kNotSampled;
}

bool ForeignContext::has(std::string_view format) const {
  const auto* const found = std::ranges::find(trace::kVendorFormats, format);
  return (contexts_ & bit_of_format(static_cast<size_t>(found - trace::kVendorFormats.begin()))) !=
         0;
}

void ForeignContext::settle(const OtherFormats& others, const trace::Context& context,
                            trace::Parts parts, bool some_baggage, bool ours,
                            trace::CarrierWriter& writer) const {
  settle_w3c(others, context, parts, ours, writer);
  for (const trace::Propagator* propagator : others.custom) {
    const bool stale = ours && others.policy != OtherFormats::Policy::kKeep;
    if (!parts.traceparent || stale) propagator->inject({}, {false, false, false}, writer);
  }
  const trace::VendorFormats seen = contexts_ | baggage_;
  for (trace::VendorFormats rest = seen & ~others.injected; rest != 0; rest &= rest - 1) {
    const auto format = static_cast<size_t>(std::countr_zero(rest));
    const bool has_context = (contexts_ & bit_of_format(format)) != 0;
    const bool stale = ours && has_context && others.policy == OtherFormats::Policy::kRemove;
    if (ours && has_context && parts.traceparent &&
        others.policy == OtherFormats::Policy::kRewrite) {
      inject_in(trace::kVendorFormats[format], others, context, parts, writer);
    } else if (has_context && (stale || !parts.traceparent)) {
      // That one names no span, and the next hop shall obey it, too.
      const bool denial = denies_ && trace::kVendorFormats[format] == kB3;
      if (!denial) trace::remove_vendor_context(format, writer);
    }
  }
  // The user's own pairs obey the destination in every format. What an injected one wrote has been
  // chosen key by key.
  for (trace::VendorFormats rest = baggage_; rest != 0; rest &= rest - 1) {
    const auto format = static_cast<size_t>(std::countr_zero(rest));
    const bool written = ours && (others.injected & bit_of_format(format)) != 0;
    if (!parts.baggage || (some_baggage && !written)) trace::remove_vendor_baggage(format, writer);
  }
}

}  // namespace sidespan::proxy
