// OpenCensus's binary format in gRPC's metadata (its BinaryEncoding, version 0): `grpc-trace-bin`,
// base64 of fields that each stand behind their number: trace id (0), span id (1), options (2).
#include <array>
#include <string>

#include "sidespan/trace/formats.h"
#include "trace/vendor.h"

namespace sidespan::trace {
namespace {

constexpr std::array<std::string_view, 1> kFields = {"grpc-trace-bin"};
constexpr char kVersion = 0;
constexpr char kTraceId = 0;
constexpr char kSpanId = 1;
constexpr char kOptions = 2;
constexpr size_t kTraceIdBytes = 16;
constexpr size_t kSpanIdBytes = 8;
// A value is base64 of 29 bytes; a few fields of a later day may stand behind.
constexpr size_t kTextBytesMax = 256;

uint64_t read_word(std::string_view bytes) {
  uint64_t word = 0;
  for (const char c : bytes.substr(0, sizeof word)) {
    word = word << 8U | static_cast<unsigned char>(c);
  }
  return word;
}

void append_word(std::string& out, uint64_t word) {
  for (unsigned shift = 64; shift > 0; shift -= 8) {
    out.push_back(static_cast<char>(word >> (shift - 8) & 0xffU));
  }
}

// The field of that number, which must be the next one; nothing: it is another or cut short.
std::optional<std::string_view> take(std::string_view& bytes, char number, size_t size) {
  if (bytes.size() < size + 1 || bytes.front() != number) return std::nullopt;
  const std::string_view field = bytes.substr(1, size);
  bytes.remove_prefix(size + 1);
  return field;
}

std::optional<SpanContext> parse(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kVersion) return std::nullopt;
  bytes.remove_prefix(1);
  const auto trace = take(bytes, kTraceId, kTraceIdBytes);
  const auto span = trace ? take(bytes, kSpanId, kSpanIdBytes) : std::nullopt;
  if (!span) return std::nullopt;
  const auto options = take(bytes, kOptions, 1);
  const bool sampled = options && (static_cast<unsigned char>(options->front()) & 1U) != 0;
  SpanContext context{{read_word(*trace), read_word(trace->substr(sizeof(uint64_t)))},
                      {read_word(*span)},
                      sampled ? kSampledFlag : uint8_t{0},
                      {}};
  if (!context.valid()) return std::nullopt;
  return context;
}

class OpenCensusPropagator final : public Propagator {
 public:
  std::string_view name() const override { return kOpenCensus; }

  bool extract(const CarrierReader& carrier, Context& context) const override {
    const std::string_view value = first_value(carrier, kFields[0]).value_or("");
    if (value.empty() || value.size() > kTextBytesMax) return false;
    const std::optional<std::string> bytes = text::from_base64(value);
    std::optional<SpanContext> found = bytes ? parse(*bytes) : std::nullopt;
    if (!found) return false;
    context.adopt(*std::move(found), name());
    return true;
  }

  void inject(const Context& context, Parts parts, CarrierWriter& carrier) const override {
    if (!parts.traceparent) return carrier.remove(kFields[0]);
    if (!context.span.valid()) return;
    std::string bytes{kVersion, kTraceId};
    append_word(bytes, context.span.trace_id.high);
    append_word(bytes, context.span.trace_id.low);
    bytes.push_back(kSpanId);
    append_word(bytes, context.span.span_id.value);
    bytes.push_back(kOptions);
    bytes.push_back(context.span.sampled() ? '\1' : '\0');
    carrier.set(kFields[0], text::base64(bytes));
  }

  std::span<const std::string_view> fields() const override { return kFields; }
};

}  // namespace

std::unique_ptr<const Propagator> make_opencensus() {
  return std::make_unique<OpenCensusPropagator>();
}

}  // namespace sidespan::trace
