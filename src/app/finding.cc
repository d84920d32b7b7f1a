#include "app/finding.h"

#include <algorithm>
#include <iterator>

#include "app/terminal_text.h"

namespace sidespan::app {
namespace {

const char* word_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok   ";
    case Verdict::kWarn:
      return "warn ";
    case Verdict::kFail:
      break;
  }
  return "FAIL ";
}

// What a variable, a file or a page holds is not ours: one finding stays one line, and no terminal
// obeys it.
std::string one_line(const std::string& text) {
  std::string line = text;
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return printable(line, false);
}

}  // namespace

void append(Findings& findings, Findings&& more) {
  std::ranges::move(more, std::back_inserter(findings));
}

bool any_failed(const Findings& findings) {
  return std::ranges::find(findings, Verdict::kFail, &Finding::verdict) != findings.end();
}

std::string text_of(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += word_of(finding.verdict) + one_line(finding.what) + "\n";
    if (!finding.advice.empty()) text += "     " + one_line(finding.advice) + "\n";
  }
  return text;
}

}  // namespace sidespan::app
