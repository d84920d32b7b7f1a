#include "sidespan/otlp/decode.h"

#include <algorithm>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

#include "otlp/fields.h"
#include "sidespan/base/text.h"

namespace sidespan::otlp {
namespace {

using protozero::pbf_reader;

// What is kept of a message, which ends up in a log line.
constexpr size_t kMessageBytesMax = 1024;

constexpr uint32_t length_delimited(Tag tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::length_delimited);
}

std::string kept(std::string_view message) {
  return text::to_valid_utf8(std::string(message.substr(0, kMessageBytesMax)));
}

void read_partial_success(pbf_reader reader, ExportResponse& response) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case protozero::tag_and_type(partial_success_field::kRejectedSpans, pbf_wire_type::varint):
        response.rejected_spans = std::max<int64_t>(reader.get_int64(), 0);
        break;
      case length_delimited(partial_success_field::kErrorMessage): {
        const protozero::data_view message = reader.get_view();
        response.message = kept({message.data(), message.size()});
        break;
      }
      default:
        reader.skip();
    }
  }
}

Milliseconds read_duration(pbf_reader reader) {
  // Whoever says more than a year means never.
  constexpr int64_t kSecondsMax = int64_t{366} * 24 * 3600;
  int64_t seconds = 0;
  int64_t nanos = 0;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case protozero::tag_and_type(duration_field::kSeconds, pbf_wire_type::varint):
        seconds = std::clamp<int64_t>(reader.get_int64(), 0, kSecondsMax);
        break;
      case protozero::tag_and_type(duration_field::kNanos, pbf_wire_type::varint):
        nanos = std::clamp<int64_t>(reader.get_int32(), 0, 999'999'999);
        break;
      default:
        reader.skip();
    }
  }
  return std::chrono::ceil<Milliseconds>(std::chrono::seconds(seconds) + Nanoseconds(nanos));
}

std::optional<Milliseconds> read_retry_info(pbf_reader reader) {
  std::optional<Milliseconds> delay;
  while (reader.next()) {
    if (reader.tag_and_type() == length_delimited(retry_info_field::kRetryDelay)) {
      delay = read_duration(reader.get_message());
    } else {
      reader.skip();
    }
  }
  return delay.value_or(Milliseconds(0));
}

// One of the details, if it is that one.
std::optional<Milliseconds> read_detail(pbf_reader reader) {
  constexpr std::string_view kRetryInfo = "/google.rpc.RetryInfo";
  bool retry_info = false;
  protozero::data_view value;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case length_delimited(any_field::kTypeUrl): {
        const protozero::data_view url = reader.get_view();
        retry_info = std::string_view(url.data(), url.size()).ends_with(kRetryInfo);
        break;
      }
      case length_delimited(any_field::kValue):
        value = reader.get_view();
        break;
      default:
        reader.skip();
    }
  }
  if (!retry_info) return std::nullopt;
  return read_retry_info(pbf_reader(value));
}

}  // namespace

std::optional<Milliseconds> decode_retry_delay(std::string_view status) {
  std::optional<Milliseconds> delay;
  try {
    pbf_reader reader(status.data(), status.size());
    while (reader.next()) {
      if (reader.tag_and_type() == length_delimited(rpc_status_field::kDetails)) {
        if (const auto told = read_detail(reader.get_message())) delay = told;
      } else {
        reader.skip();
      }
    }
  } catch (const protozero::exception&) {
    return std::nullopt;
  }
  return delay;
}

std::optional<ExportResponse> decode_response(std::string_view bytes) {
  ExportResponse response;
  try {
    pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) {
      if (reader.tag_and_type() == length_delimited(response_field::kPartialSuccess)) {
        read_partial_success(reader.get_message(), response);
      } else {
        reader.skip();
      }
    }
  } catch (const protozero::exception&) {
    return std::nullopt;
  }
  return response;
}

}  // namespace sidespan::otlp
