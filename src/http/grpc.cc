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
  const std::optional<std::string_view> value = fields.find("grpc-status");
  if (!value) return std::nullopt;
  const std::optional<uint64_t> status = text::parse_unsigned(*value, UINT32_MAX);
  if (!status) return std::nullopt;
  return static_cast<uint32_t>(*status);
}

std::optional<std::string_view> name_of_grpc_status(uint32_t status) {
  if (status >= kStatusNames.size()) return std::nullopt;
  return kStatusNames[status];
}

}  // namespace sidespan::http
