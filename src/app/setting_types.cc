#include "app/setting_types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/semconv/redact.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::app {
namespace {

// What agents' OpenTelemetry exporters call, over HTTP and gRPC.
constexpr std::array<std::string_view, 4> kOtlpPaths = {"/v1/traces", "/v1/metrics", "/v1/logs",
                                                        "/opentelemetry.proto.collector.*"};

// Fields that the exporter writes itself, or that frame the message.
constexpr std::array<std::string_view, 7> kExporterFields = {
    "connection", "content-encoding",  "content-length", "content-type",
    "host",       "transfer-encoding", "upgrade"};

// "localhost" and "" stand for one address of each family.
std::vector<net::Address> addresses_of(const net::HostPort& where) {
  std::vector<std::string_view> hosts = {where.host};
  if (where.host.empty()) hosts = {"0.0.0.0", "::"};
  if (text::equal_ignoring_case(where.host, "localhost")) hosts = {"127.0.0.1", "::1"};
  std::vector<net::Address> addresses;
  for (const std::string_view host : hosts) {
    if (const auto address = net::Address::parse(host, where.port)) addresses.push_back(*address);
  }
  return addresses;
}

// An absolute http URL without userinfo and query. The text may hold a password and is not quoted.
std::optional<http::Url> read_http_url(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  if (text->find("://") == std::string::npos) {
    return complain(node, "has no scheme: http:// or https:// must stand before the host",
                    complaints);
  }
  Result<http::Url> url = http::parse_url(*text);
  if (!url) return complain(node, "is no URL: " + url.error().what, complaints);
  if (url->scheme != "http" && url->scheme != "https") {
    return complain(node, "starts with neither http:// nor https://", complaints);
  }
  if (!url->userinfo.empty()) return complain(node, "holds a user or a password", complaints);
  if (url->path.find('?') != std::string::npos) return complain(node, "holds a query", complaints);
  return *std::move(url);
}

bool is_template(std::string_view text) {
  bool inside = false;
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f || c == '?' || c == '#') return false;
    if ((c == '{' && inside) || (c == '}' && !inside)) return false;
    if (c == '{' || c == '}') inside = c == '{';
  }
  return text.starts_with('/') && !inside;
}

}  // namespace

std::optional<ListenAddress> read_listen(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  if (*text == "off") return ListenAddress{*text, {}};
  const Result<net::HostPort> where = net::parse_host_port(*text);
  if (!where) {
    return complain(node,
                    quote(*text) +
                        " is no address to listen on; write localhost:PORT, "
                        "ADDRESS:PORT, :PORT or off",
                    complaints);
  }
  std::vector<net::Address> addresses = addresses_of(*where);
  if (addresses.empty()) {
    return complain(node,
                    quote(where->host) + " is a name; a listener takes an address or localhost",
                    complaints);
  }
  return ListenAddress{*text, std::move(addresses)};
}

std::optional<std::optional<net::HostPort>> read_forward_to(const Node& node,
                                                            Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  if (*text == "off") return std::optional<net::HostPort>();
  Result<net::HostPort> where = net::parse_host_port(*text);
  if (!where || where->host.empty() || where->port == 0) {
    return complain(node, quote(*text) + " is no HOST:PORT like 127.0.0.1:8080", complaints);
  }
  where->host = text::lower(where->host);
  return *std::move(where);
}

std::optional<IgnoredRequests> read_ingress_ignore(const Node& node, Complaints& complaints) {
  const auto entries = list_of<read_name>(node, complaints);
  if (!entries) return std::nullopt;
  const size_t before = complaints.size();
  IgnoredRequests ignored;
  for (const std::string& entry : *entries) {
    if (entry == "probes") {
      ignored.probes = true;
    } else if (entry.starts_with('/')) {
      ignored.paths.push_back(entry);
    } else {
      complain(node, quote(entry) + " is neither probes nor a path that starts with /", complaints);
    }
  }
  if (complaints.size() > before) return std::nullopt;
  return ignored;
}

std::optional<net::Network> read_network(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<net::Network> network = net::Network::parse(*text);
  if (!network) return complain(node, quote(*text) + " is no network like 10.0.0.0/8", complaints);
  return network;
}

std::optional<proxy::HostPattern> read_host_pattern(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  Result<proxy::HostPattern> pattern = proxy::HostPattern::parse(*text);
  if (!pattern) return complain(node, pattern.error().what, complaints);
  return *std::move(pattern);
}

