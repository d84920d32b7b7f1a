#include "app/start_memory.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace sidespan::app {
namespace {

// Of code alone: nobody has written into it, so that the file has the same.
int let_go_of_code(dl_phdr_info* object, size_t, void*) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (size_t i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    const bool code = segment.p_type == PT_LOAD && (segment.p_flags & (PF_X | PF_W)) == PF_X;
    if (!code) continue;
    const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
    const uintptr_t first = (begin + page - 1) / page * page;
    const uintptr_t last = (begin + segment.p_filesz) / page * page;
    if (first < last) ::madvise(std::bit_cast<void*>(first), last - first, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void give_start_memory_back() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  ::dl_iterate_phdr(let_go_of_code, nullptr);
}

}  // namespace sidespan::app
