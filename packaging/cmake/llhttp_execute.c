// Which of llhttp's two state machines runs (FindLlhttp.cmake): the one with SSE4.2 where there is.
#include <llhttp.h>

int llhttp__any_execute(llhttp__internal_t* state, const char* begin, const char* end);
int llhttp__sse42_execute(llhttp__internal_t* state, const char* begin, const char* end);

int llhttp__internal_execute(llhttp__internal_t* state, const char* begin, const char* end) {
  return __builtin_cpu_supports("sse4.2") ? llhttp__sse42_execute(state, begin, end)
                                          : llhttp__any_execute(state, begin, end);
}
