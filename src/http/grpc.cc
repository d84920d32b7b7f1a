#include "sidespan/http/grpc.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

constexpr std::string_view kMediaType = "application/grpc";

constexpr std::array<std::string_view, 17> kStatusNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

constexpr size_t kTimeoutDigitsMax = 8;

std::optional<Nanoseconds> unit_of_timeout(char letter) {
  switch (letter) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return Nanoseconds(1);
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_grpc(const Headers& request) {
  const std::string_view type = request.find(FieldName::kContentType).value_or("");
  if (!type.starts_with(kMediaType)) return false;
  const std::string_view rest = type.substr(kMediaType.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

std::string_view grpc_method(std::string_view path) {
  if (!path.starts_with('/')) return {};
  const std::string_view method = path.substr(1, path.find('?') - 1);
  const bool two_parts = std::ranges::count(method, '/') == 1;
  return two_parts && method.front() != '/' && method.back() != '/' ? method : std::string_view();
}

std::optional<uint32_t> grpc_status(const Headers& fields) {
  const std::optional<std::string_view> value = fields.find(FieldName::kGrpcStatus);
  if (!value) return std::nullopt;
  const std::optional<uint64_t> status = text::parse_unsigned(*value, UINT32_MAX);
  if (!status) return std::nullopt;
  return static_cast<uint32_t>(*status);
}

uint32_t grpc_status_of(int http_status) {
  switch (http_status) {
    case 400:
      return grpc::kInternal;
    case 401:
      return grpc::kUnauthenticated;
    case 403:
      return grpc::kPermissionDenied;
    case 404:
      return grpc::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return grpc::kUnavailable;
    default:
      return grpc::kUnknown;
  }
}

std::optional<std::string_view> name_of_grpc_status(uint32_t status) {
  if (status >= kStatusNames.size()) return std::nullopt;
  return kStatusNames[status];
}

std::optional<Nanoseconds> grpc_timeout(const Headers& request) {
  const std::string_view value = request.find(FieldName::kGrpcTimeout).value_or("");
  if (value.size() < 2 || value.size() > kTimeoutDigitsMax + 1) return std::nullopt;
  const std::optional<Nanoseconds> unit = unit_of_timeout(value.back());
  const std::optional<uint64_t> count = text::parse_unsigned(value.substr(0, value.size() - 1));
  if (!unit || !count) return std::nullopt;
  const Nanoseconds most = Nanoseconds::max() / *unit * *unit;
  const auto times = static_cast<Nanoseconds::rep>(*count);
  return times > most / *unit ? most : *unit * times;
}

std::string GrpcFrame::encode() const {
  std::string bytes(1, packed ? '\1' : '\0');
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<char>(message_bytes >> shift & 0xffU));
  }
  return bytes;
}

std::optional<GrpcFrame> GrpcFrame::parse(std::string_view bytes) {
  if (bytes.size() != kBytes || static_cast<unsigned char>(bytes.front()) > 1) return std::nullopt;
  GrpcFrame frame{.packed = bytes.front() == 1};
  for (const char c : bytes.substr(1)) {
    frame.message_bytes = frame.message_bytes << 8U | static_cast<unsigned char>(c);
  }
  return frame;
}

void GrpcMessageCounter::feed(std::string_view bytes) {
  while (!bytes.empty() && !lost_) {
    if (got_ < GrpcFrame::kBytes) {
      head_[got_++] = bytes.front();
      bytes.remove_prefix(1);
      if (got_ < GrpcFrame::kBytes) continue;
      const auto frame = GrpcFrame::parse({head_.data(), head_.size()});
      lost_ = !frame;
      left_ = frame ? frame->message_bytes : 0;
    }
    const size_t taken = std::min<size_t>(left_, bytes.size());
    bytes.remove_prefix(taken);
    left_ -= static_cast<uint32_t>(taken);
    if (left_ > 0 || lost_) continue;
    ++messages_;
    got_ = 0;
  }
}

}  // namespace sidespan::http