std::optional<proxy::Route> read_route(const Node& node, Complaints& complaints) {
  if (!has_keys(node, {"path", "to"}, complaints)) return std::nullopt;
  const Node& path_node = *node.find("path");
  std::optional<std::string> path = read_part(path_node, ".path", complaints, read_name);
  if (path && !is_template(*path)) {
    complaints.push_back(
        {path_node.line, ".path", quote(*path) + " is no path that starts with /"});
    path.reset();
  }
  std::optional<http::Url> to = read_part(*node.find("to"), ".to", complaints, read_http_url);
  if (!path || !to) return std::nullopt;
  if (!path->ends_with('/')) path->push_back('/');
  if (!to->path.ends_with('/')) to->path.push_back('/');
  return proxy::Route{*std::move(path), *std::move(to)};
}

std::optional<semconv::genai::Price> read_price(const Node& node, Complaints& complaints) {
  using Price = semconv::genai::Price;
  if (node.kind != Node::Kind::kMap) {
    return complain(node, "takes a map, like {model: x, input: 1, output: 2}", complaints);
  }
  Price price;
  const size_t before = complaints.size();
  const auto amount = [&](const Node::Member& member) {
    return read_part(member.value, "." + member.key, complaints, read_amount).value_or(0);
  };
  for (const Node::Member& member : node.members) {
    const std::string_view key = member.key;
    if (key == "provider" || key == "model") {
      const auto name = read_part(member.value, "." + member.key, complaints, read_name);
      (key == "model" ? price.model : price.provider) = name.value_or("");
    } else if (key == "input") {
      price.input = amount(member);
    } else if (key == "output") {
      price.output = amount(member);
    } else if (key == "cache_read") {
      price.cache_read = amount(member);
    } else if (key == "cache_write") {
      price.cache_write = amount(member);
    } else {
      complaints.push_back({member.line, "." + member.key, "is no part of a price"});
    }
  }
  for (const std::string_view needed : {"model", "input", "output"}) {
    if (node.find(needed) == nullptr) {
      complaints.push_back({node.line, "", std::string(needed) + " is missing"});
    }
  }
  if (complaints.size() != before) return std::nullopt;
  return price;
}

std::optional<std::optional<http::Url>> read_via(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  if (text->empty() || *text == "off") return std::optional<http::Url>{};
  // Many write no scheme into HTTP_PROXY.
  const bool bare = text->find("://") == std::string::npos;
  const Result<http::Url> url = http::parse_url(bare ? "http://" + *text : *text);
  if (!url || url->scheme != "http") {
    return complain(node, "is no URL of an HTTP proxy, like http://proxy:3128", complaints);
  }
  return *url;
}

std::optional<ClientCertificateFiles> read_client_certificate(const Node& node,
                                                              Complaints& complaints) {
  if (!has_keys(node, {"match", "certificate", "key"}, complaints)) return std::nullopt;
  auto match = read_part(*node.find("match"), ".match", complaints, list_of<read_host_pattern>);
  auto certificate = read_part(*node.find("certificate"), ".certificate", complaints, read_name);
  auto key = read_part(*node.find("key"), ".key", complaints, read_name);
  if (!match || !certificate || !key) return std::nullopt;
  return ClientCertificateFiles{*std::move(match), *std::move(certificate), *std::move(key)};
}

std::optional<uint32_t> read_sources(const Node& node, Complaints& complaints) {
  using lineage::Source;
  constexpr std::array<Word<Source>, 8> kSources = {{{"mcp_meta", Source::kMcpMeta},
                                                     {"wire", Source::kWire},
                                                     {"listener", Source::kListener},
                                                     {"credential", Source::kCredential},
                                                     {"id", Source::kId},
                                                     {"echo", Source::kEcho},
                                                     {"ingress", Source::kIngress},
                                                     {"environment", Source::kEnvironment}}};
  const auto sources = read_list(node, complaints, [&](const Node& item, Complaints& inner) {
    return read_word(item, kSources, inner);
  });
  if (!sources) return std::nullopt;
  uint32_t bits = 0;
  for (const Source source : *sources) bits |= 1U << static_cast<unsigned>(source);
  return bits;
}

std::optional<std::string> read_sampler(const Node& node, Complaints& complaints) {
  std::optional<std::string> name = read_text(node, complaints);
  if (!name) return name;
  const auto sampler = trace::make_sampler(*name);
  if (!sampler) return complain(node, sampler.error().what, complaints);
  return text::lower(*name);
}

