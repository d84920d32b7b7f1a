// Whatever an agent or an origin sends instead of a handshake: an error or a wait, never more. Long
// inputs continue a handshake that went well, in place of its next record.
#include <cstdint>
#include <cstdlib>

#include "sidespan/tls/engine.h"

using namespace sidespan;
using namespace sidespan::tls;

namespace {

struct World {
  World()
      : authority(*Authority::make({}, SystemClock().now().wall)),
        leaf(*authority->mint("h.example", SystemClock().now().wall)),
        server(*ServerContext::make()),
        client(*ClientContext::make({.trust = *Trust::load({.system_roots = false})})) {}

  std::unique_ptr<Authority> authority;
  Leaf leaf;
  std::unique_ptr<ServerContext> server;
  std::unique_ptr<ClientContext> client;
};

void read_all(Engine& engine, std::string_view bytes) {
  engine.feed(bytes);
  Chunk plain;
  while (engine.read(plain)) {
    if (!engine.established()) std::abort();
  }
  engine.take_output();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const World kWorld;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto server = Engine::server(*kWorld.server, kWorld.leaf, "http/1.1");
  read_all(*server, bytes);
  const auto client = Engine::client(*kWorld.client, {.host = "h.example", .alpn = {"http/1.1"}});
  const std::string hello = client->take_output().to_string();
  read_all(*client, bytes);
  if (client->established()) std::abort();  // nobody is trusted

  const auto greeted = Engine::server(*kWorld.server, kWorld.leaf, "http/1.1");
  read_all(*greeted, hello);
  read_all(*greeted, bytes);
  if (greeted->established()) std::abort();
  return 0;
}
