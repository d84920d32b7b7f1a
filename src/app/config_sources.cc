#include "app/config_sources.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "app/config_variables.h"
#include "app/setting_names.h"
#include "app/terminal_text.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr std::string_view kPrefix = "SIDESPAN_";

// SIDESPAN_ variables that name no setting: where things are, and what Kubernetes puts beside a
// Service whose name begins with "sidespan".
bool is_no_setting(std::string_view variable) {
  return std::ranges::find(kPlaceVariables, variable) != kPlaceVariables.end() ||
         variable.ends_with("_SERVICE_HOST") || variable.find("_PORT") != std::string_view::npos;
}

class Gatherer {
 public:
  explicit Gatherer(const ConfigSources& sources) : sources_(sources) {}

  Gathered run() {
    gathered_.candidates.resize(setting_table().size());
    gather_overrides(sources_.flags, SourceKind::kFlag);
    gather_variables();
    gather_file();
    gather_standard();
    leave_out_unspoken();
    match_protocol();
    gather_overrides(sources_.defaults, SourceKind::kCommand);
    for (const Setting& setting : setting_table()) {
      list_of(setting).push_back({SourceKind::kDefault, "default", 0, default_of(setting)});
    }
    return std::move(gathered_);
  }

 private:
  std::vector<Candidate>& list_of(const Setting& setting) {
    return gathered_.candidates[static_cast<size_t>(&setting - setting_table().data())];
  }

  void blame(const std::string& where, const std::string& key, const Complaints& complaints) {
    for (const Complaint& complaint : complaints) {
      gathered_.faults.push_back({where, complaint.line, key + complaint.at, complaint.what});
    }
  }

  // What was meant as a value may have come to be a name.
  void blame(const std::string& where, const Setting& setting, Complaints complaints) {
    if (setting.secret) {
      for (Complaint& complaint : complaints) complaint.at.clear();
    }
    blame(where, std::string(setting.key), complaints);
  }

  void add_text(const Setting& setting, SourceKind kind, const std::string& where,
                std::string_view text) {
    Complaints complaints;
    Node value = shape_text(setting, text, complaints);
    blame(where, setting, complaints);
    if (complaints.empty()) list_of(setting).push_back({kind, where, 0, std::move(value)});
  }

  void gather_overrides(const std::vector<Override>& overrides, SourceKind kind) {
    for (const Override& override : overrides) {
      const Setting* setting = find_setting(override.key);
      assert(setting != nullptr);
      add_text(*setting, kind, override.by, override.value);
    }
  }

  void gather_variables() {
    for (const Setting& setting : setting_table()) {
      const auto variable = sources_.environment.find(setting.variable());
      // Empty is unset, as with OTEL_*: manifests often cannot leave a variable out.
      if (variable == sources_.environment.end() || variable->second.empty()) continue;
      add_text(setting, SourceKind::kVariable, variable->first, variable->second);
    }
    warn_of_unknown_variables();
  }

  void warn_of_unknown_variables() {
    for (auto variable = sources_.environment.lower_bound(kPrefix);
         variable != sources_.environment.end() && variable->first.starts_with(kPrefix);
         ++variable) {
      const std::string& name = variable->first;
      const bool known = std::ranges::any_of(
          setting_table(), [&](const Setting& setting) { return setting.variable() == name; });
      if (known || is_no_setting(name)) continue;
      add_once(gathered_.warnings, name + " " + unknown_variable_sentence(name));
    }
  }

  void gather_file() {
    if (!sources_.file) return;
    file_ = sources_.file->name;
    const Tree tree = parse_yaml(sources_.file->content);
    blame(file_, "", tree.complaints);
    if (tree.root.kind == Node::Kind::kNull) return;
    if (tree.root.kind != Node::Kind::kMap) {
      blame(file_, "", {{tree.root.line, "", "a configuration is a map of sections"}});
      return;
    }
    visit_section(tree.root, "");
  }

  void visit_section(const Node& section, const std::string& path) {
    for (const Node::Member& member : section.members) {
      const std::string key = path + member.key;
      const Setting* setting = find_setting(key);
      if (member.key.find('.') != std::string::npos) {
        blame(file_, key,
              {{member.line, "", "is not a setting; sections are nested, not joined by dots"}});
      } else if (setting != nullptr) {
        add_from_file(*setting, member);
      } else if (!is_section(key)) {
        blame(file_, key, {{member.line, "", unknown_key_sentence(key)}});
      } else if (member.value.kind == Node::Kind::kMap) {
        visit_section(member.value, key + ".");
      } else if (member.value.kind != Node::Kind::kNull) {
        blame(file_, key, {{member.line, "", "is a section and takes a map"}});
      }
    }
  }

