// Any bytes as fields of a vendor's format, which the first byte chooses, alone or behind W3C's:
// what is read is valid, and what is written from it is printable, the format's own and read again
// as the same, in fields and in an environment; then it stays as it is. What is taken out of a head
// are all fields of the format, and none of another's.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/field_lines.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/formats.h"
#include "sidespan/trace/propagator.h"

using namespace sidespan;  // NOLINT(google-build-using-namespace)

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
constexpr trace::Parts kNoBaggage{true, true, false};  // no ids in it
constexpr trace::Parts kNothing{false, false, false};

Fields injected(const trace::Propagator& format, const trace::Context& context, trace::Parts parts,
                Fields fields = {}) {
  trace::PairWriter writer(fields);
  format.inject(context, parts, writer);
  return fields;
}

trace::Context extracted(const trace::Propagator& format, const Fields& fields) {
  trace::Context context;
  format.extract(trace::PairReader(fields), context);
  return context;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_printable(const Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (!is_printable(value)) std::abort();
  }
}

// Who writes no more than the lower half of a trace's id says it of that.
bool same_span(const trace::Context& one, const trace::Context& other) {
  return one.span.span_id == other.span.span_id &&
         one.span.trace_id.low == other.span.trace_id.low &&
         one.span.sampled() == other.span.sampled();
}

