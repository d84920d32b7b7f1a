#include "sidespan/semconv/body_reader.h"

#include <algorithm>
#include <array>

#include "semconv/body_framing.h"
#include "sidespan/base/spares.h"
#include "sidespan/base/text.h"
#include "sidespan/http/message.h"

namespace sidespan::semconv {
namespace {

constexpr std::array<std::string_view, 7> kLineTypes = {
    "application/x-ndjson",     "application/ndjson",    "application/jsonl",
    "application/x-jsonl",      "application/jsonlines", "application/stream+json",
    "application/x-json-stream"};

bool ends_with_json(std::string_view type) {
  constexpr std::string_view kSuffix = "+json";
  return type.size() > kSuffix.size() &&
         text::equal_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix);
}

}  // namespace

std::optional<BodyFraming> framing_of(std::string_view content_type) {
  const std::string_view type = http::media_type(content_type);
  const auto is = [&](std::string_view name) { return text::equal_ignoring_case(type, name); };
  if (is("application/json")) return BodyFraming::kJson;  // nearly always
  const char first = type.empty() ? '\0' : text::to_lower(type.front());
  if (first == 'a' || first == 't') {
    if (is("text/event-stream")) return BodyFraming::kEvents;
    if (is("application/vnd.amazon.eventstream")) return BodyFraming::kMessages;
    if (std::ranges::any_of(kLineTypes, is)) return BodyFraming::kLines;
    if (is("text/json")) return BodyFraming::kJson;
  }
  return ends_with_json(type) ? std::optional(BodyFraming::kJson) : std::nullopt;
}

struct BodyReader::Impl final : Recycled<Impl, 32>, http::PlainSink {
  Impl(BodyFraming framing, const http::Codings& codings, const BodyLimits& limits, BodySink& sink)
      : plain_bytes_left(limits.plain_bytes_max), framer(make_framer(framing, limits.json, sink)) {
    if (codings.count == 0) return;
    http::InflateLimits inflate = limits.inflate;
    inflate.plain_bytes_max = limits.plain_bytes_max;
    inflater.emplace(codings, inflate, *this);
  }

  void on_plain(std::string_view part) override {
    if (state != State::kReading) return;
    const bool too_long = part.size() > plain_bytes_left;
    part = part.substr(0, plain_bytes_left);
    plain_bytes_left -= part.size();
    framer->feed(part);
    if (framer->broken()) {
      stop(State::kBroken);
    } else if (too_long) {
      stop(State::kLimit);
    }
  }

  void stop(State reason) {
    state = reason;
    framer->finish(false);
  }

  State state = State::kReading;
  uint64_t plain_bytes_left;
  std::unique_ptr<Framer> framer;
  std::optional<http::Inflater> inflater;
};

BodyReader::BodyReader(BodyFraming framing, const http::Codings& codings, const BodyLimits& limits,
                       BodySink& sink)
    : impl_(std::make_unique<Impl>(framing, codings, limits, sink)) {}

BodyReader::~BodyReader() = default;

void BodyReader::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  if (!impl.inflater) return impl.on_plain(bytes);
  // What was decoded in another turn may have ended it.
  if (impl.state == State::kReading) impl.inflater->feed(bytes);
  if (impl.state == State::kReading) {
    using Inflated = http::Inflater::State;
    if (impl.inflater->state() == Inflated::kBroken) impl.stop(State::kBroken);
    if (impl.inflater->state() == Inflated::kLimit) impl.stop(State::kLimit);
  }
  // What it holds is of use to others; this is not in a call of its own.
  if (impl.state != State::kReading) impl.inflater.reset();
}

void BodyReader::finish(bool clean) {
  if (impl_->state != State::kReading) return;
  impl_->framer->finish(clean && (!impl_->inflater || impl_->inflater->complete()));
}

BodyReader::State BodyReader::state() const {
  return impl_->state;
}

bool BodyReader::has_event_ids() const {
  return impl_->framer->has_event_ids();
}

std::unique_ptr<BodyReader> make_body_reader(const http::Headers& headers, const BodyLimits& limits,
                                             BodySink& sink, std::optional<BodyFraming> framing) {
  if (!framing) framing = framing_of(headers.find(http::FieldName::kContentType).value_or(""));
  const std::optional<http::Codings> codings =
      http::parse_codings(headers.find(http::FieldName::kContentEncoding).value_or(""));
  if (!framing || !codings) return nullptr;
  return std::make_unique<BodyReader>(*framing, *codings, limits, sink);
}

}  // namespace sidespan::semconv
