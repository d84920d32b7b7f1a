// What listens where a sidecar should, as `doctor` reads it: whatever its page is, what is said of
// it is so many printable lines, and no longer than the page itself allows; a fault that was met on
// the way there is told, and is one. What /metrics writes of a sidecar's counters is read back as
// it was counted. And whatever a text is, a terminal gets no more cells of it than it was given
// room.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "app/doctor_sidecar.h"
#include "app/metrics_page.h"
#include "app/terminal_text.h"
#include "sidespan/base/metrics.h"
#include "sidespan/base/text.h"
#include "sidespan/report/metrics_text.h"

using namespace sidespan;
using app::MetricsPage;

namespace {

constexpr std::string_view kOpaque = "sidespan_tunnels_opaque_total";
// What `doctor` says beside the page's own words, a finding.
constexpr size_t kWordsMax = 512;

void check_findings(std::string_view text, const MetricsPage& page) {
  const app::Findings findings = app::judge_sidecar(
      {.egress = "http://127.0.0.1:17001", .asked = "127.0.0.1:17003", .metrics = page});
  const auto lines = static_cast<size_t>(std::ranges::count(text, '\n')) + 1;
  constexpr size_t kOfItself = 12;
  if (findings.size() > lines + kOfItself) std::abort();
  const std::string said = app::text_of(findings);
  // Each byte of a page may come to stand as an escape, or as a mark of what is no UTF-8.
  if (said.size() > 8 * text.size() + kWordsMax * findings.size()) std::abort();
  std::optional<std::string_view> rest = said;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    if (app::printable(line, false) != line) std::abort();
  }
}

bool has(const app::Findings& findings, app::Verdict verdict, std::string_view words) {
  return std::ranges::any_of(findings, [&](const app::Finding& finding) {
    return finding.verdict == verdict && finding.what.contains(words);
  });
}

// A line as what went wrong, or as what a collector said.
void check_faults(const std::string& line) {
  using Facts = app::SidecarFacts;
  constexpr std::string Facts::* kFaults[] = {&Facts::egress_fault, &Facts::stranger,
                                              &Facts::refusal, &Facts::alive_fault,
                                              &Facts::ready_fault};
  Facts facts{.egress = "http://127.0.0.1:17001", .asked = "127.0.0.1:17003"};
  for (const auto fault : kFaults) {
    facts.*fault = line;
    const app::Findings findings = app::judge_sidecar(facts);
    if (findings.empty() || app::any_failed(findings) == line.empty()) std::abort();
    if (!line.empty() && !has(findings, app::Verdict::kFail, line)) std::abort();
    (facts.*fault).clear();
  }
  facts.asked.clear();
  if (app::any_failed(app::judge_sidecar(facts))) std::abort();

  app::CollectorFacts collector{.endpoint = "http://collector:4318", .fault = line};
  if (!line.empty() && !has(app::judge_collector(collector), app::Verdict::kFail, line)) {
    std::abort();
  }
  collector = {.endpoint = "http://collector:4318", .fault = {}, .status = line};
  const app::Findings findings = app::judge_collector(collector);
  if (findings.size() != 1 || !findings.front().what.ends_with(line)) std::abort();
  const bool took = findings.front().verdict == app::Verdict::kOk;
  if (took != (line == "OK" || line.starts_with('2'))) std::abort();
  if (!took && findings.front().advice.empty()) std::abort();
  collector.tracing = false;
  if (!app::any_failed(app::judge_collector(collector))) std::abort();
  collector = {.endpoint = "", .decided = line.empty(), .fault = line};
  if (app::any_failed(app::judge_collector(collector))) std::abort();
}

