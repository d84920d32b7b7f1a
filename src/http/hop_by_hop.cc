#include "sidespan/http/hop_by_hop.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"

namespace sidespan::http {
namespace {

// No honest peer names more fields in Connection; a thousand would cost a comparison with every
// line each.
constexpr size_t kOptionsMax = 64;

// Meant for every recipient: naming them in Connection is a mistake or an attack (RFC 9110 section
// 7.6.1). A name that ends in '-' stands for all that begin so.
constexpr std::array<std::string_view, 41> kEndToEnd = {
    "host", "content-", "cache-control", "forwarded", "x-forwarded-", "location",
    // who is calling
    "authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie", "x-api-key",
    "api-key", "apikey", "x-auth-token", "ocp-apim-subscription-key", "x-goog-", "x-amz-", "x-ms-",
    "anthropic-", "openai-", "x-stainless-",
    // on whose behalf: every trace format we know
    "traceparent", "tracestate", "baggage", "b3", "x-b3-", "uber-trace-id", "uberctx-",
    "jaeger-baggage", "jaeger-debug-id", "x-datadog-", "x-amzn-trace-id", "x-cloud-trace-context",
    "grpc-trace-bin", "ot-tracer-", "ot-baggage-", "x-ot-span-context", "sentry-trace",
    "elastic-apm-traceparent", "x-request-id"};

bool is_end_to_end(std::string_view name) {
  return std::ranges::any_of(kEndToEnd, [&](std::string_view known) {
    const std::string_view part = known.ends_with('-') ? name.substr(0, known.size()) : name;
    return text::equal_ignoring_case(part, known);
  });
}

constexpr FieldNames kHopFields =
    bit_of(FieldName::kTe) | bit_of(FieldName::kUpgrade) | bit_of(FieldName::kConnection) |
    bit_of(FieldName::kKeepAlive) | bit_of(FieldName::kProxyConnection) |
    bit_of(FieldName::kTransferEncoding) | bit_of(FieldName::kProxyAuthorization);
constexpr FieldNames kUpgradeFields = bit_of(FieldName::kUpgrade) | bit_of(FieldName::kConnection);

// The fields that Connection takes away beyond those that always go. Views into `headers`.
std::vector<std::string_view> named_fields(const Headers& headers) {
  std::vector<std::string_view> named;
  headers.for_each(FieldName::kConnection, [&](std::string_view value) {
    for (std::optional<std::string_view> rest = value; rest && named.size() < kOptionsMax;) {
      const std::string_view option = text::trim(text::split_first(rest, ','));
      const bool is_hop_field = (bit_of(field_name(option)) & kHopFields) != 0;
      if (option.empty() || is_hop_field || text::equal_ignoring_case(option, "close") ||
          is_end_to_end(option)) {
        continue;
      }
      named.push_back(option);
    }
  });
  return named;
}

}  // namespace

void remove_hop_by_hop(Headers& headers, bool keep_upgrade) {
  if (!headers.may_have(kHopFields)) return;
  const std::vector<std::string_view> named = named_fields(headers);
  const bool upgrades = keep_upgrade && headers.contains(FieldName::kUpgrade);
  const FieldNames gone = upgrades ? kHopFields & ~kUpgradeFields : kHopFields;
  headers.remove(gone);
  for (const std::string_view name : named) headers.remove(name);
  if (upgrades) headers.set("Connection", "Upgrade");
}

}  // namespace sidespan::http
