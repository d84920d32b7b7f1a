// Whose work a request is by the user of the proxy's URL, as agents send it in Proxy-Authorization:
// `run:TRACEPARENT` is a span that the calls are children of, `NAME:` an execution of that name. It
// tells work apart and proves nothing. Used by Exchange.
#pragma once

#include <memory>

#include "sidespan/http/message.h"
#include "sidespan/lineage/resolver.h"

namespace sidespan::proxy {

// Null: there is none that can be read; a name is at most 128 bytes of visible ASCII.
std::shared_ptr<const lineage::Execution> credential_in(const http::Headers& headers);

}  // namespace sidespan::proxy