void check_cells(std::string_view line) {
  const std::string shown = app::printable(line, false);
  const std::string ascii = app::printable(line, true);
  if (!text::is_valid_utf8(shown) || app::printable(shown, false) != shown) std::abort();
  if (app::columns(ascii) != ascii.size() || app::printable(ascii, true) != ascii) std::abort();
  const size_t all = app::columns(shown);
  for (const size_t width : {size_t{0}, size_t{1}, size_t{7}, all / 2, all, all + 3}) {
    for (const std::string_view mark : {"...", "\u2026", ""}) {
      const std::string cut = app::cut_middle(shown, width, mark);
      if (app::columns(cut) > width || !text::is_valid_utf8(cut)) std::abort();
      if (width >= all && cut != shown) std::abort();
      // Of wide characters on both sides of the mark each may leave a cell.
      if (width < all && app::columns(cut) + 2 < width) std::abort();
      if (width >= all || width <= app::columns(mark)) continue;
      const size_t head = cut.find(mark);
      const size_t tail = cut.rfind(mark);
      if (head == cut.npos || !shown.starts_with(cut.substr(0, head))) std::abort();
      if (!shown.ends_with(cut.substr(tail + mark.size()))) std::abort();
    }
    const std::string right = app::pad_right(shown, width);
    const std::string left = app::pad_left(shown, width);
    if (app::columns(right) != std::max(all, width) || !right.starts_with(shown)) std::abort();
    if (app::columns(left) != std::max(all, width) || !left.ends_with(shown)) std::abort();
  }
}

void check_lines(std::string_view text) {
  constexpr size_t kLinesMax = 16;
  std::optional<std::string_view> rest = text;
  for (size_t i = 0; rest && i < kLinesMax; ++i) {
    const std::string_view line = text::split_first(rest, '\n');
    check_cells(line);
    check_faults(std::string(line));
  }
}

bool is_close(double a, double b, double all) {
  return !std::isfinite(all) || std::abs(a - b) <= 1e-9 * all;
}

// The samples of a name by one of their labels are all that there is of it.
void check_sums(std::string_view text, const MetricsPage& page) {
  constexpr size_t kLinesMax = 32;  // each looks at all
  std::optional<std::string_view> rest = text;
  for (size_t i = 0; rest && i < kLinesMax; ++i) {
    const std::string_view line = text::split_first(rest, '\n');
    const std::string_view name = line.substr(0, line.find_first_of(" {"));
    const std::string_view label = line.substr(std::min(name.size() + 1, line.size()));
    const auto by = page.by_label(name, label.substr(0, label.find('=')));
    double sum = 0;
    double all = 0;
    for (const auto& [value, count] : by) {
      if (value.contains('"') || value.size() > text.size()) std::abort();
      sum += count;
      all += std::abs(count);
    }
    const double total = page.total(name);
    if (by.empty() && total != 0) std::abort();
    // Of different signs they may have met their match within a label.
    if (text.contains('-')) continue;
    if (!is_close(sum, total, all)) std::abort();
  }
}

// A line each: a reason, and how often, as a sidecar may have counted.
void check_own_page(std::string_view text) {
  metrics::Snapshot snapshot;
  std::map<std::string, double> counted;
  double all = 0;
  std::optional<std::string_view> rest = text;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    const size_t blank = line.rfind(' ');
    if (blank == line.npos) continue;
    const auto count = text::parse_unsigned(line.substr(blank + 1), UINT32_MAX);
    const std::string reason(line.substr(0, blank));
    // What has quotes is none of ours.
    const bool ours = text::is_valid_utf8(reason) && reason.find_first_of("\"\\") == reason.npos;
    if (!count || !ours) continue;
    metrics::Sample sample;
    sample.labels = {{"listener", "egress"}, {"reason", reason}};
    sample.value = static_cast<double>(*count);
    metrics::merge(snapshot, "sidespan_tunnels_opaque", reason, metrics::Kind::kCounter, sample);
    all += sample.value;
    if (*count > 0) counted[reason] += sample.value;
  }
  for (const char* accept : {"", "application/openmetrics-text"}) {
    const MetricsPage page(report::metrics_text(snapshot, accept).body);
    if (page.total(kOpaque) != all) std::abort();
    if (page.by_label(kOpaque, "reason") != counted) std::abort();
    if (page.empty() != snapshot.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const MetricsPage page(text);
  if (page.empty() && page.total("") != 0) std::abort();
  check_findings(text, page);
  check_lines(text);
  check_sums(text, page);
  check_own_page(text);
  return 0;
}
