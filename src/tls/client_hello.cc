#include "sidespan/tls/client_hello.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "host_name.h"
#include "sidespan/base/text.h"

namespace sidespan::tls {
namespace {

constexpr size_t kRecordHeadBytes = 5;
constexpr size_t kFragmentBytesMax = size_t{1} << 14;  // RFC 8446 section 5.1
constexpr char kHandshakeRecord = 22;
constexpr char kVersionMajor = 3;  // of SSL 3.0 and every TLS

constexpr size_t kMessageHeadBytes = 4;
constexpr char kClientHello = 1;
constexpr size_t kRandomBytes = 32;
constexpr size_t kSessionIdBytesMax = 32;

constexpr uint16_t kVersionMin = 0x0300;

// TLS_ECDHE_ECDSA_WITH_*.
constexpr std::array<uint16_t, 12> kEcdsaSuites = {0xc008, 0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b,
                                                   0xc02c, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9};
// RFC 8446 section 4.2.3. In TLS 1.2 the last byte says ECDSA, and none the curve.
constexpr uint16_t kEcdsaP256 = 0x0403;
constexpr unsigned kEcdsa = 3;

enum Extension : uint16_t {
  kServerName = 0,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kSupportedVersions = 43,
  kEncryptedHello = 0xfe0d,
};

// Reads numbers and vectors (RFC 8446 section 3). Past the end everything is empty, and `whole` is
// false for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool more() const { return !rest_.empty(); }
  bool whole() const { return !overrun_ && rest_.empty(); }

  std::string_view take(size_t size) {
    overrun_ = overrun_ || size > rest_.size();
    const std::string_view taken = overrun_ ? std::string_view() : rest_.substr(0, size);
    rest_ = overrun_ ? std::string_view() : rest_.substr(size);
    return taken;
  }
  uint32_t number(size_t width) {
    uint32_t value = 0;
    for (const char byte : take(width)) value = value << 8U | static_cast<unsigned char>(byte);
    return value;
  }
  uint16_t number16() { return static_cast<uint16_t>(number(2)); }
  std::string_view vector(size_t width) { return take(number(width)); }

