#include "app/client_kind.h"

#include <array>
#include <optional>
#include <string>

#include "app/java.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr std::string_view kGoNote("\x04\0\0\0Go\0\0",
                                   8);  // type and name of an ELF note
constexpr std::string_view kGoBuildId = "Go build ID";

std::string_view file_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

struct Start {
  std::string_view name;  // what the file's name begins with
  ClientKind kind;
};
constexpr std::array<Start, 16> kStarts = {{
    {"curl", ClientKind::kCurl},
    {"python", ClientKind::kPython},
    {"pypy", ClientKind::kPython},
    {"uv", ClientKind::kPython},
    {"uvicorn", ClientKind::kPython},
    {"pytest", ClientKind::kPython},
    {"poetry", ClientKind::kPython},
    {"pip", ClientKind::kPython},
    {"node", ClientKind::kNode},
    {"npm", ClientKind::kNode},
    {"npx", ClientKind::kNode},
    {"pnpm", ClientKind::kNode},
    {"yarn", ClientKind::kNode},
    {"tsx", ClientKind::kNode},
    {"deno", ClientKind::kDeno},
    {"go", ClientKind::kGo},
}};

// The rest may be a version: python3.11, node22.
bool is_version(std::string_view rest) {
  for (const char c : rest) {
    if (!text::is_digit(c) && c != '.' && c != '-') return false;
  }
  return true;
}

ClientKind by_name(std::string_view name) {
  for (const Start& start : kStarts) {
    if (name.starts_with(start.name) && is_version(name.substr(start.name.size()))) {
      return start.kind;
    }
  }
  return wants_java({}, name, {}) ? ClientKind::kJava : ClientKind::kUnknown;
}

// "#!/usr/bin/env -S python3 -u": the first word that names somebody.
ClientKind by_interpreter(std::string_view line) {
  std::optional<std::string_view> rest = line;
  while (rest) {
    const ClientKind kind = by_name(file_name(text::trim(text::split_first(rest, ' '))));
    if (kind != ClientKind::kUnknown) return kind;
  }
  return ClientKind::kUnknown;
}

}  // namespace

ClientKind client_kind(std::string_view command, std::string_view first_bytes) {
  const ClientKind named = by_name(file_name(command));
  if (named != ClientKind::kUnknown) return named;
  if (first_bytes.starts_with("#!")) {
    const std::string_view line = first_bytes.substr(2, first_bytes.find('\n') - 2);
    return by_interpreter(line);
  }
  const bool go = first_bytes.find(kGoNote) != std::string_view::npos ||
                  first_bytes.find(kGoBuildId) != std::string_view::npos;
  return go ? ClientKind::kGo : ClientKind::kUnknown;
}

std::string_view proxy_advice(ClientKind kind) {
  switch (kind) {
    case ClientKind::kCurl:
      return "curl reads them unless --noproxy, a ~/.curlrc or an empty -x says otherwise.";
    case ClientKind::kPython:
      return "aiohttp wants ClientSession(trust_env=True), httpx and requests must not be given "
             "trust_env=False or a transport of one's own, urllib no ProxyHandler({}). Else give "
             "the SDK a base URL (routes).";
    case ClientKind::kNode:
      return "Node reads them from 22.21 and 24.5 on; an older one, and a client with an agent or "
             "dispatcher of its own, needs a base URL (routes).";
    case ClientKind::kJava:
      return "A JVM takes them from JAVA_TOOL_OPTIONS, which was set, but calls loopback addresses "
             "directly unless it has -Dhttp.nonProxyHosts= (empty) there; a client with a "
             "ProxySelector of its own, or Apache HttpClient without useSystemProperties(), needs "
             "a base URL (routes).";
    case ClientKind::kGo:
      return "Go never uses a proxy for localhost and loopback addresses: call by another name; "
             "else its http.Transport lacks Proxy: http.ProxyFromEnvironment.";
    case ClientKind::kDeno:
    case ClientKind::kUnknown:
      break;
  }
  return "It made no call, or reads no proxy variables: give it its proxy by an option of its own, "
         "or a base URL (routes).";
}

std::string_view trust_advice(ClientKind kind) {
  switch (kind) {
    case ClientKind::kCurl:
      return "curl trusts by CURL_CA_BUNDLE or SSL_CERT_FILE unless --cacert or a ~/.curlrc says "
             "otherwise.";
    case ClientKind::kPython:
      return "Python trusts by SSL_CERT_FILE, requests by REQUESTS_CA_BUNDLE, boto3 by "
             "AWS_CA_BUNDLE, unless the code gives verify= or an SSLContext of its own.";
    case ClientKind::kNode:
      return "Node trusts by NODE_EXTRA_CA_CERTS unless the code gives ca: of its own.";
    case ClientKind::kJava:
      return "A JVM trusts by its trust store: -Djavax.net.ssl.trustStore, which sidespan sets in "
             "JAVA_TOOL_OPTIONS unless there is one already; an option on the command line wins.";
    case ClientKind::kGo:
      return "Go trusts by SSL_CERT_FILE unless the code gives RootCAs of its own.";
    case ClientKind::kDeno:
      return "Deno trusts by DENO_CERT.";
    case ClientKind::kUnknown:
      break;
  }
  return "Most programs trust by SSL_CERT_FILE; some have their roots built in.";
}

}  // namespace sidespan::app
