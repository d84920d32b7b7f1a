// What a JVM trusts, as the file it reads: a key store of Sun's type JKS, which every Java
// since 1.2 loads, with or without the password. Made here because a JVM reads no PEM. Bytes in,
// bytes out; the same certificates give the same bytes. The format:
// sun.security.provider.JavaKeyStore.
#pragma once

#include <string>
#include <string_view>

namespace sidespan::tls {

// What Java's own tools expect. It keeps nothing secret: there are certificates only.
inline constexpr std::string_view kJavaStorePassword = "changeit";

// Each certificate of `pem` as one that is trusted; what else is in it is left out.
std::string java_trust_store(std::string_view pem);

}  // namespace sidespan::tls
