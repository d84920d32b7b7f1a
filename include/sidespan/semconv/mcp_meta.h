// The trace context of an MCP message: `params._meta` with the bare keys traceparent, tracestate
// and baggage (MCP SEP-414). Writing it is the one edit of a body that sidespan makes, and only
// where it was asked to: every byte but those of these members stays as it is. Pure; reading is
// McpReader's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sidespan::semconv {

// A name and a value, which is quoted as JSON needs it. Nothing: what the message has there stays.
using MetaEntry = std::pair<std::string_view, std::optional<std::string_view>>;

// `message` with these in `params._meta`, in the place of what it had under traceparent, tracestate
// and baggage. Blanks around the message stay. Nothing where it is not one well-formed JSON-RPC
// request with an id (a notification, an answer, a batch), where `params` or `_meta` is no object,
// where keys beside one of these come twice or are written with an escape, or where there is
// nothing to write or to take away.
std::optional<std::string> with_meta_context(std::string_view message,
                                             std::span<const MetaEntry> entries);

// `body` with these in the place of the context that it has in `params._meta` or `result._meta`:
// one JSON-RPC message of any kind or a batch of them. Nothing is added where there was none; what
// has no value here goes. Nothing where nothing changes, or where it is no such body.
std::optional<std::string> with_replaced_context(std::string_view body,
                                                 std::span<const MetaEntry> entries);

}  // namespace sidespan::semconv
