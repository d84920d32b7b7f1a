// HTTP/2 in both roles reads the same at any cuts, and answers and ends whatever comes. What is
// told of a frame before its fault is seen depends on the cuts.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../support/h2_frames.h"
#include "../support/http_script.h"

using namespace sidespan::http;
using script::Cuts;

namespace {

std::string play(std::string_view bytes, bool server, Cuts cuts) {
  script::Line line(server ? make_h2_server({}) : make_h2_client({}, "https"), cuts);
  if (!server) {
    const StreamId stream = line->open();
    line.send(stream, script::request("GET", "/", BodyLength::none(), {{"Host", "o"}}));
    line.send(stream, End{});
    line.output();
  }
  line.react = [&](const Event& event) {
    if (!server || !std::holds_alternative<End>(event.what)) return;
    line.send(event.stream, script::answer(200, BodyLength::known(2)));
    line.send(event.stream, Body{sidespan::Chain("ok")});
    line.send(event.stream, End{});
  };
  line.feed(server ? h2::client_start() : h2::server_start());
  line.feed(bytes);
  line.output();
  line.eof();
  if (!line->done() || line->streams() != 0) std::abort();
  return line.events();
}

// Whether both are the same, up to where something was wrong.
bool agree(const std::string& a, const std::string& b) {
  const size_t end = std::min(a.find(" reset "), b.find(" reset "));
  if (end == std::string::npos) return a == b;
  const size_t told = std::min({a.rfind('\n', end), b.rfind('\n', end), a.size(), b.size()});
  return a.compare(0, told, b, 0, told) == 0;
}

// Whether a peer says GOAWAY, read frame by frame.
bool says_goaway(std::string_view bytes) {
  while (bytes.size() >= 9) {
    const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(bytes[i])); };
    if (at(3) == h2::kGoaway) return true;
    bytes.remove_prefix(std::min(bytes.size(), 9 + ((at(0) << 16U) | (at(1) << 8U) | at(2))));
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Behind the GOAWAY of a client without streams nghttp2 hears nothing more, from the next call
  // on.
  const bool closing = says_goaway(bytes);
  for (const bool server : {true, false}) {
    if (server && closing) continue;
    const std::string whole = play(bytes, server, Cuts::whole());
    if (!agree(whole, play(bytes, server, Cuts::every_byte()))) std::abort();
    if (!agree(whole, play(bytes, server, Cuts::random(unsigned(size))))) std::abort();
  }
  return 0;
}
