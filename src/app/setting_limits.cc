// The rows of `limits`: one for every buffer, queue, map and wait of the rooms below.
#include <array>
#include <limits>

#include "app/setting_table.h"

namespace sidespan::app {
namespace {

using S = Settings;
using L = LimitSettings;
using P = proxy::Limits;
using G = lineage::RegistryOptions;
using C = http::CodecLimits;
using O = wire::Pool::Options;
using D = wire::Dialer::Options;
using R = net::Resolver::Options;
using E = serve::Endpoint::Options;
using A = trace::AttributeLimits;
using X = ExportSettings;
using T = report::RetryOptions;

constexpr Milliseconds::rep kSecond = 1000;
constexpr Milliseconds::rep kMinute = 60 * kSecond;
constexpr Milliseconds::rep kHour = 60 * kMinute;
constexpr Milliseconds::rep kDay = 24 * kHour;
constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kGiB = 1024 * kMiB;

std::optional<size_t> read_value_bytes(const Node& node, Complaints& complaints) {
  constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();
  if (node.kind == Node::Kind::kText && node.text == "unlimited") return kUnlimited;
  return read_size(node, 0, kGiB, complaints);
}

// `auto`, which memory_shares() tells, or what `Read` reads.
template <auto Read>
std::optional<std::optional<size_t>> auto_or(const Node& node, Complaints& complaints) {
  if (node.kind == Node::Kind::kText && node.text == "auto") return std::optional<size_t>();
  const std::optional<size_t> read = Read(node, complaints);
  if (!read) return std::nullopt;
  return read;
}

constexpr auto kRows = std::to_array<Setting>({
    {.key = "limits.memory",
     .value = "auto",
     .read = assign<auto_or<size_between<kMiB, 1024 * kGiB>>, &S::limits, &L::memory_bytes>,
     .sentence =
         "Bytes of traffic held at once, all in all: at 80 % of it taps go off, at 90 % new "
         "requests are refused (503), at 95 % who holds most is reset, and before either idle "
         "connections end. `auto` is 128MiB, or 60 % of the control group's memory limit where "
         "that is less."},
    {.key = "limits.head_bytes",
     .value = "64KiB",
     .read = assign<size_between<kKiB, kMiB>, &S::limits, &L::proxy, &P::codec, &C::head_bytes_max>,
     .sentence = "A message's head (431; 502 from an origin)."},
    {.key = "limits.target_bytes",
     .value = "16KiB",
     .read = assign<size_between<64, kMiB>, &S::limits, &L::proxy, &P::codec, &C::target_bytes_max>,
     .sentence = "A request's target (414)."},
    {.key = "limits.fields",
     .value = "128",
     .read = assign<count_between<8, 10'000>, &S::limits, &L::proxy, &P::codec, &C::fields_max>,
     .sentence = "Header lines of one head (431)."},
    {.key = "limits.interims",
     .value = "64",
     .read = assign<count_between<1, 10'000>, &S::limits, &L::proxy, &P::codec, &C::interims_max>,
     .sentence = "1xx answers before the final one."},
    {.key = "limits.window_bytes",
     .value = "64KiB",
     .read =
         assign<size_between<kKiB, 16 * kMiB>, &S::limits, &L::proxy, &P::codec, &C::window_bytes>,
     .sentence = "Body bytes read ahead of what the other side has taken, a connection."},
    {.key = "limits.h2_streams",
     .value = "100",
     .read = assign<count_between<1, 10'000>, &S::limits, &L::proxy, &P::codec, &C::streams_max>,
     .sentence = "Streams under way on one HTTP/2 connection."},
    {.key = "limits.h2_stream_window",
     .value = "256KiB",
     .read = assign<size_between<64 * kKiB, 64 * kMiB>, &S::limits, &L::proxy, &P::codec,
                    &C::stream_window_bytes>,
     .sentence = "Body bytes that an HTTP/2 stream may have on their way here; of an answer it is "
                 "less as long as little was taken."},
    {.key = "limits.h2_connection_window",
     .value = "1MiB",
     .read = assign<size_between<64 * kKiB, 64 * kMiB>, &S::limits, &L::proxy, &P::codec,
                    &C::connection_window_bytes>,
     .sentence =
         "The same of all streams of a connection together, until they are here; what waits "
         "here is bounded by the streams' windows."},
    {.key = "limits.h2_ping_time",
     .value = "1m",
     .read = assign<time_between<0, kHour>, &S::limits, &L::proxy, &P::codec, &C::ping_time>,
     .sentence = "Without a byte on an HTTP/2 connection to an origin that owes answers, before it "
                 "is asked "
                 "by PING whether it is there; 0s never asks."},
    {.key = "limits.h2_ping_answer_time",
     .value = "20s",
     .read = assign<time_between<1, kHour>, &S::limits, &L::proxy, &P::codec, &C::ping_answer_time>,
     .sentence = "Without a word after that: the connection is dead (504)."},
    {.key = "limits.head_time",
     .value = "10s",
     .read = assign<time_between<1, kHour>, &S::limits, &L::proxy, &P::codec, &C::head_time_max>,
     .sentence =
         "From a request head's first byte to its end (408); how long an origin of HTTP/2 has for "
         "its first word (504)."},
    {.key = "limits.replay_bytes",
     .value = "64KiB",
     .read = assign<size_between<0, 16 * kMiB>, &S::limits, &L::proxy, &P::replay_bytes_max>,
     .sentence = "Request bytes kept for a second attempt."},
    {.key = "limits.queue_bytes",
     .value = "64KiB",
     .read = assign<size_between<kKiB, 16 * kMiB>, &S::limits, &L::proxy, &P::queue_bytes_max>,
     .sentence = "Bytes waiting for a socket before the other side is paused."},
    {.key = "limits.connections",
     .value = "4096",
     .read = assign<count_between<1, 1'000'000>, &S::limits, &L::proxy, &P::connections_max>,
     .sentence = "Agents' connections at once: one that rests for 5 s ends for another, else 503."},
    {.key = "limits.keep_alive_time",
     .value = "1m",
     .read = assign<time_between<1, kDay>, &S::limits, &L::proxy, &P::keep_alive_time_max>,
     .sentence = "An agent's connection without a request."},
    {.key = "limits.begin_time",
     .value = "10m",
     .read = assign<time_between<1, kDay>, &S::limits, &L::proxy, &P::begin_time_max>,
     .sentence = "From a request's end to the first byte of its answer (504)."},
    {.key = "limits.half_close_time",
     .value = "30s",
     .read = assign<time_between<1, kDay>, &S::limits, &L::proxy, &P::half_close_time_max>,
     .sentence = "Without a byte of the answer once the agent has closed its side and has all that "
                 "came; then it counts as gone."},
    {.key = "limits.stream_idle_time",
     .value = "10m",
     .read = assign<time_between<1, kDay>, &S::limits, &L::proxy, &P::stream_idle_time_max>,
     .sentence = "Without a byte either way within one call, or of the rest of an answer that the "
                 "agent takes."},
    {.key = "limits.metric_series",
     .value = "1000",
     .read = assign<count_between<1, 10'000>, &S::limits, &L::proxy, &P::metric_series_max>,
     .sentence = "Series of one histogram in /metrics; what is beyond counts as overflow."},

    {.key = "limits.origin_connections",
     .value = "1024",
     .read =
         assign<count_between<1, 1'000'000>, &S::limits, &L::pool, &O::connections_per_origin_max>,
     .sentence = "Connections to one origin at once, a worker, idle ones and tunnels too. Calls "
                 "beyond wait in line for as long as limits.connect_time (503)."},
    {.key = "limits.origin_idle",
     .value = "256",
     .read = assign<count_between<0, 1'000'000>, &S::limits, &L::pool, &O::idle_max>,
     .sentence = "Idle connections to origins, a worker."},
    {.key = "limits.origin_idle_each",
     .value = "32",
     .read = assign<count_between<0, 1'000'000>, &S::limits, &L::pool, &O::idle_per_origin_max>,
     .sentence = "Idle connections to one origin that stay, a worker; more go in a second or two. "
                 "0: none stays."},
    {.key = "limits.origin_idle_time",
     .value = "30s",
     .read = assign<time_between<0, kDay>, &S::limits, &L::pool, &O::idle_time_max>,
     .sentence = "How long an idle connection is kept; an origin's Keep-Alive may shorten it."},
    {.key = "limits.connect_time",
     .value = "5s",
     .read = assign<time_between<1, kHour>, &S::limits, &L::dialer, &D::connect_time_max>,
     .sentence = "To look up a name (502) and connect (504), together."},
    {.key = "limits.connect_delay",
     .value = "250ms",
     .read = assign<time_between<10, kMinute>, &S::limits, &L::dialer, &D::attempt_delay>,
     .sentence = "Before the next address is tried beside a slow one."},

    {.key = "limits.tls_handshake_time",
     .value = "10s",
     .read = assign<time_between<1, kHour>, &S::limits, &L::dialer, &D::handshake_time_max>,
     .sentence = "A TLS handshake, with an origin (504) or with an agent."},
    {.key = "limits.tls_sessions",
     .value = "256",
     .read = assign<count_between<0, 1'000'000>, &S::limits, &L::tls_sessions>,
     .sentence =
         "TLS sessions with origins kept for resumption, a worker, in 1/64 of limits.memory; "
         "none of more than 8 KiB."},
    {.key = "limits.tls_certificates",
     .value = "1000",
     .read = assign<count_between<1, 1'000'000>, &S::tls, &TlsSettings::interception,
                    &proxy::Interception::leaves_max>,
     .sentence = "Certificates minted for agents and kept, in 1/16 of limits.memory."},
    {.key = "limits.tls_pinned_hosts",
     .value = "1024",
     .read = assign<count_between<1, 1'000'000>, &S::tls, &TlsSettings::interception,
                    &proxy::Interception::pinned_max>,
     .sentence =
         "Hosts whose agents refused our certificate and pass unopened, by who they say they are."},
    {.key = "limits.tls_pinned_time",
     .value = "1h",
     .read = assign<time_between<kSecond, 365 * kDay>, &S::tls, &TlsSettings::interception,
                    &proxy::Interception::pinned_time>,
     .sentence = "How long they do."},

    {.key = "limits.dns_time",
     .value = "30s",
     .read = assign<time_between<0, kDay>, &S::limits, &L::dialer, &D::resolver, &R::positive_ttl>,
     .sentence = "How long a name's addresses are remembered."},
    {.key = "limits.dns_failure_time",
     .value = "1s",
     .read = assign<time_between<0, kHour>, &S::limits, &L::dialer, &D::resolver, &R::negative_ttl>,
     .sentence = "How long it is remembered that a name has none."},
    {.key = "limits.dns_entries",
     .value = "1024",
     .read =
         assign<count_between<1, 1'000'000>, &S::limits, &L::dialer, &D::resolver, &R::entries_max>,
     .sentence = "Names remembered, a worker."},
    {.key = "limits.dns_addresses",
     .value = "64",
     .read =
         assign<count_between<1, 4096>, &S::limits, &L::dialer, &D::resolver, &R::addresses_max>,
     .sentence = "Addresses of one name that are looked at."},
    {.key = "limits.dns_lookups",
     .value = "256",
     .read = assign<count_between<1, 65536>, &S::limits, &L::dialer, &D::resolver, &R::lookups_max>,
     .sentence = "Lookups that calls wait for, a worker (503)."},

    {.key = "limits.dns_threads",
     .value = "32",
     .read = assign<count_between<1, 1024>, &S::limits, &L::dialer, &D::resolver, &R::threads_max>,
     .sentence = "Lookups that run at a time, a worker; the others wait."},

    {.key = "limits.serve_connections",
     .value = "64",
     .read = assign<count_between<1, 65536>, &S::limits, &L::serve, &E::connections_max>,
     .sentence = "Connections to the admin and health listeners, each."},
    {.key = "limits.serve_body_bytes",
     .value = "64KiB",
     .read = assign<size_between<0, 16 * kMiB>, &S::limits, &L::serve, &E::body_bytes_max>,
     .sentence = "A request body these listeners take."},
    {.key = "limits.serve_request_time",
     .value = "10s",
     .read = assign<time_between<1, kHour>, &S::limits, &L::serve, &E::request_time_max>,
     .sentence = "From the end of a head to the end of its body there (408)."},
    {.key = "limits.serve_idle_time",
     .value = "1m",
     .read = assign<time_between<1, kDay>, &S::limits, &L::serve, &E::idle_time_max>,
     .sentence = "A connection there without a request, or with an answer that nobody takes."},

    {.key = "limits.export_queue_bytes",
     .value = "auto",
     .read = assign<auto_or<size_between<kMiB, 4 * kGiB>>, &S::exporting, &X::queue_bytes>,
     .sentence = "The spans of export.batch.queue, encoded. `auto` is 32MiB, or 12 % of the "
                 "control group's memory limit where that is less."},
    {.key = "limits.export_reply_bytes",
     .value = "64KiB",
     .read = assign<size_between<0, 4 * kMiB>, &S::exporting, &X::reply_bytes>,
     .sentence = "A collector's reply; of a longer one the status alone counts."},
    {.key = "limits.export_backoff",
     .value = "1s",
     .read = assign<time_between<1, kHour>, &S::exporting, &X::retry, &T::backoff_start>,
     .sentence = "Before the second attempt at most; each further wait is up to twice as long."},
    {.key = "limits.export_backoff_most",
     .value = "30s",
     .read = assign<time_between<1, kHour>, &S::exporting, &X::retry, &T::backoff_max>,
     .sentence = "Between two attempts at most."},
    {.key = "limits.export_retry_after",
     .value = "5m",
     .read = assign<time_between<0, kDay>, &S::exporting, &X::retry, &T::retry_after_max>,
     .sentence = "A collector's Retry-After; a longer one is cut."},
    {.key = "limits.export_retry_time",
     .value = "5m",
     .read = assign<time_between<1, kDay>, &S::exporting, &X::retry, &T::time_max>,
     .sentence = "An export that fails so long after its first attempt is over; its spans are "
                 "dropped then, if others wait."},
    {.key = "limits.run_export",
     .value = "5s",
     .read = assign<time_between<0, kHour>, &S::limits, &L::run_export>,
     .sentence = "How long `run` exports after its command has ended; less where twice in a row "
                 "nobody is there."},
    {.key = "limits.stdio_export",
     .value = "1s",
     .read = assign<time_between<0, kHour>, &S::limits, &L::stdio_export>,
     .sentence =
         "The same of `stdio`, after its server has ended: clients kill a server that takes "
         "some 2 s to end, and its last spans with it."},

    {.key = "limits.attributes",
     .value = "128",
     .read = assign<count_between<0, 10'000>, &S::limits, &L::attributes, &A::count_max>,
     .sentence = "Attributes of one span.",
     .standard = {{{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", standard::as_written},
                   {"OTEL_ATTRIBUTE_COUNT_LIMIT", standard::as_written}}}},
    {.key = "limits.attribute_bytes",
     .value = "unlimited",
     .read = assign<read_value_bytes, &S::limits, &L::attributes, &A::value_bytes_max>,
     .sentence =
         "An attribute's text; longer ones are cut, but captured messages are left out whole, "
         "the oldest first.",
     .standard = {{{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", standard::as_written},
                   {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", standard::as_written}}}},
    {.key = "limits.run_spans",
     .value = "10000",
     .read = assign<count_between<0, 1'000'000>, &S::limits, &L::run_spans>,
     .sentence = "Spans that `run` keeps in memory for its tree."},
    {.key = "limits.tail_traces",
     .value = "5000",
     .read = assign<count_between<1, 1'000'000>, &S::limits, &L::tail_traces>,
     .sentence = "Traces that wait for sampling.tail. For one more the one that has been quiet "
                 "longest is decided at once, as for the two limits that follow."},
    {.key = "limits.tail_spans",
     .value = "20000",
     .read = assign<count_between<1, 10'000'000>, &S::limits, &L::tail_spans>,
     .sentence = "Their spans."},
    {.key = "limits.tail_bytes",
     .value = "auto",
     .read = assign<auto_or<size_between<kKiB, 64 * kGiB>>, &S::limits, &L::tail_bytes>,
     .sentence = "The same spans, encoded. `auto` is 16MiB, or 6 % of the control group's memory "
                 "limit where that is less."},
    {.key = "limits.tail_decisions",
     .value = "50000",
     .read = assign<count_between<2, 10'000'000>, &S::limits, &L::tail_decisions>,
     .sentence = "Decisions that are remembered for spans that come late. A trace whose decision "
                 "is forgotten begins anew."},
    {.key = "limits.mcp_message_bytes",
     .value = "1MiB",
     .read = assign<size_between<0, kGiB>, &S::limits, &L::proxy, &P::mcp_message_bytes_max>,
     .sentence = "An MCP request that waits to get a context; a longer one passes without. One "
                 "whose length is not told waits for limits.lineage_hold_time at most."},
    {.key = "limits.mcp_calls",
     .value = "1000",
     .read = assign<count_between<1, 1'000'000>, &S::limits, &L::mcp_calls>,
     .sentence = "MCP requests that wait for their answers (of `stdio`, on one side); the span of "
                 "one more ends with its request."},
    {.key = "limits.mcp_call_time",
     .value = "10m",
     .read = assign<time_between<1, kDay>, &S::limits, &L::mcp_call_time>,
     .sentence = "How long an MCP request whose POST is over waits for its answer on another "
                 "stream."},

    {.key = "limits.lineage_hold_bytes",
     .value = "256KiB",
     .read = assign<size_between<0, 16 * kMiB>, &S::limits, &L::proxy, &P::lineage_hold_bytes_max>,
     .sentence = "A request's body up to which its head waits for it, to tell whose call it is."},
    {.key = "limits.lineage_hold_time",
     .value = "20ms",
     .read =
         assign<time_between<0, 10 * kSecond>, &S::limits, &L::proxy, &P::lineage_hold_time_max>,
     .sentence = "How long it waits at most; 0 never waits."},
    {.key = "limits.lineage_executions",
     .value = "4096",
     .read = assign<count_between<16, 65'536>, &S::lineage, &G::executions_max>,
     .sentence = "Turns that are open or were so a moment ago; who is the next gets no turn. A "
                 "quarter as many more are kept, without spans, where agents name their traces."},
    {.key = "limits.lineage_values",
     .value = "auto",
     .read = assign<auto_or<count_between<1024, 16'777'216>>, &S::limits, &L::lineage_values>,
     .sentence = "Texts and ids that are remembered, as hashes, 32 bytes each; older ones go. A "
                 "quarter as many more are kept where agents name their traces. `auto` is 262144, "
                 "or what takes 4 % of the control group's memory limit where that is less."},
    {.key = "limits.lineage_execution_values",
     .value = "16384",
     .read = assign<count_between<64, 16'777'216>, &S::lineage, &G::values_per_execution_max>,
     .sentence = "Of these, those of one turn."},
    {.key = "limits.trace_spans",
     .value = "2000",
     .read = assign<count_between<1, 1'000'000>, &S::lineage, &G::turns,
                    &lineage::TurnOptions::trace_spans_max>,
     .sentence = "Spans of a run's trace after which its turns have traces of their own."},
});

}  // namespace

std::span<const Setting> limit_settings() {
  return kRows;
}

}  // namespace sidespan::app
