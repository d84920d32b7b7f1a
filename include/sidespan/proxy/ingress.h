// What stands in front of the agent's own server: where its requests go, and which of them are
// nobody's work. Immutable; Options has one. The Exchange asks it; the settings fill it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/http/message.h"

namespace sidespan::proxy {

// Which side of the agent a connection comes in at.
enum class Door : uint8_t {
  kEgress,   // the agent's own calls
  kIngress,  // requests to the agent's server
};

struct Ingress {
  std::string host;  // ingress.forward_to; empty: there is no ingress
  uint16_t port = 0;
  // ingress.ignore: no span, no context of ours, and never evidence for a call.
  std::vector<std::string> ignore_paths = {};  // wildcards
  bool ignore_probes = false;                  // what is_probe() tells

  explicit operator bool() const { return !host.empty(); }
  // `path` without its query.
  bool ignores(const http::Head& request, std::string_view path) const;
};

// Whether somebody only asks if the server is well: the usual probers, by User-Agent, and the usual
// paths, gRPC's health service among them.
bool is_probe(const http::Head& request, std::string_view path);

}  // namespace sidespan::proxy
