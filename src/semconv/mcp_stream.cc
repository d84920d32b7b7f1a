#include "semconv/mcp_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "sidespan/base/text.h"

namespace sidespan::semconv {
namespace {

constexpr std::string_view kEndpoint = "endpoint";
constexpr size_t kNamedBytesMax = 2048;

// RFC 3986 section 5.2.4, for the paths that servers write: a segment that leads back.
std::string without_dots(std::string path) {
  const size_t query = std::min(path.find('?'), path.size());
  const std::string rest = path.substr(query);
  path.resize(query);
  std::string out;
  size_t at = 0;
  while (at < path.size()) {
    const size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = std::string_view(path).substr(at, next - at);
    const bool last = next == path.size();
    if (segment == "/.." || segment == "/.") {
      if (segment == "/..") out.resize(out.empty() ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else {
      out.append(segment);
    }
    at = next;
  }
  return out + rest;
}

}  // namespace

std::optional<http::Url> mcp_endpoint(const http::Url& stream, std::string_view named) {
  named = text::trim(named);
  named = named.substr(0, named.find('#'));
  if (named.empty()) return std::nullopt;
  if (named.find("://") < named.find_first_of("/?")) {
    Result<http::Url> url = http::parse_url(named);
    if (!url) return std::nullopt;
    return *std::move(url);
  }
  http::Url url = stream;
  url.userinfo.clear();
  if (named.starts_with("//")) {
    Result<http::Url> other = http::parse_url(std::string(url.scheme) + ":" + std::string(named));
    if (!other) return std::nullopt;
    return *std::move(other);
  }
  if (named.starts_with('/')) {
    url.path = without_dots(std::string(named));
  } else {
    std::string path = url.path.substr(0, url.path.find('?'));
    if (!named.starts_with('?')) path.resize(path.rfind('/') + 1);
    url.path = without_dots(path.append(named));
  }
  if (!http::is_origin_form(url.path)) return std::nullopt;
  return url;
}

McpStream::McpStream(const http::Url& url, McpCalls& calls, McpCallSink& sink)
    : calls_(calls),
      sink_(sink),
      url_(url),
      first_(this),
      answers_([this](const McpMessage& message) { on_message(message); }),
      body_(BodyFraming::kEvents, {}, {}, answers_) {}

// Nobody looks at it any longer: its answers will not be seen.
McpStream::~McpStream() {
  end(Ending::kLimit, now_);
}

void McpStream::feed(std::string_view bytes, MonoTime now) {
  now_ = now;
  if (at_ == At::kOther) return;
  if (at_ != At::kOpen) first_.feed(bytes);
  if (at_ != At::kOther) body_.feed(bytes);
}

void McpStream::end(Ending ending, MonoTime now) {
  if (session_.empty()) return;
  calls_.close_endpoint(std::exchange(session_, {}), {.ending = ending, .at = now}, sink_);
}

void McpStream::on_event(std::string_view name) {
  if (at_ == At::kBefore) at_ = name == kEndpoint ? At::kName : At::kOther;
}

void McpStream::on_data(std::string_view part) {
  if (at_ != At::kName) return;
  named_.append(part);
  if (named_.size() > kNamedBytesMax) at_ = At::kOther;
}

void McpStream::on_event_end(bool whole) {
  if (at_ != At::kName || !whole) return;
  const std::optional<http::Url> url = mcp_endpoint(url_, std::exchange(named_, {}));
  session_ = url ? mcp_session_by_url(*url) : std::string();
  at_ = session_.empty() ? At::kOther : At::kOpen;
  if (at_ == At::kOpen) calls_.open_endpoint(session_, now_, sink_);
}

void McpStream::on_message(const McpMessage& message) {
  if (message.is_progress() && !session_.empty()) {
    return calls_.progress(session_, message.progress_token);
  }
  const bool answer = message.answers && message.method.empty() && !message.id.empty();
  if (answer && !session_.empty()) calls_.answer(session_, message, now_, sink_);
}

}  // namespace sidespan::semconv
