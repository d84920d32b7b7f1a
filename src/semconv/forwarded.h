// What proxies before us say of a request that has come through them: who asked, for which host, by
// which scheme. RFC 7239's Forwarded, else the X-Forwarded-* fields; the first hop's word in each.
// Anybody can write them, so that they describe a span and decide nothing. Used by http_server.cc.
#pragma once

#include <string_view>

#include "sidespan/http/message.h"

namespace sidespan::semconv {

// Views into the headers; empty: not said, or in a way that is none.
struct Forwarded {
  std::string_view client;  // an address without port and brackets, or a name
  std::string_view host;    // with its port, if it was given
  std::string_view scheme;
};

Forwarded read_forwarded(const http::Headers& headers);

}  // namespace sidespan::semconv
