// Keeps secrets out of everything we show: spans, logs, the tree of a run, the store. URLs lose
// their userinfo and the values of parameters that carry secrets (OpenTelemetry's list for url.full
// and url.query, and sidespan's own); names of headers that carry secrets are told apart, so that
// no setting can capture them. Bodies are another matter: nothing of them is taken by default.
// `further`: the names that capture.redact adds, which hold wherever ours do.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sidespan/http/uri.h"

namespace sidespan::semconv {

// Whether the value of this query parameter is a secret. `name` as it stands in the URL; it is
// percent-decoded first, and compared in any case.
bool is_secret_parameter(std::string_view name, std::span<const std::string> further);

// Appends "a=b&sig=REDACTED". A name is looked for behind every '&' and ';', a secret value ends
// only at '&'. Nothing else changes.
void append_redacted_query(std::string& out, std::string_view query,
                           std::span<const std::string> further);
// Appends scheme, "REDACTED:REDACTED@" where there is userinfo, authority, path and redacted query.
void append_redacted_url(std::string& out, const http::Url& url,
                         std::span<const std::string> further);
// Whether that would hide anything.
bool has_secret(const http::Url& url, std::span<const std::string> further);
// The same for text with a URL at its end that is not parsed, or part of one: "5; url=/a?key=b".
// A fragment is taken for a query.
void append_redacted_reference(std::string& out, std::string_view reference,
                               std::span<const std::string> further);
// A header's value as a span may show it: the URLs in Location, Content-Location, Referer, Link and
// Refresh are redacted, any other value stays.
std::string redacted_field(std::string_view name, std::string_view value,
                           std::span<const std::string> further);
// A text that is JSON, or has some in it, cut anywhere: values of members become "REDACTED" whose
// names are such or a secret header's, however their words are put together ("accessToken"); also
// within a text that is JSON itself, whose quotes, backslashes and colons are then no codes
// ("\u0022").
void append_redacted_members(std::string& out, std::string_view text,
                             std::span<const std::string> further);
std::string redacted_url(const http::Url& url, std::span<const std::string> further);

// Whether a header of this name (any case) carries a credential, a cookie, a token, a key or a
// signature, by a list of names and by the words in them. capture.*_headers must not name it.
bool is_secret_header(std::string_view name);

}  // namespace sidespan::semconv
