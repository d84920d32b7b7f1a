#include "app/config.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "app/config_sources.h"
#include "app/setting_checks.h"
#include "app/terminal_text.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

// All candidates weighed, once.
class Weighing {
 public:
  explicit Weighing(const Gathered& gathered) : gathered_(gathered) {
    for (const Setting& setting : setting_table()) {
      Complaints none;
      setting.read(default_of(setting), settings_, none);
    }
    for (size_t i = 0; i < gathered.candidates.size(); ++i) weigh(setting_table()[i], i);
    // Whom the deadline would cut hears in time that it will come.
    http::CodecLimits& codec = settings_.limits.proxy.codec;
    codec.drain_time = std::min(codec.drain_time, settings_.drain.deadline * 2 / 5);
    settings_.limits.pool.codec = settings_.limits.proxy.codec;
    settings_.limits.serve.codec = settings_.limits.proxy.codec;
    settings_.tls.interception.handshake_time_max = settings_.limits.dialer.handshake_time_max;
  }

  Settings& settings() { return settings_; }
  std::vector<EffectiveValue>& values() { return values_; }
  std::vector<Fault>& faults() { return faults_; }
  std::vector<std::string>& warnings() { return warnings_; }
  bool is_faulty(std::string_view key) const { return faulty_.contains(std::string(key)); }
  const EffectiveValue* find(std::string_view key) const {
    const auto value =
        std::ranges::find_if(values_, [&](const auto& v) { return v.setting->key == key; });
    return value == values_.end() ? nullptr : &*value;
  }

 private:
  void weigh(const Setting& setting, size_t index) {
    EffectiveValue value{&setting, {}, {}, {}};
    for (const Candidate& candidate : gathered_.candidates[index]) {
      const bool decided = !value.winners.empty() && !setting.merges;
      if (decided && candidate.kind >= SourceKind::kCommand) continue;
      if (decided && candidate.kind == SourceKind::kStandard) {
        add_once(value.losers, candidate.place());
      } else if (is_good(setting, candidate)) {
        if (decided) {
          add_once(value.losers, candidate.place());
        } else {
          value.winners.push_back(candidate);
        }
      }
    }
    judge_in_vain(setting, value.winners.front());
    settle(setting, value);
    values_.push_back(std::move(value));
  }

  // What OpenTelemetry's variables say in vain counts as unset, but a strict setting is not left to
  // what nobody chose: OTEL_TRACES_EXPORTER stands for a default.
  void judge_in_vain(const Setting& setting, const Candidate& winner) {
    const bool named = winner.kind < SourceKind::kCommand && winner.where != "OTEL_TRACES_EXPORTER";
    for (Fault& fault : std::exchange(in_vain_, {})) {
      if (setting.strict && !named) {
        faulty_.insert(std::string(setting.key));
        faults_.push_back(std::move(fault));
      } else {
        add_once(warnings_, fault.where + ": " + fault.what + "; it is ignored");
      }
    }
  }

  // Everything that is written is looked at, also what then loses: a fault does not hide behind a
  // stronger source.
  bool is_good(const Setting& setting, const Candidate& candidate) {
    Settings scratch;
    Complaints complaints;
    setting.read(candidate.value, scratch, complaints);
    for (const Complaint& complaint : complaints) {
      // What was meant as a value may have come to be a name.
      const std::string key = std::string(setting.key) + (setting.secret ? "" : complaint.at);
      if (candidate.kind == SourceKind::kStandard) {
        in_vain_.push_back({candidate.where, 0, key, complaint.what});
      } else {
        const int line = complaint.line > 0 ? complaint.line : candidate.line;
        faults_.push_back({candidate.where, line, key, complaint.what});
        faulty_.insert(std::string(setting.key));
      }
    }
    return complaints.empty();
  }

  void settle(const Setting& setting, EffectiveValue& value) {
    // An empty default has nothing to add.
    if (value.winners.size() > 1) value.winners.pop_back();
    value.value = value.winners.front().value;
    for (size_t i = 1; i < value.winners.size(); ++i) {
      for (const Node::Member& member : value.winners[i].value.members) {
        if (value.value.find(member.key) == nullptr) value.value.members.push_back(member);
      }
    }
    Complaints none;
    setting.read(value.value, settings_, none);
  }

  const Gathered& gathered_;
  Settings settings_;
  std::vector<EffectiveValue> values_;
  std::vector<Fault> faults_;
  std::vector<std::string> warnings_;
  std::vector<Fault> in_vain_;  // of OpenTelemetry's variables, for the setting that is weighed
  std::set<std::string, std::less<>> faulty_;
};

bool is_standard(const EffectiveValue& value) {
  return value.winners.front().kind == SourceKind::kStandard;
}

// Takes the OpenTelemetry candidate behind `conflict` out of the race; false when there is none.
bool yield_standard(const Conflict& conflict, const Weighing& weighing, Gathered& gathered) {
  if (!conflict.standard_yields) return false;
  for (const std::string_view key : {conflict.key, conflict.other}) {
    const EffectiveValue* value = weighing.find(key);
    if (value == nullptr || !is_standard(*value)) continue;
    const std::string& variable = value->winners.front().where;
    add_once(gathered.warnings,
             variable + ": " + std::string(conflict.key) + " " + conflict.what + "; it is ignored");
    auto& candidates =
        gathered.candidates[static_cast<size_t>(value->setting - setting_table().data())];
    std::erase_if(candidates,
                  [&](const Candidate& candidate) { return candidate.where == variable; });
    return true;
  }
  return false;
}

