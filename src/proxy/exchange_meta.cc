// The one edit of a body (mcp.inject_meta): an MCP request waits until it is whole, and gets the
// context that its head gets into `params._meta`, too. Whatever else is posted there
// (notifications, answers, batches) gets none, but what it has of the agent's goes no further than
// a header would.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exchange.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/mcp.h"
#include "sidespan/semconv/mcp_meta.h"
#include "sidespan/trace/w3c.h"
#include "signed_request.h"

namespace sidespan::proxy {
namespace {

// Somebody vouches for the bytes as they are.
bool is_signed(const http::Headers& headers, std::string_view path) {
  constexpr std::array<std::string_view, 9> kFields = {
      "content-digest",      "digest",
      "content-md5",         "signature",
      "repr-digest",         "x-amz-content-sha256",
      "x-ms-content-sha256",  // of Azure's HMAC
      "x-hub-signature",     "x-hub-signature-256"};
  const std::string_view authorization = headers.find("authorization").value_or("");
  return authorization.starts_with("AWS4-") || SignedFields(authorization, path) ||
         std::ranges::any_of(kFields,
                             [&](std::string_view name) { return headers.contains(name); });
}

}  // namespace

// Whether the request's body waits. What asks first (Expect) would wait for us; of unknown length
// only what is one text, since a stream may go on for as long as its answer does.
bool Exchange::wants_meta() const {
  if (!observer_ || !observer_->is_mcp()) return false;
  using Kind = http::BodyLength::Kind;
  const http::Headers& headers = request_.headers;
  const http::BodyLength& body = request_.body;
  const Limits& limits = options_.limits;
  const bool short_enough =
      body.kind == Kind::kKnown && body.bytes > 0 && body.bytes <= limits.mcp_message_bytes_max;
  const bool may_be =
      body.kind == Kind::kUnknown && limits.lineage_hold_time_max > Milliseconds(0) &&
      limits.mcp_message_bytes_max > 0 &&
      semconv::framing_of(headers.find(http::FieldName::kContentType).value_or("")) ==
          semconv::BodyFraming::kJson;
  return options_.mcp_inject_meta && options_.inject && trace_->active() &&
         (short_enough || may_be) && !request_.upgrade && !headers.contains("expect") &&
         !headers.contains("content-encoding") && !is_signed(headers, url_.path);
}

// What a whole one says of its parent.
CallTrace::Meta Exchange::meta_of_request() const {
  const semconv::McpMessage* const message = observer_ ? observer_->mcp_request() : nullptr;
  if (message == nullptr) return {};
  // Half of a list is none.
  return {.traceparent = message->traceparent,
          .tracestate = message->tracestate_cut ? std::string_view() : message->tracestate,
          .baggage = message->baggage_cut ? std::string_view() : message->baggage};
}

// Where it goes is known, too: what stands in it for others is replaced or goes.
void Exchange::write_meta() {
  writes_meta_ = false;
  if (trailers_ && is_signed(*trailers_, url_.path)) return;
  const DestinationRule& rule = known_->rule(origin_address());
  const OtherFormats& formats = options_.other_formats;
  const bool stays = !formats.injects_w3c && formats.policy == OtherFormats::Policy::kKeep;
  if (stays && rule.traceparent) return;
  const std::string before = held_.to_string();
  http::Headers sent;
  trace_->inject(sent, rule, worker_.random);
  std::vector<semconv::MetaEntry> entries;
  for (const std::string_view name :
       {trace::kTraceparentField, trace::kTracestateField, trace::kBaggageField}) {
    if (const auto value = sent.find(name)) entries.emplace_back(name, *value);
  }
  const bool is_request = meta_written_ || (observer_ && observer_->mcp_request() != nullptr);
  std::optional<std::string> after;
  if (is_request && formats.injects_w3c) after = semconv::with_meta_context(before, entries);
  if (!after) after = semconv::with_replaced_context(before, entries);
  if (!after) return;
  meta_written_ = true;
  held_ = Chain(*after);
  const bool known = request_.body.kind == http::BodyLength::Kind::kKnown;
  if (known) request_.body = http::BodyLength::known(after->size());
}

}  // namespace sidespan::proxy
