#include "app/run_report.h"

#include <fmt/format.h>

namespace sidespan::app {
namespace {

std::string counted(uint64_t spans) {
  return fmt::format("{} span{}", spans, spans == 1 ? "" : "s");
}

}  // namespace

std::string shown(const ExportSettings& exporting) {
  const http::Url& endpoint = *exporting.endpoint;
  const std::string path = exporting.protocol == report::OtlpProtocol::kGrpc
                               ? ""
                               : endpoint.path.substr(0, endpoint.path.find('?'));
  return fmt::format("{}://{}{}", endpoint.scheme, endpoint.authority.to_string(), path);
}

std::vector<std::string> run_report(const Settings& settings, const RunRoot& root,
                                    const RunRecord& record, const TreeStyle& style) {
  if (!settings.tracing) return {"sidespan: tracing is off (OTEL_SDK_DISABLED)"};
  if (!root.sampled && record.spans.empty()) {
    return {fmt::format("sidespan: this run was not sampled ({})", settings.sampling.sampler)};
  }
  return run_tree(record, style);
}

std::string where_spans_went(const Settings& settings, const report::Totals& totals,
                             const std::string& log) {
  if (totals.emitted == 0) return "";
  if (!settings.exporting.endpoint && settings.exporting.decided) {
    return "sidespan: these spans were kept for this tree alone";
  }
  if (!settings.exporting.endpoint) {
    return "sidespan: these spans were kept for this tree alone; to send them to a collector, set "
           "OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318";
  }
  const std::string endpoint = shown(settings.exporting);
  const uint64_t left_out = totals.dropped[static_cast<size_t>(report::DropReason::kTail)];
  if (left_out > 0 && totals.exported + left_out == totals.emitted) {
    return fmt::format("sidespan: {} of {} exported to {}; sampling.tail kept no more",
                       totals.exported, counted(totals.emitted), endpoint);
  }
  if (totals.exported == totals.emitted) {
    return fmt::format("sidespan: {} exported to {}", counted(totals.exported), endpoint);
  }
  std::string sentence = fmt::format("sidespan: {} of {} exported to {}", totals.exported,
                                     counted(totals.emitted), endpoint);
  if (!log.empty()) sentence += fmt::format("; {} says why", log);
  return sentence;
}

}  // namespace sidespan::app
