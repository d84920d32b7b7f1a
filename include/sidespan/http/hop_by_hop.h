// Which fields belong to one hop only (RFC 9110 section 7.6.1) and never cross the proxy.
#pragma once

#include "sidespan/http/message.h"

namespace sidespan::http {

// Removes Connection and what it names, Proxy-Connection, Keep-Alive, TE, Transfer-Encoding,
// Upgrade and, in requests, Proxy-Authorization. Fields that carry identity or context
// (Authorization, Cookie, Host, Content-*, trace headers) stay even when Connection names them: a
// client may not strip them on the way. Of what Connection names, the first 64 count. Upgrade stays
// when `keep_upgrade`, with Connection: Upgrade beside it.
void remove_hop_by_hop(Headers& headers, bool keep_upgrade);

}  // namespace sidespan::http