 private:
  std::string_view rest_;
  bool overrun_ = false;
};

// Values that some clients strew in so that servers stay used to unknown ones (RFC 8701).
bool is_grease(uint16_t value) {
  return (value & 0x0f0fU) == 0x0a0aU && value >> 8U == (value & 0xffU);
}

bool is_grease(std::string_view protocol) {
  return protocol.size() == 2 && is_grease(Reader(protocol).number16());
}

bool read_server_name(std::string_view data, ClientHello& hello) {
  Reader extension(data);
  Reader list(extension.vector(2));
  const bool is_host_name = list.number(1) == 0;
  std::string_view name = list.vector(2);
  if (!is_host_name || !list.whole() || !extension.whole()) return false;
  if (name.ends_with('.')) name.remove_suffix(1);
  // RFC 6066 allows no address here; clients send them.
  if (!is_dns_name(name) && ip_octets(name).empty()) return false;
  hello.server_name = text::lower(name);
  return true;
}

bool read_alpn(std::string_view data, ClientHello& hello) {
  Reader extension(data);
  Reader list(extension.vector(2));
  if (!list.more()) return false;
  while (list.more()) {
    const std::string_view protocol = list.vector(1);
    if (protocol.empty()) return false;
    if (!is_grease(protocol)) hello.alpn.emplace_back(protocol);
  }
  return list.whole() && extension.whole();
}

// A list of numbers, whose length has `width` bytes.
bool read_numbers(std::string_view data, size_t width, std::vector<uint16_t>& numbers) {
  Reader extension(data);
  Reader list(extension.vector(width));
  if (!list.more()) return false;
  numbers.clear();
  while (list.more()) {
    const uint16_t number = list.number16();
    if (!is_grease(number)) numbers.push_back(number);
  }
  return list.whole() && extension.whole();
}

bool has_ecdsa(std::string_view cipher_suites) {
  Reader suites(cipher_suites);
  while (suites.more()) {
    if (std::ranges::find(kEcdsaSuites, suites.number16()) != kEcdsaSuites.end()) return true;
  }
  return false;
}

bool read_extension(uint16_t type, std::string_view data, ClientHello& hello) {
  switch (type) {
    case kServerName:
      return read_server_name(data, hello);
    case kAlpn:
      return read_alpn(data, hello);
    case kSupportedVersions:
      return read_numbers(data, 1, hello.versions);
    case kSignatureAlgorithms:
      return read_numbers(data, 2, hello.signatures);
    case kEncryptedHello:
      hello.encrypted = true;
      return true;
    default:
      return true;
  }
}

bool read_extensions(std::string_view bytes, ClientHello& hello) {
  Reader extensions(bytes);
  std::vector<uint16_t> seen;
  while (extensions.more()) {
    const uint16_t type = extensions.number16();
    const std::string_view data = extensions.vector(2);
    if (!read_extension(type, data, hello)) return false;
    seen.push_back(type);
  }
  std::ranges::sort(seen);
  return extensions.whole() && std::ranges::adjacent_find(seen) == seen.end();
}

// `message` without its head.
bool read_hello(std::string_view message, ClientHello& hello) {
  Reader reader(message);
  const uint16_t legacy_version = reader.number16();
  reader.take(kRandomBytes);
  const std::string_view session_id = reader.vector(1);
  const std::string_view cipher_suites = reader.vector(2);
  const std::string_view compression_methods = reader.vector(1);
  if (legacy_version >> 8U != kVersionMajor || session_id.size() > kSessionIdBytesMax) return false;
  if (cipher_suites.empty() || cipher_suites.size() % 2 != 0) return false;
  if (compression_methods.empty()) return false;
  hello.ecdsa_suite = has_ecdsa(cipher_suites);
  // Whoever names TLS 1.3 here means 1.2: the list alone can say 1.3 (RFC 8446 section 4.2.1).
  hello.versions = {std::min(legacy_version, kTls12)};
  if (reader.whole()) return true;  // before TLS 1.2 there may be no extensions
  const std::string_view extensions = reader.vector(2);
  return reader.whole() && read_extensions(extensions, hello);
}

// Joins the fragments of the first handshake message, which is a ClientHello and ends where its
// record does: the client cannot say more before it is answered.
Peek join_records(std::string_view bytes, std::string& message) {
  size_t wanted = kClientHelloBytesMax;
  for (Peek otherwise = Peek::kNotTls; !bytes.empty(); otherwise = Peek::kMalformed) {
    if (bytes[0] != kHandshakeRecord) return otherwise;
    if (bytes.size() > 1 && bytes[1] != kVersionMajor) return otherwise;
    if (bytes.size() < kRecordHeadBytes) return Peek::kMore;
    const size_t length = Reader(bytes.substr(3)).number(2);
    if (length == 0 || length > kFragmentBytesMax) return Peek::kMalformed;
    const size_t message_end = message.size() + length;
    message += bytes.substr(kRecordHeadBytes, length);
    if (!message.empty() && message[0] != kClientHello) return Peek::kMalformed;
    if (message.size() >= kMessageHeadBytes) {
      wanted = kMessageHeadBytes + Reader(std::string_view(message).substr(1)).number(3);
    }
    if (wanted > kClientHelloBytesMax || message_end > wanted) return Peek::kMalformed;
    if (message.size() == wanted) return Peek::kHello;
    if (message.size() < message_end) return Peek::kMore;
    bytes.remove_prefix(kRecordHeadBytes + length);
  }
  return Peek::kMore;
}

bool is_known(uint16_t version) {
  return version >= kVersionMin && version <= kTls13;
}

}  // namespace

bool ClientHello::offers(std::string_view protocol) const {
  return std::ranges::find(alpn, protocol) != alpn.end();
}

uint16_t ClientHello::version_max() const {
  uint16_t max = 0;
  for (const uint16_t version : versions) {
    if (is_known(version)) max = std::max(max, version);
  }
  return max;
}

uint16_t ClientHello::version_min() const {
  uint16_t min = version_max();
  for (const uint16_t version : versions) {
    if (is_known(version)) min = std::min(min, version);
  }
  return min;
}

bool ClientHello::takes_ours() const {
  const bool tls13 = version_max() >= kTls13;
  const bool signs = std::ranges::any_of(signatures, [&](uint16_t scheme) {
    return scheme == kEcdsaP256 || (!tls13 && (scheme & 0xffU) == kEcdsa);
  });
  return (signs || signatures.empty()) && (tls13 || ecdsa_suite);
}

Peek peek_client_hello(std::string_view bytes, ClientHello& hello) {
  std::string message;
  const Peek joined = join_records(bytes.substr(0, kClientHelloBytesMax), message);
  if (joined == Peek::kMore && bytes.size() >= kClientHelloBytesMax) return Peek::kMalformed;
  if (joined != Peek::kHello) return joined;
  ClientHello read;
  if (!read_hello(std::string_view(message).substr(kMessageHeadBytes), read))
    return Peek::kMalformed;
  hello = std::move(read);
  return Peek::kHello;
}

// To the end of the first record of which not all has come, or of its head.
size_t client_hello_wants(std::string_view bytes) {
  size_t end = 0;
  while (end + kRecordHeadBytes <= bytes.size()) {
    end += kRecordHeadBytes + Reader(bytes.substr(end + 3)).number(2);
    if (end > bytes.size()) return end;
  }
  return end + kRecordHeadBytes;
}

}  // namespace sidespan::tls
