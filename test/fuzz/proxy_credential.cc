// Fields, a line "name:value" each: who is named in Proxy-Authorization has a name of visible ASCII
// or a span, and is named the same again by what a client would send for it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "../support/field_lines.h"
#include "proxy/credential.h"
#include "sidespan/base/text.h"
#include "sidespan/trace/w3c.h"

using namespace sidespan;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kNameBytesMax = 128;
  http::Headers headers;
  const std::string_view lines(reinterpret_cast<const char*>(data), size);
  testing::for_each_field(lines, [&](auto name, auto value) { headers.add(name, value); });
  const std::shared_ptr<const lineage::Execution> named = proxy::credential_in(headers);
  if (!named) return 0;
  if (named->fixed_by != lineage::Source::kCredential) std::abort();
  if (named->id.empty() || named->id.size() > kNameBytesMax) std::abort();
  if (!std::ranges::all_of(named->id, [](char c) { return c > ' ' && c < '\x7f'; })) std::abort();
  std::string user = named->id + ":";
  if (named->context.valid()) {
    if (named->id != named->context.span_id.to_string()) std::abort();
    const auto traceparent = trace::encode_traceparent(named->context);
    user = "run:" + std::string(traceparent.data(), traceparent.size());
  }
  http::Headers sent;
  sent.add("Proxy-Authorization", "Basic " + text::base64(user));
  const auto again = proxy::credential_in(sent);
  if (!again || again->id != named->id) std::abort();
  if (again->context.span_id != named->context.span_id ||
      again->context.trace_id != named->context.trace_id) {
    std::abort();
  }
  return 0;
}
