// Bytes as an agent or a stranger sends them to an endpoint of our own: whoever gets in has named a
// path and one of the hosts, and whoever does not is told why.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "../support/http_script.h"
#include "serve/request_head.h"
#include "sidespan/base/text.h"
#include "sidespan/http/uri.h"

using namespace sidespan;
namespace script = http::script;

namespace {

serve::Endpoint::Options options_for(bool any_host) {
  serve::Endpoint::Options options;
  options.body_bytes_max = 64;
  if (!any_host) options.hosts = {"localhost", "127.0.0.1", "[::1]"};
  return options;
}

void check_refusal(const serve::Refusal& refusal) {
  const int status = refusal.status;
  if (status != 400 && status != 405 && status != 413 && status != 421) std::abort();
  if (refusal.sentence.empty() || refusal.sentence.contains('\n')) std::abort();
}

void check_target(const http::Head& head, const serve::Target& target) {
  if (!target.path.starts_with('/') || target.path.contains('?')) std::abort();
  std::string whole = target.path;
  if (head.target().contains('?')) whole += "?" + target.query;
  if (!http::is_origin_form(whole)) std::abort();
  if (http::is_origin_form(head.target()) && whole != head.target()) std::abort();
}

bool is_ours(std::string_view host) {
  return text::equal_ignoring_case(host, "localhost") || host == "127.0.0.1" || host == "::1";
}

void check_host(const http::Head& head) {
  if (const auto url = http::parse_url(head.target())) {
    if (!is_ours(url->authority.host)) std::abort();
    return;
  }
  const auto authority = http::parse_authority(head.headers.find("host").value_or(""));
  if (!authority || head.headers.count("host") != 1 || !is_ours(authority->host)) std::abort();
}

void check(const http::Head& head) {
  static const serve::Endpoint::Options kAny = options_for(true);
  static const serve::Endpoint::Options kOurs = options_for(false);
  const auto any = serve::read_head(head, kAny);
  const auto ours = serve::read_head(head, kOurs);
  if (!any) check_refusal(any.error());
  if (!ours) check_refusal(ours.error());
  if (any) {
    check_target(head, *any);
    if (head.body.kind == http::BodyLength::Kind::kKnown && head.body.bytes > kAny.body_bytes_max) {
      std::abort();
    }
  }
  if (!ours) return;
  if (!any || any->path != ours->path || any->query != ours->query) std::abort();
  check_host(head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  script::Line line(http::make_h1_server({}), script::Cuts::whole());
  line.react = [](const http::Event& event) {
    if (const auto* const head = std::get_if<http::Head>(&event.what)) check(*head);
  };
  line.feed({reinterpret_cast<const char*>(data), size});
  return 0;
}
