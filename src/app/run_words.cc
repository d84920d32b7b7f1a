#include "app/run_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/opaque_words.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::app {
namespace {

namespace attribute = semconv::attribute;

constexpr std::string_view kHttpsPort = ":443";

template <class Value>
std::optional<Value> value_of(const RunSpan& span, std::string_view key) {
  for (const trace::Attributes::View& attribute : span.attributes) {
    if (attribute.key != key) continue;
    const auto* value = std::get_if<Value>(&attribute.value);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  return std::nullopt;
}

// "host:port/path" of a URL: no scheme, no user information, no query, no fragment.
std::string host_and_path(std::string_view url, std::string_view url_template) {
  if (const size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("?#"));
  const size_t slash = std::min(url.find('/'), url.size());
  std::string_view host = url.substr(0, slash);
  if (const size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  return std::string(host).append(url_template.empty() ? url.substr(slash) : url_template);
}

// "host:port".
std::string host_of(const RunSpan& span) {
  const std::string_view host = span.attributes.text(attribute::kServerAddress);
  const bool bare_v6 = host.find(':') != std::string_view::npos && host.front() != '[';
  const std::string shown = bare_v6 ? fmt::format("[{}]", host) : std::string(host);
  const std::optional<int64_t> port = integer(span, attribute::kServerPort);
  return port ? fmt::format("{}:{}", shown, *port) : shown;
}

std::string target_of(const RunSpan& span) {
  if (const std::string_view url = span.attributes.text(attribute::kUrlFull); !url.empty()) {
    return host_and_path(url, span.attributes.text(attribute::kUrlTemplate));
  }
  const std::string host = host_of(span);
  return host.empty() ? span.name : host;
}

// The status code, the exit code, or the word that says what went wrong; both where both say
// something.
std::string status_of(const RunSpan& span) {
  std::string_view word = span.attributes.text(attribute::kErrorType);
  if (const auto exit = integer(span, attribute::kProcessExitCode)) {
    const bool signal = !word.empty() && !text::is_digit(word.front());
    return signal ? std::string(word) : fmt::format("exit {}", *exit);
  }
  std::string out;
  if (const auto code = integer(span, attribute::kHttpResponseStatusCode))
    out = std::to_string(*code);
  const std::string_view ending = span.attributes.text(attribute::kEnd);
  if (word.empty() && ending != "complete") word = ending;
  if (word.empty() || word == out) return out;
  return out.empty() ? std::string(word) : fmt::format("{} {}", out, word);
}

// A CONNECT has a span only where no request came out of it: why.
std::string tunnel_note(const RunSpan& span) {
  const std::string_view reason = span.attributes.text(attribute::kTunnelReason);
  if (!reason.empty()) return fmt::format("unopened: {}", words_for(reason).words);
  if (span.name != "CONNECT" || span.attributes.text(attribute::kMode) != "intercept") return "";
  return span.attributes.text(attribute::kEnd) == "refused" ? "our certificate was refused"
                                                            : "opened, no request came";
}

std::string note_of(const RunSpan& span) {
  std::vector<std::string> notes;
  if (std::string note = tunnel_note(span); !note.empty()) notes.push_back(std::move(note));
  const int64_t resend = integer(span, attribute::kHttpRequestResendCount).value_or(0);
  const int64_t events = integer(span, attribute::kStreamEvents).value_or(0);
  if (resend > 0) {
    notes.push_back(fmt::format("retry {}", resend));
  } else if (!span.links.empty() && span.attributes.text(attribute::kTurnId).empty()) {
    notes.emplace_back("linked");  // within a turn the calls that asked for it are
  }
  if (events > 0) notes.push_back(fmt::format("{} event{}", events, events == 1 ? "" : "s"));
  return fmt::format("{}", fmt::join(notes, ", "));
}

// "asks search, fetch": what a model asked for.
std::string tools_of(const RunSpan& span) {
  std::string out;
  for (const trace::Attributes::View& attribute : span.attributes) {
    if (attribute.key != std::string_view(attribute::kToolCallNames)) continue;
    const auto* names = std::get_if<std::vector<std::string_view>>(&attribute.value);
    if (names == nullptr) continue;
    for (const std::string_view name : *names) {
      out.append(out.empty() ? "asks " : ", ").append(name);
    }
  }
  return out;
}

}  // namespace

std::optional<int64_t> integer(const RunSpan& span, std::string_view key) {
  return value_of<int64_t>(span, key);
}

SpanWords words_of(const RunSpan& span) {
  const trace::Attributes& attributes = span.attributes;
  SpanWords words{.method = std::string(attributes.text(attribute::kHttpRequestMethod)),
                  .target = target_of(span),
                  .note = note_of(span),
                  .status = status_of(span)};
  if (value_of<bool>(span, attribute::kInferred).value_or(false)) {
    words.method = "turn";
    words.target.clear();
    words.note.clear();
    return words;
  }
  const std::string_view model = attributes.text(attribute::kGenAiRequestModel);
  const std::string_view mcp = attributes.text(attribute::kMcpMethodName);
  if (!mcp.empty()) {
    words.method = mcp;
    words.target = span.name.substr(std::min(mcp.size() + 1, span.name.size()));
  } else if (!model.empty()) {
    words.method = attributes.text(attribute::kGenAiOperationName);
    words.target = model;
  } else {
    return words;
  }
  std::string host = host_of(span);
  if (host.ends_with(kHttpsPort)) host.resize(host.size() - kHttpsPort.size());
  if (!host.empty()) words.target += (words.target.empty() ? "at " : " at ") + host;
  const RunSpan* const only = &span;
  if (const std::string tokens = tokens_of({&only, 1}); !tokens.empty()) words.note = tokens;
  if (const std::string tools = tools_of(span); !tools.empty()) {
    words.note += (words.note.empty() ? "" : ", ") + tools;
  }
  return words;
}

std::string tokens_of(std::span<const RunSpan* const> spans) {
  std::optional<int64_t> input;
  std::optional<int64_t> output;
  std::optional<double> cost;
  const auto add = [](std::optional<int64_t>& sum, std::optional<int64_t> tokens) {
    if (tokens) sum = sum.value_or(0) + *tokens;
  };
  for (const RunSpan* span : spans) {
    add(input, integer(*span, attribute::kGenAiUsageInputTokens));
    add(output, integer(*span, attribute::kGenAiUsageOutputTokens));
    if (const auto one = value_of<double>(*span, attribute::kCostUsd))
      cost = cost.value_or(0) + *one;
  }
  if (!input && !output) return "";
  std::string out = output ? fmt::format("{} + {} tokens", input.value_or(0), *output)
                           : fmt::format("{} tokens", *input);
  if (cost) out += fmt::format(", ${:.4f}", *cost);
  return out;
}

}  // namespace sidespan::app
