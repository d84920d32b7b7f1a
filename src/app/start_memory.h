// What starting needed and serving does not: certificates read and written, the configuration's
// tree, and the code that did it.
#pragma once

namespace sidespan::app {

// Gives freed memory back to the system, where the C library would keep it for later, and lets go
// of the pages of program and libraries: those that are needed again are still in the system's
// cache, and come back one by one as they are used.
void give_start_memory_back();

}  // namespace sidespan::app
