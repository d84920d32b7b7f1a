// The first message of a TLS client, read before anybody has answered it: whom it wants, and what
// it can speak. Pure; proxy decides by it whether a tunnel is opened or passed through. RFC 8446
// section 4.1.2, RFC 6066 section 3 (server_name), RFC 7301 (ALPN), RFC 9849 (encrypted hello).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::tls {

inline constexpr uint16_t kTls12 = 0x0303;
inline constexpr uint16_t kTls13 = 0x0304;

struct ClientHello {
  std::string server_name;  // lower case, no final dot, perhaps an IP address; empty: none
  // As offered, the best first, without GREASE (RFC 8701).
  std::vector<std::string> alpn;
  std::vector<uint16_t> versions;  // from the legacy field, at most TLS 1.2, without a list
  // ECH: the true name may be inside, where only the origin reads it; or it is but a semblance.
  bool encrypted = false;
  // Signature schemes as offered, without GREASE; empty: it does not say.
  std::vector<uint16_t> signatures;
  // Before TLS 1.3: there is a cipher suite by which a server's certificate may be of ECDSA.
  bool ecdsa_suite = false;

  bool offers(std::string_view protocol) const;
  // 0: none that this reads.
  uint16_t version_max() const;
  uint16_t version_min() const;
  // Whether it takes a certificate as tls::Authority makes them: of ECDSA, on P-256.
  bool takes_ours() const;
};

enum class Peek : uint8_t {
  kMore,       // so far the beginning of one
  kNotTls,     // no TLS handshake: something else was spoken
  kMalformed,  // TLS, but not one plainly well-formed hello
  kHello,
};

// More than this is never waited for.
inline constexpr size_t kClientHelloBytesMax = size_t{64} * 1024;

// `bytes` are the first of a connection, as many as came. The hello may be spread over several
// records, and more (early data) may follow it. `hello` is set where the answer is kHello; an
// answer other than kMore stays the same whatever comes later.
Peek peek_client_hello(std::string_view bytes, ClientHello& hello);

// After kMore: with fewer bytes of the connection than this there is no hello yet.
size_t client_hello_wants(std::string_view bytes);

}  // namespace sidespan::tls
