// Any bytes as a JSON-RPC message: what gets a context has it once, keeps what else it said, and is
// written the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "sidespan/json/members.h"
#include "sidespan/semconv/mcp_meta.h"

using namespace sidespan;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::vector<semconv::MetaEntry> entries = {{"traceparent", "00-\"\\"}};
  const auto replaced = semconv::with_replaced_context(input, entries);
  if (replaced && semconv::with_replaced_context(*replaced, entries)) std::abort();
  const auto bare = semconv::with_replaced_context(input, {});
  if (bare && (bare->size() >= size || semconv::with_replaced_context(*bare, {}))) std::abort();
  const auto written = semconv::with_meta_context(input, entries);
  if (!written) return 0;
  const auto before = json::members_of(input);
  const auto after = json::members_of(*written);
  if (!before || !after) std::abort();
  for (const json::Member& member : before->all) {
    const json::Member* same = after->find(member.key);
    if (same == nullptr) std::abort();
    if (member.key != "params" && same->value != member.value) std::abort();
  }
  const auto params = json::members_of(after->find("params")->value);
  if (!params || params->find("_meta") == nullptr) std::abort();
  const auto meta = json::members_of(params->find("_meta")->value);
  if (!meta || meta->find("traceparent")->value != R"("00-\"\\")") {
    std::abort();
  }
  if (semconv::with_meta_context(*written, entries) != written) std::abort();
  return 0;
}
