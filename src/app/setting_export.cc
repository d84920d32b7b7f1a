// The rows of `export`.
#include <array>

#include "app/setting_table.h"
#include "app/setting_types.h"

namespace sidespan::app {
namespace {

using S = Settings;

constexpr Milliseconds::rep kMinute = 60'000;
constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

constexpr auto kCompressions = std::to_array<Word<bool>>({{"gzip", true}, {"none", false}});

using standard::as_written;

constexpr auto kRows = std::to_array<Setting>({
    {.key = "export.otlp.endpoint",
     .value = "off",
     .read = assign<read_endpoint, &S::exporting, &ExportSettings::endpoint>,
     .sentence =
         "The collector, like http://otel-collector:4318; /v1/traces is added where the URL has "
         "no path. `off` exports nothing.",
     .standard = {{{"OTEL_TRACES_EXPORTER", standard::exporter_off},
                   {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", standard::traces_endpoint},
                   {"OTEL_EXPORTER_OTLP_ENDPOINT", standard::base_endpoint},
                   {"OTEL_TRACES_EXPORTER", standard::exporter_default}}},
     .strict = true},
    {.key = "export.otlp.protocol",
     .value = "http/protobuf",
     .read = assign<read_protocol, &S::exporting, &ExportSettings::protocol>,
     .sentence = "http/protobuf or grpc, whose port is usually 4317 and which needs HTTP/2.",
     .standard = {{{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", standard::word},
                   {"OTEL_EXPORTER_OTLP_PROTOCOL", standard::word}}}},
    {.key = "export.otlp.headers",
     .value = "{}",
     .shape = Shape::kMap,
     .read = assign<read_export_headers, &S::exporting, &ExportSettings::headers>,
     .sentence = "Headers of every export, like {Authorization: \"Bearer ${TOKEN}\"}.",
     .standard = {{{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", standard::headers},
                   {"OTEL_EXPORTER_OTLP_HEADERS", standard::headers}}},
     .secret = true},
    {.key = "export.otlp.compression",
     .value = "gzip",
     .read = assign<word_of<kCompressions>, &S::exporting, &ExportSettings::gzip>,
     .sentence = "gzip or none.",
     .standard = {{{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", standard::word},
                   {"OTEL_EXPORTER_OTLP_COMPRESSION", standard::word}}}},
    {.key = "export.otlp.timeout",
     .value = "10s",
     .read = assign<time_between<1, 10 * kMinute>, &S::exporting, &ExportSettings::timeout>,
     .sentence = "How long one attempt to export may take.",
     .standard = {{{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", standard::milliseconds},
                   {"OTEL_EXPORTER_OTLP_TIMEOUT", standard::milliseconds},
                   {"OTEL_BSP_EXPORT_TIMEOUT", standard::milliseconds}}}},
    {.key = "export.batch.spans",
     .value = "512",
     .read = assign<count_between<1, 65536>, &S::exporting, &ExportSettings::batch_spans>,
     .sentence = "Spans in one export at most.",
     .standard = {{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", as_written}}}},
    {.key = "export.batch.bytes",
     .value = "1MiB",
     .read = assign<size_between<kKiB, 64 * kMiB>, &S::exporting, &ExportSettings::batch_bytes>,
     .sentence = "Encoded bytes in one export at most, before compression."},
    {.key = "export.batch.delay",
     .value = "1s",
     .read = assign<time_between<0, 10 * kMinute>, &S::exporting, &ExportSettings::batch_delay>,
     .sentence = "How long a span waits for others to fill its batch.",
     .standard = {{{"OTEL_BSP_SCHEDULE_DELAY", standard::milliseconds}}}},
    {.key = "export.batch.queue",
     .value = "8192",
     .read = assign<count_between<1, 1'000'000>, &S::exporting, &ExportSettings::queue_spans>,
     .sentence = "Spans that wait or are under way at most; more are dropped and counted.",
     .standard = {{{"OTEL_BSP_MAX_QUEUE_SIZE", as_written}}}},
});

}  // namespace

std::span<const Setting> export_settings() {
  return kRows;
}

}  // namespace sidespan::app