std::string upper(std::string text) {
  for (char& c : text) c = text::is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

void check_environment(const trace::Propagator& format, const trace::Context& context) {
  trace::EnvironmentCarrier environment;
  format.inject(context, {}, environment);
  const std::vector<std::string> entries = environment.entries();
  format.inject(context, {}, environment);
  if (environment.entries() != entries) std::abort();
  trace::Context again;
  format.extract(environment, again);
  const bool any = !injected(format, context, kNoBaggage).empty();
  if (any && !same_span(again, context)) std::abort();
  format.inject(context, kNothing, environment);
  if (!environment.entries().empty()) std::abort();
}

void check_names(const Fields& fields) {
  for (const auto& [name, value] : fields) {
    const auto of = trace::vendor_field(name);
    const auto of_upper = trace::vendor_field(upper(name));
    if (of.has_value() != of_upper.has_value()) std::abort();
    if (of && (of->format != of_upper->format || of->baggage != of_upper->baggage)) std::abort();
    const std::string variable = trace::EnvironmentCarrier::name_of(name);
    if (variable.size() > name.size() + 1) std::abort();
    if (!variable.empty() && text::is_digit(variable.front())) std::abort();
    for (const char c : variable) {
      if (!text::is_upper(c) && !text::is_digit(c) && c != '_') std::abort();
    }
  }
}

void check_removal(const Fields& fields, size_t format) {
  for (const bool baggage : {false, true}) {
    Fields left = fields;
    trace::PairWriter writer(left);
    baggage ? trace::remove_vendor_baggage(format, writer)
            : trace::remove_vendor_context(format, writer);
    auto next = left.begin();
    for (const auto& field : fields) {
      const bool stays = next != left.end() && *next == field;
      if (stays) ++next;
      const auto of = trace::vendor_field(field.first);
      const bool its = of && of->format == format && of->baggage == baggage;
      if (its ? stays : of && !stays) std::abort();
    }
    if (next != left.end()) std::abort();
  }
}

std::string_view first_value(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find_if(
      fields, [&](const auto& field) { return text::equal_ignoring_case(field.first, name); });
  return found == fields.end() ? std::string_view() : text::trim(found->second);
}

// A format's own in tracestate, whatever was received.
void check_member(const trace::Propagator& format, const trace::Context& context) {
  if (format.tracestate_key().empty()) return;
  trace::TraceState state;
  if (!state.set(format.tracestate_key(), format.tracestate_value(context))) std::abort();
}

// Datadog's tags and origin go on as they came.
void check_luggage(const Fields& fields, const Fields& sent) {
  const std::string_view origin = first_value(fields, "x-datadog-origin");
  const std::string_view tags = first_value(fields, "x-datadog-tags");
  constexpr size_t kHalfBytes = 27;  // ",_dd.p.tid=" and 16 digits
  if (origin.size() <= 128 && is_printable(origin)) {
    if (first_value(sent, "x-datadog-origin") != origin) std::abort();
  }
  if (tags.size() + kHalfBytes > 512 || !is_printable(tags)) return;
  for (const std::string_view tag : text::list_members(tags)) {
    const bool travels = tag.starts_with("_dd.p.") && tag.contains('=');
    if (!travels || tag.starts_with("_dd.p.tid=") || tag.starts_with("_dd.p.dm=")) continue;
    const auto all = text::list_members(first_value(sent, "x-datadog-tags"));
    if (std::ranges::find(all, tag) == all.end()) std::abort();
  }
}

// Of what one alone writes.
void check_settled(const trace::Propagator& format, const Fields& sent) {
  const trace::Context again = extracted(format, sent);
  if (!again.baggage.passes_as_received()) return;
  const Fields settled = injected(format, again, {});
  const bool same = std::ranges::equal(sent, settled, [](const auto& one, const auto& other) {
    return text::equal_ignoring_case(one.first, other.first) &&
           text::trim(one.second) == text::trim(other.second);
  });
  if (!same) std::abort();
}

const trace::CompositePropagator& behind_w3c(size_t format) {
  static const trace::PropagatorRegistry kRegistry;
  static const auto kAll = [] {
    std::vector<trace::CompositePropagator> all;
    for (const std::string_view name : trace::kVendorFormats) {
      const std::vector<std::string> names = {"tracecontext", "baggage", upper(std::string(name)),
                                              "nobody's", std::string(name)};
      all.emplace_back(kRegistry, names);
      if (all.back().unknown() != std::vector<std::string>{"nobody's"}) std::abort();
      if (!all.back().has(name) || all.back().is_w3c()) std::abort();
      if (std::ranges::count(kRegistry.names(), name) != 1) std::abort();
    }
    return all;
  }();
  return kAll[format];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const trace::PropagatorRegistry registry;
  if (size == 0) return 0;
  const size_t index = data[0] % trace::kVendorFormats.size();
  const bool alone = (data[0] & 0x40U) == 0;
  const trace::Propagator& vendor = *registry.find(trace::kVendorFormats[index]);
  const trace::Propagator& format = alone ? vendor : behind_w3c(index);
  const Fields fields =
      sidespan::testing::read_fields({reinterpret_cast<const char*>(data + 1), size - 1});
  check_names(fields);
  check_removal(fields, index);

  trace::Context received = extracted(format, fields);
  if (received.span.valid() != !received.extracted_by.empty()) std::abort();
  trace::Context twice = received;
  format.extract(trace::PairReader(fields), twice);
  if (twice.span.trace_id != received.span.trace_id || twice.asked != received.asked) std::abort();
  if (twice.kept.size() != received.kept.size()) std::abort();

  if (!received.span.valid()) received.span = {received.trace_hint, {7}, 1, {}};
  if (!received.span.valid()) return 0;
  const Fields sent = injected(format, received, kNoBaggage);
  check_printable(sent);
  for (const auto& [name, value] : injected(vendor, received, {})) {
    const auto of = trace::vendor_field(name);
    if (!of || of->format != index) std::abort();
  }
  const trace::Context again = extracted(format, sent);
  // Two formats know no trace whose lower half is zero, and nothing is sent then.
  if (sent.empty() ? received.span.trace_id.low != 0 : !same_span(again, received)) std::abort();
  check_environment(format, received);
  if (alone) {
    const Fields all = injected(format, received, {});
    check_printable(all);
    check_settled(format, all);
  } else {
    check_member(vendor, received);
  }
  if (received.extracted_by == "datadog") check_luggage(fields, sent);
  // Whoever may see nothing gets none of it, not even what the agent sent.
  const Fields nothing = injected(format, received, kNothing, fields);
  for (const auto& [name, value] : nothing) {
    for (const std::string_view field : format.fields()) {
      if (text::equal_ignoring_case(name, field)) std::abort();
    }
  }
  return 0;
}