Fault fault_of(const Conflict& conflict, const Weighing& weighing) {
  const EffectiveValue* value = weighing.find(conflict.key);
  const EffectiveValue* other = weighing.find(conflict.other);
  const bool is_default = value->winners.front().kind >= SourceKind::kCommand;
  const Candidate& blamed = (is_default && other != nullptr ? other : value)->winners.front();
  return {blamed.where, blamed.line, std::string(conflict.key), conflict.what};
}

void judge(Weighing& weighing, std::vector<Fault>& faults) {
  for (const Conflict& conflict : find_conflicts(weighing.settings())) {
    if (weighing.is_faulty(conflict.key) || weighing.is_faulty(conflict.other)) continue;
    faults.push_back(fault_of(conflict, weighing));
  }
}

// What was written and does nothing because of a setting that is off. What a command turns off by
// itself, as `run` does the ingress, is nobody's mistake.
void warn_of_idle(const Weighing& weighing, const Settings& settings,
                  std::vector<std::string>& warnings) {
  const auto warn = [&](bool idle, std::string_view key, std::string_view off) {
    if (!idle || weighing.find(off)->winners.front().kind == SourceKind::kFlag) return;
    warnings.push_back(weighing.find(key)->winners.front().place() + ": " + std::string(key) +
                       " does nothing: " + std::string(off) + " is off");
  };
  warn(settings.ingress.forward_to && !settings.listen.ingress, "ingress.forward_to",
       "listen.ingress");
  const proxy::Interception& interception = settings.tls.interception;
  warn(interception.mode == proxy::Interception::Mode::kOff && !interception.hosts.empty(),
       "tls.intercept.hosts", "tls.intercept.mode");
}

void read_switches(const Environment& environment, Configuration& configuration) {
  const auto file = environment.find("OTEL_CONFIG_FILE");
  if (file != environment.end() && !file->second.empty()) {
    configuration.faults.push_back(
        {"OTEL_CONFIG_FILE", 0, "",
         "sidespan does not read OpenTelemetry's configuration file; write its settings into "
         "sidespan's own and unset this variable"});
  }
  const auto disabled = environment.find("OTEL_SDK_DISABLED");
  if (disabled == environment.end() || disabled->second.empty()) return;
  const std::string_view text = text::trim(disabled->second);
  configuration.settings.tracing = !text::equal_ignoring_case(text, "true");
  if (configuration.settings.tracing && !text::equal_ignoring_case(text, "false")) {
    add_once(configuration.settings.warnings,
             "OTEL_SDK_DISABLED: " + quote(text) + " is neither true nor false; it is ignored");
  }
}

// Whether anybody but the table has said where to export to, be it in vain.
bool export_is_decided(const Environment& environment, const Weighing& weighing) {
  constexpr std::array kVariables = {"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT",
                                     "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"};
  const bool named = std::ranges::any_of(kVariables, [&](const char* name) {
    const auto variable = environment.find(name);
    return variable != environment.end() && !text::trim(variable->second).empty();
  });
  const EffectiveValue* endpoint = weighing.find("export.otlp.endpoint");
  return named || endpoint->winners.front().kind != SourceKind::kDefault;
}

}  // namespace

std::string Fault::to_string() const {
  std::string out = where;
  if (line > 0) out += ":" + std::to_string(line);
  if (!key.empty()) out += ": " + key;
  // Keys are as they were written.
  return printable(out + ": " + what, false);
}

std::string Candidate::place() const {
  return line > 0 ? where + ":" + std::to_string(line) : where;
}

Configuration configure(const ConfigSources& sources) {
  Gathered gathered = gather(sources);
  std::optional<Weighing> last(std::in_place, gathered);
  // Each round takes a candidate away, so it ends.
  const auto yields = [&](const Conflict& conflict) {
    return yield_standard(conflict, *last, gathered);
  };
  while (std::ranges::any_of(find_conflicts(last->settings()), yields)) last.emplace(gathered);
  Weighing& weighing = *last;
  Configuration configuration;
  configuration.faults = std::move(gathered.faults);
  std::ranges::move(weighing.faults(), std::back_inserter(configuration.faults));
  judge(weighing, configuration.faults);
  configuration.settings = std::move(weighing.settings());
  configuration.settings.exporting.decided = export_is_decided(sources.environment, weighing);
  configuration.settings.warnings = std::move(gathered.warnings);
  for (const std::string& warning : weighing.warnings()) {
    add_once(configuration.settings.warnings, warning);
  }
  warn_of_idle(weighing, configuration.settings, configuration.settings.warnings);
  configuration.values = std::move(weighing.values());
  read_switches(sources.environment, configuration);
  std::ranges::stable_sort(configuration.faults, {}, [&](const Fault& fault) {
    const bool in_file = sources.file && fault.where == sources.file->name;
    return std::pair(!in_file, fault.line);
  });
  return configuration;
}

}  // namespace sidespan::app
