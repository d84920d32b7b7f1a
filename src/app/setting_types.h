// Readers of the settings that are more than one word: listeners, hosts, routes, header names, the
// exporter's URL and headers. Each checks all that can be checked by looking at the value alone;
// what needs a second setting is in setting_checks.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/setting_reader.h"
#include "app/settings.h"

namespace sidespan::app {

// "localhost:17001", "127.0.0.1:0", "[::1]:17001", ":17021", "off".
std::optional<ListenAddress> read_listen(const Node& node, Complaints& complaints);

// "127.0.0.1:8080", "agent:8080"; `off` is an empty optional within the result.
std::optional<std::optional<net::HostPort>> read_forward_to(const Node& node,
                                                            Complaints& complaints);
// Path wildcards and the word `probes`.
std::optional<IgnoredRequests> read_ingress_ignore(const Node& node, Complaints& complaints);

// "10.0.0.0/8", "::1".
std::optional<net::Network> read_network(const Node& node, Complaints& complaints);
// http://user:password@host:port, `off`; nothing of it is ever repeated.
std::optional<std::optional<http::Url>> read_via(const Node& node, Complaints& complaints);
std::optional<proxy::HostPattern> read_host_pattern(const Node& node, Complaints& complaints);
// {path: /openai/, to: "http://..."}; a missing slash at the end of either is added.
std::optional<proxy::Route> read_route(const Node& node, Complaints& complaints);
std::optional<semconv::genai::Price> read_price(const Node& node, Complaints& complaints);
// {match: ["api.example.com"], certificate: FILE, key: FILE}
std::optional<ClientCertificateFiles> read_client_certificate(const Node& node,
                                                              Complaints& complaints);
// A list of names of lineage::Source, as bits.
std::optional<uint32_t> read_sources(const Node& node, Complaints& complaints);
std::optional<std::string> read_sampler(const Node& node, Complaints& complaints);

std::optional<Pairs> read_resource(const Node& node, Complaints& complaints);
// Path wildcards and the word `otlp`, which stands for several.
std::optional<std::vector<std::string>> read_ignore(const Node& node, Complaints& complaints);
std::optional<std::string> read_url_template(const Node& node, Complaints& complaints);
std::optional<std::map<std::string, std::string>> read_peers(const Node& node,
                                                             Complaints& complaints);
std::optional<std::string> read_method(const Node& node, Complaints& complaints);
// A header that may be shown, in lower case: secret ones are a fault.
std::optional<std::string> read_capture_header(const Node& node, Complaints& complaints);

// An http or https URL without userinfo, "/v1/traces" added where it has no path; `off` is an empty
// optional within the result. {url: ..., path: /} is for a collector that takes spans at its root.
std::optional<std::optional<http::Url>> read_endpoint(const Node& node, Complaints& complaints);
// Only http/protobuf.
std::optional<report::OtlpProtocol> read_protocol(const Node& node, Complaints& complaints);
std::optional<Pairs> read_export_headers(const Node& node, Complaints& complaints);

}  // namespace sidespan::app
