// A line each: what a request says in its method and type, host, path, and a pattern. A call of a
// model is told whatever the host's case and the query, and patterns match as plain readings of
// their rules do.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "semconv/url_template.h"
#include "sidespan/base/text.h"
#include "sidespan/semconv/genai_recognize.h"

using namespace sidespan;
namespace genai = semconv::genai;

namespace {

void check_recognized(const genai::RequestFacts& request, const genai::RecognizeOptions& options) {
  const std::optional<genai::Endpoint> found = genai::recognize(request, options);
  genai::RequestFacts same = request;
  const std::string host = text::lower(text::without_root_dot(request.host)) + ".";
  same.host = host;
  const std::string path =
      std::string(request.path.substr(0, request.path.find('?'))) + "?/v1/embeddings";
  same.path = path;
  const std::optional<genai::Endpoint> again = genai::recognize(same, options);
  if (found.has_value() != again.has_value()) std::abort();
  if (!found) return;
  if (found->api != again->api || found->operation != again->operation ||
      found->provider != again->provider || found->model != again->model ||
      found->streams != again->streams || found->known_host != again->known_host) {
    std::abort();
  }
  if (found->provider.empty() || static_cast<size_t>(found->api) >= genai::kApiCount) std::abort();
  if (!text::percent_decode(request.path).contains(found->model)) std::abort();
}

bool matches_plainly(std::string_view pattern, std::string_view text) {
  std::vector<bool> ends(text.size() + 1);  // of what stands before it in the pattern
  ends[0] = true;
  for (const char c : pattern) {
    std::vector<bool> next(text.size() + 1);
    for (size_t i = 0; i <= text.size(); ++i) {
      if (c == '*') {
        next[i] = ends[i] || (i > 0 && next[i - 1]);
      } else if (i > 0) {
        next[i] = ends[i - 1] && text::to_lower(c) == text::to_lower(text[i - 1]);
      }
    }
    ends = std::move(next);
  }
  return ends[text.size()];
}

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  std::optional<std::string_view> rest = path;
  while (rest) segments.push_back(text::split_first(rest, '/'));
  return segments;
}

void check_template(std::string_view path) {
  std::vector<std::string_view> segments = segments_of(path);
  const std::string exact(path);
  if (path.find_first_of("{}") == path.npos && !semconv::matches_template(path, path)) std::abort();
  for (size_t at = 0; at < segments.size(); ++at) {
    std::string pattern;
    for (size_t i = 0; i < segments.size(); ++i) {
      if (i > 0) pattern += '/';
      pattern += i == at ? std::string_view("{id}") : segments[i];
    }
    const std::vector<std::string> templates = {pattern, exact};
    const std::string_view found = semconv::template_of(templates, path);
    if (!found.empty() && !semconv::matches_template(found, path)) std::abort();
    if (path.find_first_of("{}") != path.npos) continue;
    if (found != (segments[at].empty() ? exact : pattern)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kPlainMax = 512;
  std::optional<std::string_view> rest(std::in_place, reinterpret_cast<const char*>(data), size);
  const auto next = [&] { return rest ? text::split_first(rest, '\n') : std::string_view(); };
  const std::string_view method = next();
  const std::string_view type = next();
  const std::string_view host = next();
  const std::string_view path = next();
  const std::string_view pattern = next();

  genai::RecognizeOptions options;
  if (!pattern.empty()) options.hosts.emplace(pattern, "own");
  check_recognized({.method = method,
                    .host = host,
                    .path = path,
                    .content_type = type,
                    .websocket = method == "GET"},
                   options);
  if (size <= kPlainMax) {
    for (const std::string_view text : {host, path}) {
      if (text::matches_wildcard(pattern, text) != matches_plainly(pattern, text)) std::abort();
    }
    check_template(path);
  }
  const std::vector<std::string_view> expected = segments_of(pattern);
  const std::vector<std::string_view> segments = segments_of(path);
  const bool matches = std::ranges::equal(expected, segments, [](auto wanted, auto segment) {
    const bool variable = wanted.starts_with('{') && wanted.ends_with('}');
    return variable ? !segment.empty() : wanted == segment;
  });
  if (semconv::matches_template(pattern, path) != matches) std::abort();
  return 0;
}