std::optional<Pairs> read_resource(const Node& node, Complaints& complaints) {
  std::optional<Pairs> pairs = read_pairs(node, complaints);
  if (pairs && node.find("service.name") != nullptr) {
    return complain(node, "service.name is a setting of its own", complaints);
  }
  return pairs;
}

std::optional<std::vector<std::string>> read_ignore(const Node& node, Complaints& complaints) {
  const auto entries = list_of<read_name>(node, complaints);
  if (!entries) return std::nullopt;
  const size_t before = complaints.size();
  std::vector<std::string> paths;
  for (const std::string& entry : *entries) {
    if (entry == "otlp") {
      paths.insert(paths.end(), kOtlpPaths.begin(), kOtlpPaths.end());
    } else if (entry.starts_with('/')) {
      paths.push_back(entry);
    } else {
      complain(node, quote(entry) + " is neither otlp nor a path that starts with /", complaints);
    }
  }
  if (complaints.size() > before) return std::nullopt;
  return paths;
}

std::optional<std::string> read_url_template(const Node& node, Complaints& complaints) {
  std::optional<std::string> text = read_text(node, complaints);
  if (text && !is_template(*text)) {
    return complain(node, quote(*text) + " is no path like /v1/users/{id}", complaints);
  }
  return text;
}

std::optional<std::map<std::string, std::string>> read_peers(const Node& node,
                                                             Complaints& complaints) {
  const std::optional<Pairs> pairs = read_pairs(node, complaints);
  if (!pairs) return std::nullopt;
  std::map<std::string, std::string> peers;
  for (const auto& [host, name] : *pairs) {
    if (name.empty()) return complain(node, quote(host) + " has no name", complaints);
    peers[text::lower(host)] = name;
  }
  return peers;
}

std::optional<std::string> read_method(const Node& node, Complaints& complaints) {
  std::optional<std::string> method = read_text(node, complaints);
  if (method && !text::is_token(*method)) {
    return complain(node, quote(*method) + " is no method", complaints);
  }
  return method;
}

std::optional<std::string> read_capture_header(const Node& node, Complaints& complaints) {
  const std::optional<std::string> name = read_text(node, complaints);
  if (!name) return std::nullopt;
  if (!text::is_token(*name))
    return complain(node, quote(*name) + " is no header name", complaints);
  if (semconv::is_secret_header(text::lower(*name))) {
    return complain(node, quote(*name) + " carries a secret and is never captured", complaints);
  }
  return text::lower(*name);
}

std::optional<std::optional<http::Url>> read_endpoint(const Node& node, Complaints& complaints) {
  if (node.kind == Node::Kind::kMap) {
    if (!has_keys(node, {"url", "path"}, complaints)) return std::nullopt;
    auto url = read_http_url(*node.find("url"), complaints);
    const auto path = read_name(*node.find("path"), complaints);
    if (!url || !path) return std::nullopt;
    if (!http::is_origin_form(*path)) return complain(node, "has a path without /", complaints);
    url->path = *path;
    return url;
  }
  if (node.kind == Node::Kind::kText && node.text == "off") return std::optional<http::Url>{};
  std::optional<http::Url> url = read_http_url(node, complaints);
  if (!url) return std::nullopt;
  if (url->path == "/") url->path = "/v1/traces";
  return url;
}

std::optional<report::OtlpProtocol> read_protocol(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  if (*text == "http/protobuf") return report::OtlpProtocol::kHttp;
  if (*text == "grpc") return report::OtlpProtocol::kGrpc;
  if (*text == "http/json") {
    return complain(node, "http/json is not in this version, only http/protobuf and grpc",
                    complaints);
  }
  return complain(node, quote(*text) + " is neither http/protobuf nor grpc", complaints);
}

std::optional<Pairs> read_export_headers(const Node& node, Complaints& complaints) {
  std::optional<Pairs> pairs = read_pairs(node, complaints);
  if (!pairs) return pairs;
  for (const auto& [name, value] : *pairs) {
    // What was meant as a value may have come to be a name, so that only ours are quoted.
    if (!text::is_token(name)) {
      return complain(node, "has a name in it that is no header name", complaints);
    }
    const auto* const own = std::ranges::find(kExporterFields, text::lower(name));
    if (own != kExporterFields.end()) {
      return complain(node, quote(*own) + " is written by the exporter itself", complaints);
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return complain(node, "has a value in it that is no header value", complaints);
    }
  }
  return pairs;
}

}  // namespace sidespan::app