  // A key without a value is as good as not written.
  void add_from_file(const Setting& setting, const Node::Member& member) {
    if (member.value.kind == Node::Kind::kNull) return;
    Complaints complaints;
    Node value = member.value;
    substitute_all(value, sources_.environment, bytes_left_, complaints);
    if (complaints.empty()) value = shape_node(setting, value, complaints);
    blame(file_, setting, complaints);
    if (!complaints.empty()) return;
    list_of(setting).push_back({SourceKind::kFile, file_, member.line, std::move(value)});
  }

  void gather_standard() {
    for (const Setting& setting : setting_table()) {
      for (const StandardVariable& standard : setting.standard) {
        const auto variable = sources_.environment.find(standard.name);
        if (standard.convert == nullptr || variable == sources_.environment.end()) continue;
        if (text::trim(variable->second).empty()) continue;
        StandardValue read = standard.convert(variable->second);
        if (!read.warning.empty()) {
          add_once(gathered_.warnings, variable->first + ": " + read.warning);
        }
        if (read.value) {
          list_of(setting).push_back(
              {SourceKind::kStandard, variable->first, 0, *std::move(read.value)});
        }
      }
    }
  }

  // The protocol of OpenTelemetry's variables is that of their endpoint, not of ours; and where
  // they leave the endpoint open, it depends on the protocol.
  void match_protocol() {
    std::vector<Candidate>& protocols = list_of(*find_setting("export.otlp.protocol"));
    std::vector<Candidate>& endpoints = list_of(*find_setting("export.otlp.endpoint"));
    const auto is_standard = [](const Candidate& candidate) {
      return candidate.kind == SourceKind::kStandard;
    };
    if (endpoints.empty()) return;
    if (!is_standard(endpoints.front())) std::erase_if(protocols, is_standard);
    const bool grpc = !protocols.empty() && protocols.front().value.text == "grpc";
    Candidate& endpoint = endpoints.front();
    const bool left_open = endpoint.where == "OTEL_TRACES_EXPORTER" &&
                           endpoint.value.text == standard::kDefaultEndpoint;
    if (grpc && left_open) endpoint.value.text = standard::kDefaultGrpcEndpoint;
    if (grpc && is_standard(endpoint)) complete_endpoint(endpoint);
  }

  // For gRPC alone OpenTelemetry lets an endpoint go without its scheme (protocol/exporter).
  void complete_endpoint(Candidate& endpoint) {
    std::string& url = endpoint.value.text;
    const bool written = endpoint.value.kind == Node::Kind::kText && url != "off";
    if (!written || url.find("://") != std::string::npos) return;
    const bool own = endpoint.where == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const std::string_view general = variable("OTEL_EXPORTER_OTLP_INSECURE");
    const std::string_view traces = variable("OTEL_EXPORTER_OTLP_TRACES_INSECURE");
    const std::string_view insecure = own && !traces.empty() ? traces : general;
    url.insert(0, text::equal_ignoring_case(insecure, "true") ? "http://" : "https://");
    if (!insecure.empty()) return;
    add_once(gathered_.warnings,
             endpoint.where +
                 ": has no scheme and is taken for https://, as OpenTelemetry has it for gRPC; for "
                 "a collector without TLS write http:// before it");
  }

  std::string_view variable(std::string_view name) const {
    const auto found = sources_.environment.find(name);
    return found == sources_.environment.end() ? std::string_view() : text::trim(found->second);
  }

  // An endpoint that OpenTelemetry's variables name for a protocol we do not speak is no place to
  // send to.
  void leave_out_unspoken() {
    std::vector<Candidate>& protocols = list_of(*find_setting("export.otlp.protocol"));
    std::vector<Candidate>& endpoints = list_of(*find_setting("export.otlp.endpoint"));
    const auto is_standard = [](const Candidate& candidate) {
      return candidate.kind == SourceKind::kStandard;
    };
    if (protocols.empty() || !is_standard(protocols.front())) return;
    if (endpoints.empty() || !is_standard(endpoints.front())) return;
    const Candidate& protocol = protocols.front();
    const Candidate& endpoint = endpoints.front();
    const std::string& spoken = protocol.value.text;
    if (spoken != "http/json" || endpoint.value.text == "off") return;
    add_once(gathered_.warnings,
             protocol.where + ": " + spoken + " is not in this version, so the endpoint of " +
                 endpoint.where +
                 " does not count and nothing is exported; set the protocol to http/protobuf and "
                 "the endpoint to a collector's HTTP port, usually 4318");
    std::erase_if(protocols, is_standard);
    std::erase_if(endpoints, is_standard);
  }

  const ConfigSources& sources_;
  Gathered gathered_;
  std::string file_;  // the configuration file's name, once it is read
  size_t bytes_left_ = kConfigBytesMax;
};

}  // namespace

void add_once(std::vector<std::string>& sentences, std::string sentence) {
  sentence = printable(sentence, false);
  if (std::ranges::find(sentences, sentence) == sentences.end()) {
    sentences.push_back(std::move(sentence));
  }
}

Gathered gather(const ConfigSources& sources) {
  return Gatherer(sources).run();
}

}  // namespace sidespan::app
