#include "credential.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

namespace sidespan::proxy {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr std::string_view kScheme = "basic ";
constexpr std::string_view kRun = "run";

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::shared_ptr<const lineage::Execution> credential_in(const http::Headers& headers) {
  const std::string_view field = headers.find("proxy-authorization").value_or("");
  if (!text::equal_ignoring_case(field.substr(0, kScheme.size()), kScheme)) return nullptr;
  const std::optional<std::string> plain =
      text::from_base64(text::trim(field.substr(kScheme.size())));
  if (!plain) return nullptr;
  const size_t colon = plain->find(':');
  const std::string_view user = std::string_view(*plain).substr(0, colon);
  lineage::Execution named{
      .id = std::string(user), .fixed_by = lineage::Source::kCredential, .context = {}};
  // Without a password it is a name like others; a context that cannot be read is no name.
  const bool has_password = colon != std::string::npos && colon + 1 < plain->size();
  if (user == kRun && has_password) {
    std::optional<trace::SpanContext> context = trace::parse_traceparent(plain->substr(colon + 1));
    if (!context) return nullptr;
    named.id = context->span_id.to_string();
    named.context = *std::move(context);
  }
  if (!is_name(named.id)) return nullptr;
  return std::make_shared<const lineage::Execution>(std::move(named));
}

}  // namespace sidespan::proxy
