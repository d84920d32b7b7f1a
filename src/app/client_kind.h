// What kind of program a command starts, as far as its name and the first bytes of its file tell,
// and what such a program needs to go through a proxy and to trust it. Pure; for `doctor`, which
// may be wrong about it: what it says is advice.
#pragma once

#include <cstdint>
#include <string_view>

namespace sidespan::app {

enum class ClientKind : uint8_t { kUnknown, kCurl, kPython, kNode, kJava, kGo, kDeno };

// `command` as it was written; `first_bytes` of the file that it leads to, empty where nobody
// knows. A script is of the kind of its interpreter.
ClientKind client_kind(std::string_view command, std::string_view first_bytes);

// What to do where it made no call through the proxy.
std::string_view proxy_advice(ClientKind kind);
// What to do where it refuses our certificate.
std::string_view trust_advice(ClientKind kind);

// So many first bytes are enough: where the Go linker writes its note, too.
inline constexpr size_t kFirstBytes = 8192;

}  // namespace sidespan::app
