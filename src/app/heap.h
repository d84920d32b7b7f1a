// What starting needed and serving does not: certificates read and written, the configuration's
// tree.
#pragma once

namespace sidespan::app {

// Gives freed memory back to the system, where the C library would keep it for later.
void trim_heap();

}  // namespace sidespan::app
