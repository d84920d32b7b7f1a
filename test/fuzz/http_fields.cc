// Fields, a line "name:value" each, as what reads lists and numbers in them: a list says the same
// in one line as in several, what is for one hop goes and nothing else changes, and what gRPC says
// is within its bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../support/field_lines.h"
#include "sidespan/base/text.h"
#include "sidespan/http/grpc.h"
#include "sidespan/http/hop_by_hop.h"
#include "sidespan/http/message.h"
#include "sidespan/http/via.h"
#include "sidespan/http/websocket_deflate.h"

using namespace sidespan;
using namespace sidespan::http;

namespace {

// All lines of that name as one.
Headers joined(const Headers& headers, std::string_view name) {
  std::string value;
  headers.for_each(name, [&](std::string_view line) {
    if (!value.empty()) value += ',';
    value += line;
  });
  Headers one;
  if (headers.contains(name) && !one.add(name, value)) std::abort();
  return one;
}

void check_lists(const Headers& headers) {
  constexpr std::string_view kExtensions = "sec-websocket-extensions";
  if (websocket_extension(headers) != websocket_extension(joined(headers, kExtensions))) {
    std::abort();
  }
  const Headers one = joined(headers, "connection");
  headers.for_each("connection", [&](std::string_view line) {
    for (const std::string_view member : text::list_members(line)) {
      const std::string_view name = media_type(member);
      if (name.empty()) continue;
      if (!headers.lists("connection", name) || !one.lists("connection", name)) std::abort();
    }
  });
}

void check_way(const Headers& headers) {
  const size_t passed = sidespans_passed(headers);
  if (passed != sidespans_passed(joined(headers, "via"))) std::abort();
  Headers further = headers;
  if (!further.add("Via", via_after(passed))) std::abort();
  if (sidespans_passed(further) != 2 * passed + 1) std::abort();
}

void check_media_type(const Headers& headers) {
  const std::string_view type = media_type(headers);
  if (type.contains(';') || type != text::trim(type)) std::abort();
  if (is_grpc(headers) && !type.starts_with("application/grpc")) std::abort();
}

void check_grpc(const Headers& headers) {
  const auto timeout = grpc_timeout(headers);
  if (timeout && *timeout < Nanoseconds(0)) std::abort();
  const auto status = grpc_status(headers);
  if (status && std::to_string(*status).size() > headers.find("grpc-status")->size()) std::abort();
  if (status && name_of_grpc_status(*status).has_value() != (*status <= 16)) std::abort();
  const std::string_view path = headers.find(":path").value_or(headers.find("path").value_or(""));
  const std::string_view method = grpc_method(path);
  if (method.empty()) return;
  const size_t slash = method.find('/');
  if (slash == 0 || slash + 1 >= method.size() || slash != method.rfind('/')) std::abort();
  if (method.contains('?') || grpc_method("/" + std::string(method) + "?q") != method) std::abort();
}

bool same(const Headers& a, const Headers& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a.at(i).name != b.at(i).name || a.at(i).value != b.at(i).value) return false;
  }
  return true;
}

void check_hops(const Headers& headers, bool keep_upgrade) {
  Headers left = headers;
  remove_hop_by_hop(left, keep_upgrade);
  for (const char* name :
       {"te", "keep-alive", "proxy-connection", "transfer-encoding", "proxy-authorization"}) {
    if (left.contains(name)) std::abort();
  }
  const bool upgrades = keep_upgrade && headers.contains("upgrade");
  if (left.contains("upgrade") != upgrades || left.count("connection") != (upgrades ? 1 : 0)) {
    std::abort();
  }
  // Whoever calls cannot have these taken away.
  for (const char* name : {"host", "authorization", "cookie", "x-api-key", "content-length",
                           "content-type", "traceparent", "tracestate", "x-amz-date"}) {
    if (left.count(name) != headers.count(name)) std::abort();
  }
  // The others stand in their order, as they were.
  size_t from = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    const Field kept = left.at(i);
    if (text::equal_ignoring_case(kept.name, "connection")) continue;
    while (from < headers.size() &&
           (headers.at(from).name != kept.name || headers.at(from).value != kept.value)) {
      ++from;
    }
    if (from++ == headers.size()) std::abort();
  }
  Headers again = left;
  remove_hop_by_hop(again, keep_upgrade);
  if (!same(again, left)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Headers headers;
  const std::string_view lines(reinterpret_cast<const char*>(data), size);
  testing::for_each_field(lines, [&](auto name, auto value) { headers.add(name, value); });
  check_lists(headers);
  check_way(headers);
  check_media_type(headers);
  check_grpc(headers);
  for (const bool keep_upgrade : {false, true}) check_hops(headers, keep_upgrade);
  return 0;
}
