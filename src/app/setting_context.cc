// The rows of `context`: who is the parent of a call.
#include <array>

#include "app/setting_table.h"
#include "app/setting_types.h"

namespace sidespan::app {
namespace {

using S = Settings;
using R = lineage::RegistryOptions;
using T = lineage::TurnOptions;

constexpr Milliseconds::rep kHour = 3'600'000;

constexpr auto kInstrumented =
    std::to_array<Word<proxy::Instrumented>>({{"auto", proxy::Instrumented::kAuto},
                                              {"yes", proxy::Instrumented::kYes},
                                              {"no", proxy::Instrumented::kNo}});

constexpr auto kTracePer = std::to_array<Word<bool>>({{"run", true}, {"turn", false}});

std::optional<Nanoseconds> read_turn_time(const Node& node, Complaints& complaints) {
  const std::optional<Milliseconds> time = time_between<1, kHour>(node, complaints);
  if (!time) return std::nullopt;
  return *time;
}

constexpr auto kRows = std::to_array<Setting>({
    {.key = "context.sources",
     .value = "[mcp_meta, wire, listener, id, echo, environment]",
     .shape = Shape::kList,
     .read = assign<read_sources, &S::context_sources>,
     .sentence =
         "What may tell the parent of a call: the context in an MCP message's `_meta`, trace "
         "headers, the private listener of a `run`, ids and texts that one turn alone has seen "
         "(id, echo), sidespan's own TRACEPARENT."},
    {.key = "context.turns",
     .value = "on",
     .read = assign<read_switch, &S::lineage, &R::turns, &T::on>,
     .sentence =
         "Whether a call of a model with no other parent opens a turn, a span that this and the "
         "calls that belong to it are the children of; off leaves such calls as roots."},
    {.key = "context.turn_grace",
     .value = "2s",
     .read = assign<read_turn_time, &S::lineage, &R::turns, &T::grace>,
     .sentence = "How long after the model's last word calls may still belong to a turn."},
    {.key = "context.turn_idle",
     .value = "2m",
     .read = assign<read_turn_time, &S::lineage, &R::turns, &T::idle>,
     .sentence = "How long a turn stays open in which nothing happens; what was carried is "
                 "remembered twice as long."},
    {.key = "context.trace_per",
     .value = "run",
     .read = assign<word_of<kTracePer>, &S::lineage, &R::turns, &T::in_runs_trace>,
     .sentence =
         "Whether the turns of a `run` are in its trace (run), up to limits.trace_spans and for a "
         "quarter of an hour, or each in its own, linked to the run and to the turn before "
         "(turn)."},
    {.key = "context.session_headers",
     .value = "[]",
     .shape = Shape::kList,
     .read = assign<list_of<read_plain_name>, &S::session_headers>,
     .sentence =
         "Request headers of your own that name an agent's session, before those of known agents. "
         "They tell turns apart, and are the conversation's id where the call says none."},

    {.key = "context.agent_is_instrumented",
     .value = "auto",
     .read = assign<word_of<kInstrumented>, &S::agent_is_instrumented>,
     .sentence =
         "Whether the agent's own spans count the tokens of its model calls, so that ours do "
         "not: yes, no, or where the call comes with a span of the agent's own (auto)."},
});

}  // namespace

std::span<const Setting> context_settings() {
  return kRows;
}

}  // namespace sidespan::app
