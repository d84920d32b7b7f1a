// What nghttp2 allocates with: streams, frames and header lists come and go with every request, in
// a few sizes, and their memory comes again (base/spares.h). For H2Connection alone.
#pragma once

#include <nghttp2/nghttp2.h>

namespace sidespan::http {

// For the nghttp2_session_*_new3() functions, which copy it.
nghttp2_mem h2_memory();

}  // namespace sidespan::http
