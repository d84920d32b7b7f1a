// An answer stays the same at any cut, and what was read is plain.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidespan/tls/client_hello.h"

using sidespan::tls::ClientHello;
using sidespan::tls::Peek;
using sidespan::tls::peek_client_hello;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ClientHello whole;
  const Peek answer = peek_client_hello(bytes, whole);
  if (answer == Peek::kMore && size >= sidespan::tls::kClientHelloBytesMax) std::abort();
  for (size_t cut = 0; cut < size; cut += 1 + cut / 64) {
    ClientHello hello;
    const Peek earlier = peek_client_hello(bytes.substr(0, cut), hello);
    if (earlier == Peek::kMore) {
      const size_t wanted = sidespan::tls::client_hello_wants(bytes.substr(0, cut));
      if (wanted <= cut) std::abort();
      if (peek_client_hello(bytes.substr(0, wanted - 1), hello) == Peek::kHello) std::abort();
      continue;
    }
    if (earlier != answer || hello.server_name != whole.server_name) std::abort();
    if (hello.alpn != whole.alpn || hello.versions != whole.versions) std::abort();
    if (hello.takes_ours() != whole.takes_ours()) std::abort();
  }
  if (whole.server_name.size() > 253 || whole.server_name.ends_with('.')) std::abort();
  const bool plain = std::ranges::all_of(
      whole.server_name, [](char c) { return c > ' ' && c <= 'z' && (c < 'A' || c > 'Z'); });
  if (!plain || std::ranges::count(whole.alpn, "") > 0) std::abort();
  if (whole.version_min() > whole.version_max()) std::abort();
  if (whole.version_min() > 0 && std::ranges::count(whole.versions, whole.version_min()) == 0) {
    std::abort();
  }
  return 0;
}
