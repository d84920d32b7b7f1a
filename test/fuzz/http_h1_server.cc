// Requests read the same at any cuts, and a head written anew reads as it was: nothing in it became
// a line of its own.
#include <cstdint>
#include <cstdlib>

#include "../support/http_script.h"

using namespace sidespan::http;
using script::Cuts;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = script::play_server(bytes, Cuts::whole());
  if (whole != script::play_server(bytes, Cuts::every_byte())) std::abort();
  if (whole != script::play_server(bytes, Cuts::random(static_cast<unsigned>(size)))) std::abort();

  script::Line line(make_h1_server({}), Cuts::whole());
  line.react = [](const Event& event) {
    if (!std::holds_alternative<Head>(event.what)) return;
    Head head = std::get<Head>(event.what);
    if (head.minor_version == 0) return;  // may have no Host
    const std::string again = script::play_server(script::rewrite(head), Cuts::whole());
    if (again != "\n1 " + script::show(head) + "\n1 end") std::abort();
  };
  line.feed(bytes);
  return 0;
}
