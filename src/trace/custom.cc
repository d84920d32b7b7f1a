#include "sidespan/trace/custom.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

enum class Part : uint8_t {
  kText,
  kTraceId,
  kTraceId64,
  kTraceIdDecimal,
  kSpanId,
  kSpanIdDecimal,
  kSampled
};

constexpr std::array<std::pair<std::string_view, Part>, 6> kNames = {{
    {"trace_id", Part::kTraceId},
    {"trace_id_64", Part::kTraceId64},
    {"trace_id_decimal", Part::kTraceIdDecimal},
    {"span_id", Part::kSpanId},
    {"span_id_decimal", Part::kSpanIdDecimal},
    {"sampled", Part::kSampled},
}};

struct Piece {
  Part part = Part::kText;
  std::string text;
};

bool is_trace_id(const Piece& piece) {
  return piece.part == Part::kTraceId || piece.part == Part::kTraceId64 ||
         piece.part == Part::kTraceIdDecimal;
}
bool is_span_id(const Piece& piece) {
  return piece.part == Part::kSpanId || piece.part == Part::kSpanIdDecimal;
}
bool is_sampled(const Piece& piece) {
  return piece.part == Part::kSampled;
}
bool is_decimal(const Piece& piece) {
  return piece.part == Part::kTraceIdDecimal || piece.part == Part::kSpanIdDecimal;
}

std::unexpected<Error> invalid(std::string what) {
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

Result<std::vector<Piece>> parse_pattern(std::string_view pattern) {
  std::vector<Piece> pieces;
  while (!pattern.empty()) {
    const size_t open = pattern.find('{');
    if (open != 0) {
      pieces.push_back({Part::kText, std::string(pattern.substr(0, open))});
      pattern.remove_prefix(std::min(open, pattern.size()));
      continue;
    }
    const size_t close = pattern.find('}');
    const std::string_view name =
        close == std::string_view::npos ? pattern.substr(1) : pattern.substr(1, close - 1);
    const auto known = std::ranges::find(kNames, name, &std::pair<std::string_view, Part>::first);
    if (close == std::string_view::npos || known == kNames.end()) {
      return invalid("{" + std::string(name) +
                     "} is not one of {trace_id}, {trace_id_64}, {trace_id_decimal}, {span_id}, "
                     "{span_id_decimal}, {sampled}");
    }
    pieces.push_back({known->second, {}});
    pattern.remove_prefix(close + 1);
  }
  return pieces;
}

// Why a value could not be read back; empty: it can.
std::string fault_of(const std::vector<Piece>& pieces) {
  if (std::ranges::count_if(pieces, is_trace_id) != 1) return "one trace id is needed";
  if (std::ranges::count_if(pieces, is_span_id) != 1) return "one span id is needed";
  if (std::ranges::count_if(pieces, is_sampled) > 1) return "{sampled} stands there twice";
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    const Piece& next = pieces[i + 1];
    const bool digits = next.part != Part::kText || text::is_digit(next.text.front());
    if (is_decimal(pieces[i]) && digits) return "nothing tells where a decimal id ends";
  }
  return "";
}

// Takes the piece from the front of `rest` and notes what it says.
bool take(const Piece& piece, std::string_view& rest, SpanContext& span,
          std::optional<bool>& sampled) {
  size_t size = piece.text.size();
  if (piece.part == Part::kTraceId) size = 32;
  if (piece.part == Part::kTraceId64 || piece.part == Part::kSpanId) size = 16;
  if (piece.part == Part::kSampled) size = 1;
  if (is_decimal(piece)) {
    size = static_cast<size_t>(std::ranges::find_if_not(rest, text::is_digit) - rest.begin());
  }
  if (rest.size() < size) return false;
  const std::string_view found = rest.substr(0, size);
  rest.remove_prefix(size);
  switch (piece.part) {
    case Part::kText:
      return found == piece.text;
    case Part::kTraceId:
    case Part::kTraceId64:
      span.trace_id = parse_trace_id(found, true).value_or(TraceId{});
      return static_cast<bool>(span.trace_id);
    case Part::kTraceIdDecimal:
      span.trace_id.low = text::parse_unsigned(found).value_or(0);
      return static_cast<bool>(span.trace_id);
    case Part::kSpanId:
      span.span_id = parse_span_id(found, true).value_or(SpanId{});
      return static_cast<bool>(span.span_id);
    case Part::kSpanIdDecimal:
      span.span_id.value = text::parse_unsigned(found).value_or(0);
      return static_cast<bool>(span.span_id);
    case Part::kSampled:
      sampled = found == "1";
      return found == "1" || found == "0";
  }
  return false;
}

void append(std::string& out, const Piece& piece, const SpanContext& span) {
  switch (piece.part) {
    case Part::kText:
      out.append(piece.text);
      break;
    case Part::kTraceId:
      append_id(out, span.trace_id);
      break;
    case Part::kTraceId64:
      append_hex_word(out, span.trace_id.low);
      break;
    case Part::kTraceIdDecimal:
      out.append(std::to_string(span.trace_id.low));
      break;
    case Part::kSpanId:
      append_hex_word(out, span.span_id.value);
      break;
    case Part::kSpanIdDecimal:
      out.append(std::to_string(span.span_id.value));
      break;
    case Part::kSampled:
      out.push_back(span.sampled() ? '1' : '0');
      break;
  }
}

class CustomPropagator final : public Propagator {
 public:
  CustomPropagator(std::string name, std::string header, std::vector<Piece> pieces)
      : name_(std::move(name)),
        header_(text::lower(header)),
        written_(std::move(header)),
        pieces_(std::move(pieces)),
        field_(header_) {}

  std::string_view name() const override { return name_; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const auto value = first_value(carrier, header_);
    if (!value) return false;
    std::string_view rest = *value;
    SpanContext span;
    std::optional<bool> sampled;
    for (const Piece& piece : pieces_) {
      if (!take(piece, rest, span, sampled)) return false;
    }
    if (!rest.empty()) return false;
    span.flags = sampled.value_or(false) ? kSampledFlag : 0;
    context.adopt(std::move(span), name_);
    if (!sampled) context.asked = Asked::kUndecided;
    return true;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) return carrier.remove(header_);
    if (!context.span.valid()) return;
    std::string value;
    for (const Piece& piece : pieces_) append(value, piece, context.span);
    carrier.set(written_, value);
  }

  std::span<const std::string_view> fields() const override { return {&field_, 1}; }

 private:
  std::string name_;
  std::string header_;
  std::string written_;  // in the user's case
  std::vector<Piece> pieces_;
  std::string_view field_;
};

}  // namespace

Result<std::unique_ptr<const Propagator>> make_custom_propagator(std::string name,
                                                                 std::string header,
                                                                 std::string_view pattern) {
  if (!text::is_token(name)) return invalid("'" + name + "' is no name of a format");
  if (!text::is_token(header)) return invalid("'" + header + "' is no name of a header");
  if (!is_printable(pattern) || pattern != text::trim(pattern)) {
    return invalid("the value is more than printable ASCII");
  }
  Result<std::vector<Piece>> pieces = parse_pattern(pattern);
  if (!pieces) return std::unexpected(std::move(pieces).error());
  if (std::string fault = fault_of(*pieces); !fault.empty()) return invalid(std::move(fault));
  return std::make_unique<const CustomPropagator>(std::move(name), std::move(header),
                                                  *std::move(pieces));
}

}  // namespace sidespan::trace
