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

}  // namespace

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
