#include "app/run_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "app/run_words.h"
#include "app/terminal_text.h"

namespace sidespan::app {
namespace {

constexpr size_t kDurationColumns = 8;
constexpr size_t kStatusColumnsMax = 22;
constexpr size_t kTargetColumnsMin = 16;
constexpr size_t kNameColumnsMax = 40;
constexpr size_t kGap = 2;
// Deeper spans stand under these, at the same indentation.
constexpr size_t kIndentLevelsMax = 8;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";

struct Signs {
  std::string_view branch, last_branch, trunk, blank, cut, dot;
  std::string_view full, left_half, right_half;
};
constexpr Signs kUnicodeSigns{"├─ ", "└─ ", "│  ", "   ", "…", " · ", "█", "▌", "▐"};
constexpr Signs kAsciiSigns{"|- ", "`- ", "|  ", "   ", "...", " - ", "#", "#", "#"};

// One line before it is laid out.
struct Row {
  std::string indent{};
  std::string method{};
  std::string target{};
  std::string note{};
  std::string status{};
  std::string duration{};
  const RunSpan* span = nullptr;  // null: a heading, in `target`
};

struct Layout {
  size_t method = 0;  // of indent and method together
  size_t label = 0;   // of indent, method, target and note together
  size_t status = 0;
  size_t bar = 0;
};

// The run's extent, against which bars are drawn.
struct Extent {
  WallTime start{};
  Nanoseconds length{0};
};

std::string text_of(Nanoseconds duration) {
  const double seconds = to_seconds(duration);
  if (seconds < 0.00995) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 59.995) return fmt::format("{:.2f} s", seconds);
  const auto whole = std::lround(seconds);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

class Tree {
 public:
  Tree(const RunRecord& run, const TreeStyle& style)
      : run_(run), style_(style), signs_(style.unicode ? kUnicodeSigns : kAsciiSigns) {}

  std::vector<std::string> lines() {
    measure_time();
    arrange();
    const Layout layout = lay_out();
    std::vector<std::string> out{headline()};
    if (!rows_.empty()) out.emplace_back();
    for (const Row& row : rows_) out.push_back(line(row, layout));
    if (run_.left_out > 0) out.push_back(painted(left_out(), kDim));
    return out;
  }

 private:
  using Children = std::unordered_map<uint64_t, std::vector<const RunSpan*>>;

  void measure_time();
  void arrange();
  uint64_t parent_of(const RunSpan& span) const;
  void add_subtree(const RunSpan& top, const Children& children);
  // Those that have no place yet: now they have.
  std::vector<const RunSpan*> take_children(const RunSpan& span, const Children& children);
  void add_row(const RunSpan& span, std::string indent);
  static std::string sum_of(const std::vector<const RunSpan*>& calls);
  Layout lay_out() const;
  std::string headline() const;
  std::string left_out() const;
  std::string line(const Row& row, const Layout& layout) const;
  std::string bar(const RunSpan& span, size_t width) const;
  std::string shown(std::string_view text) const { return printable(text, !style_.unicode); }
  std::string painted(std::string text, std::string_view color) const;

