// Datadog's headers, as its tracers write them: decimal ids of 64 bits, the upper half of a trace
// id as the tag `_dd.p.tid`, a priority instead of a flag. Beside W3C's headers the same travels in
// the tracestate member `dd`.
#include <algorithm>
#include <array>
#include <string>

#include "trace/split.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 5> kFields = {"x-datadog-trace-id", "x-datadog-parent-id",
                                                     "x-datadog-sampling-priority",
                                                     "x-datadog-origin", "x-datadog-tags"};
constexpr std::string_view kTraceId = kFields[0];
constexpr std::string_view kParentId = kFields[1];
constexpr std::string_view kPriority = kFields[2];
constexpr std::string_view kOrigin = kFields[3];
constexpr std::string_view kTags = kFields[4];

constexpr std::string_view kTagPrefix = "_dd.p.";
constexpr std::string_view kUpperHalf = "_dd.p.tid";
constexpr std::string_view kDecisionMaker = "_dd.p.dm";
constexpr size_t kTagsBytesMax = 512;    // what the tracers send at most
constexpr size_t kMemberBytesMax = 256;  // of `dd`, by tracestate's own grammar
constexpr size_t kOriginBytesMax = 128;

// -1 and 0 drop, 1 and 2 keep; which of the two is for the backend.
std::optional<bool> keeps(std::string_view priority) {
  const bool negative = priority.starts_with('-');
  const auto value = text::parse_unsigned(priority.substr(negative ? 1 : 0), INT32_MAX);
  if (!value) return std::nullopt;
  return !negative && *value > 0;
}

// `visit(tag, key, value)` for each tag that may travel.
template <class Visit>
void visit_tags(std::string_view tags, Visit&& visit) {
  std::string_view part;
  for (Split parts(tags, ','); parts.next(part);) {
    const std::string_view tag = text::trim(part);
    const size_t equals = tag.find('=');
    if (equals == std::string_view::npos || !tag.starts_with(kTagPrefix)) continue;
    visit(tag, tag.substr(0, equals), tag.substr(equals + 1));
  }
}

void append_tag(std::string& tags, std::string_view tag) {
  if (!tags.empty()) tags.push_back(',');
  tags.append(tag);
}

// What beside ids travels with a Datadog trace.
struct Luggage {
  std::string priority;
  std::string origin;
  std::string tags;  // without the trace id's half
};

std::string replaced(std::string_view text, char from, char to) {
  std::string result(text);
  std::ranges::replace(result, from, to);
  return result;
}

// s:PRIORITY;p:SPAN;o:ORIGIN;t.TAG:VALUE with "~" for "="
Luggage parse_member(std::string_view member) {
  Luggage luggage;
  std::string_view field;
  for (Split fields(member, ';'); fields.next(field);) {
    if (field.starts_with("s:")) luggage.priority = field.substr(2);
    if (field.starts_with("o:")) luggage.origin = replaced(field.substr(2), '~', '=');
    const size_t colon = field.find(':');
    if (!field.starts_with("t.") || colon == std::string_view::npos) continue;
    const std::string_view key = field.substr(2, colon - 2);
    if (key.empty() || key == kUpperHalf.substr(kTagPrefix.size())) continue;
    append_tag(luggage.tags, std::string(kTagPrefix)
                                 .append(key)
                                 .append("=")
                                 .append(replaced(field.substr(colon + 1), '~', '=')));
  }
  return luggage;
}

// As received, in Datadog's own headers or beside W3C's, and made to agree with what was decided.
Luggage luggage_of(const Context& context) {
  Luggage luggage{std::string(context.find_kept(kPriority)),
                  std::string(context.find_kept(kOrigin)), std::string(context.find_kept(kTags))};
  const bool received =
      !luggage.priority.empty() || !luggage.origin.empty() || !luggage.tags.empty();
  if (!received && !context.span.tracestate.empty()) {
    if (const auto member = context.span.tracestate.get("dd")) luggage = parse_member(*member);
  }
  const bool sampled = context.span.sampled();
  if (keeps(luggage.priority) == sampled) return luggage;
  luggage.priority = sampled ? "1" : "0";
  std::string tags;
  visit_tags(luggage.tags, [&](std::string_view tag, std::string_view key, std::string_view) {
    if (key != kDecisionMaker) append_tag(tags, tag);
  });
  luggage.tags = std::move(tags);
  return luggage;
}

