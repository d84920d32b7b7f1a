// What an agent and a stdio server say in turns, between NULs: in whatever pieces it comes, what is
// passed on and the calls that become spans are the same, lines stay lines, and where nothing is
// written into them every byte is as it came.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/stdio_calls.h"
#include "sidespan/base/text.h"

using namespace sidespan;

namespace {

constexpr size_t kCallsMax = 4;

struct Passed {
  std::string to_server;
  std::string to_agent;
  std::string spans;

  bool operator==(const Passed&) const = default;
};

constexpr size_t kShortBytes = 80;  // about a request

app::Settings settings_for(bool inject) {
  app::Settings settings;
  settings.sampling.sampler = "always_on";
  settings.mcp_inject_meta = inject;
  settings.limits.mcp_calls = kCallsMax;
  settings.context_sources = UINT32_MAX;
  return settings;
}

std::string said(const trace::Span& span) {
  if (!span.context.valid()) std::abort();
  for (const auto& [key, value] : span.attributes) {
    const auto* const text = std::get_if<std::string_view>(&value);
    if (text != nullptr && !text::is_valid_utf8(*text)) std::abort();
  }
  return span.context.trace_id.to_string() + span.context.span_id.to_string() +
         span.parent_id.to_string() + span.name + std::string(span.attributes.encoded()) + "\n";
}

Passed played(const std::vector<std::string_view>& turns, const app::Settings& settings,
              size_t piece) {
  Passed passed;
  Random random(1);
  app::StdioCalls calls(settings, std::nullopt, random,
                        [&](const trace::Span& span) { passed.spans += said(span); });
  for (size_t turn = 0; turn < turns.size(); ++turn) {
    for (size_t at = 0; at < turns[turn].size(); at += piece) {
      const std::string copy(turns[turn].substr(at, piece));
      if (turn % 2 == 0) {
        passed.to_server += calls.from_agent(copy);
      } else {
        passed.to_agent += calls.from_server(copy);
      }
    }
  }
  passed.to_server += calls.agent_ended(net::Pump::End::kFromEnded);
  passed.to_agent += calls.server_ended(net::Pump::End::kFromEnded);
  calls.end();
  return passed;
}

size_t lines_in(std::string_view text) {
  return static_cast<size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const app::Settings kReading = settings_for(false);
  static const app::Settings kWriting = settings_for(true);
  static const app::Settings kWritingShort = [] {
    app::Settings settings = settings_for(true);
    settings.limits.proxy.mcp_message_bytes_max = kShortBytes;
    return settings;
  }();
  std::vector<std::string_view> turns;
  std::string asked;
  std::string answered;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) {
    const std::string_view turn = text::split_first(rest, '\0');
    (turns.size() % 2 == 0 ? asked : answered) += turn;
    turns.push_back(turn);
  }
  for (const app::Settings* settings : {&kReading, &kWriting, &kWritingShort}) {
    const Passed whole = played(turns, *settings, size + 1);
    if (whole.to_agent != answered) std::abort();
    if (settings == &kReading && whole.to_server != asked) std::abort();
    if (lines_in(whole.to_server) != lines_in(asked)) std::abort();
    if (played(turns, *settings, 1) != whole || played(turns, *settings, 3) != whole) std::abort();
  }
  return 0;
}