  const RunRecord& run_;
  const TreeStyle& style_;
  const Signs& signs_;
  Extent extent_;
  std::vector<Row> rows_;
  std::unordered_set<const RunSpan*> placed_;
};

void Tree::measure_time() {
  if (run_.spans.empty()) return;
  const auto first = std::ranges::min_element(run_.spans, {}, &RunSpan::start);
  WallTime end = first->start;
  for (const RunSpan& span : run_.spans) end = std::max(end, span.start + span.duration);
  extent_ = {first->start, end - first->start};
}

void Tree::arrange() {
  std::vector<const RunSpan*> ordered;
  ordered.reserve(run_.spans.size());
  for (const RunSpan& span : run_.spans) ordered.push_back(&span);
  std::ranges::sort(ordered, {}, [](const RunSpan* span) {
    return std::tuple(span->start, -span->duration, span->span_id.value);
  });
  std::unordered_set<uint64_t> known;
  for (const RunSpan* span : ordered) known.insert(span->span_id.value);
  Children children;
  std::vector<const RunSpan*> tops;
  const RunSpan* root = nullptr;
  for (const RunSpan* span : ordered) {
    const uint64_t parent = parent_of(*span);
    if (span->span_id == run_.root) {
      root = span;
    } else if (known.contains(parent)) {
      children[parent].push_back(span);
    } else {
      tops.push_back(span);
    }
  }
  if (root != nullptr) add_subtree(*root, children);
  if (root != nullptr && placed_.size() < ordered.size()) {
    rows_.push_back({.target = "under spans of the command's own:"});
  }
  for (const RunSpan* top : tops) add_subtree(*top, children);
  // Parents come from the wire, and could close a ring.
  for (const RunSpan* span : ordered) {
    if (!placed_.contains(span)) add_subtree(*span, children);
  }
}

// A turn with a trace of its own is linked to the run.
uint64_t Tree::parent_of(const RunSpan& span) const {
  const bool of_run =
      !span.parent_id && !span.links.empty() && span.links.front().context.span_id == run_.root;
  return of_run ? run_.root.value : span.parent_id.value;
}

void Tree::add_subtree(const RunSpan& top, const Children& children) {
  struct Step {
    const RunSpan* span;
    std::string trunk;  // what stands before this span's branch
    size_t level;
    bool last;
  };
  placed_.insert(&top);
  std::vector<Step> steps{{&top, "", 0, true}};
  while (!steps.empty()) {
    const Step step = std::move(steps.back());
    steps.pop_back();
    const std::string_view branch = step.level == 0 ? ""
                                    : step.last     ? signs_.last_branch
                                                    : signs_.branch;
    add_row(*step.span, step.trunk + std::string(branch));
    const std::vector<const RunSpan*> below = take_children(*step.span, children);
    if (below.empty()) continue;
    const bool turn = step.span != &top && step.span->kind == trace::SpanKind::kInternal;
    if (turn) rows_.back().note = sum_of(below);
    std::string trunk = step.trunk;
    if (step.level > 0 && step.level < kIndentLevelsMax) {
      trunk += step.last ? signs_.blank : signs_.trunk;
    }
    // Pushed from the end, so that the first child is taken first.
    for (size_t i = below.size(); i-- > 0;) {
      steps.push_back({below[i], trunk, step.level + 1, i + 1 == below.size()});
    }
  }
}

std::vector<const RunSpan*> Tree::take_children(const RunSpan& span, const Children& children) {
  std::vector<const RunSpan*> out;
  const auto below = children.find(span.span_id.value);
  if (below == children.end()) return out;
  for (const RunSpan* child : below->second) {
    if (placed_.insert(child).second) out.push_back(child);
  }
  return out;
}

// What the calls of a turn took together.
std::string Tree::sum_of(const std::vector<const RunSpan*>& calls) {
  const std::string tokens = tokens_of(calls);
  return fmt::format("{} call{}{}{}", calls.size(), calls.size() == 1 ? "" : "s",
                     tokens.empty() ? "" : ", ", tokens);
}

void Tree::add_row(const RunSpan& span, std::string indent) {
  const SpanWords words = words_of(span);
  rows_.push_back({.indent = std::move(indent),
                   .method = shown(words.method),
                   .target = shown(span.span_id == run_.root ? run_.name : words.target),
                   .note = shown(words.note),
                   .status = cut_middle(shown(words.status), kStatusColumnsMax, signs_.cut),
                   .duration = text_of(span.duration),
                   .span = &span});
}

// The bars get what labels leave of the width, within bounds; labels are cut where that is too
// little.
Layout Tree::lay_out() const {
  constexpr size_t kBarMax = 40;
  const size_t width = std::max(style_.width, kTreeWidthMin);
  const size_t bar_min = width / 6;
  Layout layout;
  for (const Row& row : rows_) {
    if (row.span == nullptr) continue;
    layout.status = std::max(layout.status, columns(row.status));
    if (!row.method.empty()) {
      layout.method = std::max(layout.method, columns(row.indent) + columns(row.method) + 1);
    }
  }
  for (const Row& row : rows_) {
    if (row.span == nullptr) continue;
    const size_t before = row.method.empty() ? columns(row.indent) : layout.method;
    const size_t note = row.note.empty() ? 0 : columns(row.note) + kGap;
    layout.label = std::max(layout.label, before + columns(row.target) + note);
  }
  const size_t fixed = layout.status + kDurationColumns + 3 * kGap;
  const size_t label_max =
      std::max(layout.method + kTargetColumnsMin, width - std::min(width, fixed + bar_min));
  layout.label = std::min(layout.label, label_max);
  const size_t left = width - std::min(width, fixed + layout.label);
  layout.bar = std::clamp(left, bar_min, kBarMax);
  return layout;
}

std::string Tree::headline() const {
  const auto is_call = [](const RunSpan& span) {
    return span.kind == trace::SpanKind::kClient || span.kind == trace::SpanKind::kProducer;
  };
  const auto failed = [&](const RunSpan& span) {
    return is_call(span) && span.status == trace::SpanStatus::kError;
  };
  const auto calls = std::ranges::count_if(run_.spans, is_call);
  const auto errors = std::ranges::count_if(run_.spans, failed);
  std::string out = painted(cut_middle(shown(run_.name), kNameColumnsMax, signs_.cut), kBold);
  out += fmt::format("{}{} call{}", signs_.dot, calls, calls == 1 ? "" : "s");
  if (errors > 0) {
    out += signs_.dot;
    out += painted(fmt::format("{} error{}", errors, errors == 1 ? "" : "s"), kRed);
  }
  std::vector<const RunSpan*> all;
  for (const RunSpan& span : run_.spans) {
    if (is_call(span)) all.push_back(&span);  // a turn's are those of its calls
  }
  if (const std::string tokens = tokens_of(all); !tokens.empty()) {
    out += signs_.dot;
    out += tokens;
  }
  out += fmt::format("{}{}", signs_.dot, text_of(extent_.length));
  out += painted(fmt::format("{}trace {}", signs_.dot, run_.trace_id.to_string()), kDim);
  return out;
}

std::string Tree::left_out() const {
  return fmt::format("{} more span{} not shown (limits.run_spans)", run_.left_out,
                     run_.left_out == 1 ? " is" : "s are");
}

std::string Tree::line(const Row& row, const Layout& layout) const {
  if (row.span == nullptr) return painted(row.target, kDim);
  const bool failed = row.span->status == trace::SpanStatus::kError;
  const std::string_view color = failed ? kRed : std::string_view();
  const size_t note = row.note.empty() ? 0 : columns(row.note) + kGap;
  const size_t before = row.method.empty() ? columns(row.indent) : layout.method;
  const size_t room = layout.label - std::min(layout.label, before + note);
  const std::string target = cut_middle(row.target, std::max<size_t>(room, 1), signs_.cut);

  std::string out = painted(row.indent, kDim);
  if (!row.method.empty()) {
    out += painted(pad_right(row.method, layout.method - columns(row.indent)), color);
  }
  out += painted(target, color);
  if (note > 0) out += painted(std::string(kGap, ' ') + row.note, kDim);
  const size_t used = before + columns(target) + note;
  out.append(layout.label - std::min(layout.label, used) + kGap, ' ');
  out += painted(pad_right(row.status, layout.status), color);
  out.append(kGap, ' ');
  out += pad_left(row.duration, kDurationColumns);
  out.append(kGap, ' ');
  out += painted(bar(*row.span, layout.bar), color);
  return out;
}

// Drawn in half cells; the shortest span has one.
std::string Tree::bar(const RunSpan& span, size_t width) const {
  const auto halves = static_cast<double>(2 * width);
  const double length = std::max(to_seconds(extent_.length), 1e-9);
  const auto at = [&](Nanoseconds offset) {
    return static_cast<size_t>(std::clamp(to_seconds(offset) / length * halves + 0.5, 0.0, halves));
  };
  const size_t begin = std::min(at(span.start - extent_.start), 2 * width - 1);
  const size_t end = std::max(at(span.start + span.duration - extent_.start), begin + 1);
  std::string out(begin / 2, ' ');
  for (size_t cell = begin / 2; cell * 2 < end; ++cell) {
    const bool left = cell * 2 >= begin;
    const bool right = cell * 2 + 1 < end;
    out += left && right ? signs_.full : left ? signs_.left_half : signs_.right_half;
  }
  return out;
}

std::string Tree::painted(std::string text, std::string_view color) const {
  if (!style_.color || color.empty() || text.empty()) return text;
  return std::string(color).append(text).append(kPlain);
}

}  // namespace

std::vector<std::string> run_tree(const RunRecord& run, const TreeStyle& style) {
  return Tree(run, style).lines();
}

}  // namespace sidespan::app