class DatadogPropagator final : public Propagator {
 public:
  std::string_view name() const override { return "datadog"; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const auto trace_text = first_value(carrier, kTraceId);
    if (!trace_text) return false;
    const auto low = text::parse_unsigned(*trace_text);
    const auto parent = text::parse_unsigned(first_value(carrier, kParentId).value_or(""));
    if (low.value_or(0) == 0 || !parent) return false;
    const std::string_view origin = first_value(carrier, kOrigin).value_or("");
    const std::string_view priority = first_value(carrier, kPriority).value_or("");
    const std::optional<bool> kept = keeps(priority);
    TraceId trace{0, *low};
    std::string tags;
    read_tags(first_value(carrier, kTags).value_or(""), trace, tags);
    if (*parent == 0) {
      // A browser test starts a trace without a span of its own.
      if (origin.empty() || context.span.valid()) return false;
      context.hint(!kept ? Asked::kNothing : *kept ? Asked::kKeep : Asked::kDrop, trace);
    } else {
      const uint8_t flags = kept.value_or(false) ? kSampledFlag : 0;
      context.adopt({trace, {*parent}, flags, {}}, name());
      if (!kept) context.asked = Asked::kUndecided;
    }
    if (kept) context.keep(kPriority, priority);
    if (origin.size() <= kOriginBytesMax && is_printable(origin) && !origin.empty()) {
      context.keep(kOrigin, origin);
    }
    if (!tags.empty()) context.keep(kTags, tags);
    return *parent != 0;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    const SpanContext& span = context.span;
    // A trace whose lower half is zero is none here.
    if (!parts.traceparent || (span.valid() && span.trace_id.low == 0)) {
      for (const std::string_view field : kFields) carrier.remove(field);
      return;
    }
    if (!span.valid()) return;
    Luggage luggage = luggage_of(context);
    if (!parts.tracestate) luggage.tags.clear();
    if (span.trace_id.high != 0) {
      std::string half(kUpperHalf);
      half.push_back('=');
      append_hex_word(half, span.trace_id.high);
      if (luggage.tags.size() + half.size() + 1 > kTagsBytesMax) luggage.tags.clear();
      append_tag(luggage.tags, half);
    }
    carrier.set(kTraceId, std::to_string(span.trace_id.low));
    carrier.set(kParentId, std::to_string(span.span_id.value));
    carrier.set(kPriority, luggage.priority);
    // What a sender put beside the ids is in W3C's form the `dd` of tracestate.
    if (!parts.tracestate) luggage.origin.clear();
    set_or_remove(kOrigin, luggage.origin, carrier);
    set_or_remove(kTags, luggage.tags, carrier);
  }

  std::span<const std::string_view> fields() const override { return kFields; }
  std::string_view tracestate_key() const override { return "dd"; }

  std::string tracestate_value(const Context& context) const override {
    const Luggage luggage = luggage_of(context);
    std::string member = "s:" + luggage.priority + ";p:";
    append_hex_word(member, context.span.span_id.value);
    const auto append = [&](std::string_view key, std::string_view value) {
      std::string field(";");
      field.append(key).append(":").append(replaced(value, '=', '~'));
      const bool fits = member.size() + field.size() <= kMemberBytesMax;
      const bool clean = field.find_first_of(",;", 1) == std::string::npos && is_printable(field);
      if (fits && clean && field.back() != ' ') member.append(field);
    };
    if (!luggage.origin.empty()) append("o", luggage.origin);
    visit_tags(luggage.tags, [&](std::string_view, std::string_view key, std::string_view value) {
      append("t." + std::string(key.substr(kTagPrefix.size())), value);
    });
    return member;
  }

 private:
  // Fills in the upper half and keeps what travels on.
  static void read_tags(std::string_view text, TraceId& trace, std::string& tags) {
    if (text.size() > kTagsBytesMax || !is_printable(text)) return;
    visit_tags(text, [&](std::string_view tag, std::string_view key, std::string_view value) {
      if (key != kUpperHalf) return append_tag(tags, tag);
      if (value.size() == 16) trace.high = text::parse_hex(value, true).value_or(0);
    });
  }

  static void set_or_remove(std::string_view field, std::string_view value,
                            CarrierWriter& carrier) {
    if (value.empty()) {
      carrier.remove(field);
    } else {
      carrier.set(field, value);
    }
  }
};

}  // namespace

std::unique_ptr<const Propagator> make_datadog() {
  return std::make_unique<DatadogPropagator>();
}

}  // namespace sidespan::trace
