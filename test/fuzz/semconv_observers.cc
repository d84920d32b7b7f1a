// An exchange whose heads are in the input, with whichever observer its request asks for: in
// whatever pieces its bodies come, spans say the same, in UTF-8, and no more than was said; where
// content is captured, the same in any pieces, too. A call of a model is told where its span says
// so. Who watches beside the observer is told of the same documents, each of which ends, and of a
// call's answer only behind its request.
//   METHOD URL
//   name:value     a field of the request
//   <200           the answer's status
//   <name:value    a field of it
// Behind an empty line come what is asked and what is answered in turns, "\n--\n" between them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/json/picker.h"
#include "sidespan/semconv/observer.h"

using namespace sidespan;

namespace {

struct Input {
  http::Head request;
  http::Head answer;
  http::Url url;
  std::vector<std::string_view> parts;
};

void read_line(std::string_view line, Input& input) {
  http::Head& head = line.starts_with('<') ? input.answer : input.request;
  if (line.starts_with('<')) line.remove_prefix(1);
  const size_t colon = line.find(':');
  if (colon != line.npos) {
    head.headers.add(line.substr(0, colon), text::trim(line.substr(colon + 1)));
  } else {
    head.status = static_cast<int>(text::parse_unsigned(line, 999).value_or(200));
  }
}

std::optional<Input> read(std::string_view bytes) {
  constexpr std::string_view kBetween = "\n--\n";
  Input input;
  std::optional<std::string_view> rest = bytes;
  std::optional<std::string_view> start = text::split_first(rest, '\n');
  input.request.set_method(text::split_first(start, ' '));
  auto url = http::parse_url(start.value_or(""));
  if (!url) return std::nullopt;
  input.url = *std::move(url);
  input.answer.status = 200;
  while (rest) {
    const std::string_view line = text::split_first(rest, '\n');
    if (line.empty()) break;
    read_line(line, input);
  }
  std::string_view bodies = rest.value_or("");
  for (size_t at = 0; at != bodies.npos;) {
    at = bodies.find(kBetween);
    input.parts.push_back(bodies.substr(0, at));
    if (at != bodies.npos) bodies.remove_prefix(at + kBetween.size());
  }
  return input;
}

// What a span says, as a text.
std::string said(const trace::Span& span, size_t bytes_max) {
  if (span.name.size() > bytes_max) std::abort();
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : span.attributes) {
    const auto* const text = std::get_if<std::string_view>(&value);
    if (!text::is_valid_utf8(key)) std::abort();
    if (text != nullptr && (!text::is_valid_utf8(*text) || text->size() > bytes_max)) std::abort();
    keys.push_back(key);
  }
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) std::abort();
  return span.name + std::string(span.attributes.encoded());
}

// Tells what it is told of, as a text.
class Watcher final : public semconv::SharedCallWatcher {
 public:
  explicit Watcher(std::string& text) : text_(text) {}
  ~Watcher() override = default;
  json::Handler* begin_request_document() override { return begin('?'); }
  void end_request_document() override { end(); }
  void begin_answer(bool pieces) override { text_ += pieces ? "[" : "("; }
  json::Handler* begin_response_document() override { return begin('!'); }
  void end_response_document() override { end(); }
  void on_asked(const semconv::genai::Call&, MonoTime) override { settle(); }
  void on_other_message(MonoTime) override { settle(); }
  void on_said(MonoTime) override {
    if (open_ || !settled_) std::abort();
  }
  void check(const semconv::Observer& observer) const {
    if (open_ || (told_ && !observer.reads_documents())) std::abort();
  }

 private:
  json::Handler* begin(char side) {
    if (std::exchange(open_, true)) std::abort();
    told_ = true;
    text_ += side;
    document_.begin(kDocumentBytes);
    return &document_;
  }
  void end() {
    if (!std::exchange(open_, false)) std::abort();
    if (document_.done()) text_ += document_.text();
  }
  void settle() {
    if (open_ || std::exchange(settled_, true)) std::abort();
  }

  static constexpr size_t kDocumentBytes = 512;
  std::string& text_;
  json::JsonCopy document_;
  bool open_ = false;
  bool told_ = false;
  bool settled_ = false;
};

void check_model(const trace::Span& span, const semconv::genai::Call* call) {
  if (span.attributes.contains("gen_ai.provider.name") != (call != nullptr)) std::abort();
}

struct Calls final : semconv::SharedCallSink {
  explicit Calls(size_t bytes) : bytes_max(bytes) {}
  std::unique_ptr<semconv::SharedCallWatcher> watch_call() override {
    return std::make_unique<Watcher>(text);
  }
  void on_shared_call(const semconv::SharedCall& call) override {
    trace::Span span;
    call.describe(span);
    check_model(span, call.model_call);
    text += said(span, bytes_max) + std::to_string(static_cast<int>(call.ending)) + "\n";
  }
  void on_calls_unread(semconv::Unread reason, size_t under_way) override {
    if (unread) std::abort();
    unread = true;
    text += std::string(name_of(reason)) + std::to_string(under_way);
  }
  void on_unwatched_answer(MonoTime) override {}
  const size_t bytes_max;
  bool unread = false;
  std::string text;
};

std::string played(const Input& input, const semconv::ObserverOptions& options, size_t bytes_max,
                   size_t piece) {
  Calls calls(bytes_max);
  Watcher watcher(calls.text);
  const semconv::CallFacts facts{.request = input.request,
                                 .url = input.url,
                                 .sampled = true,
                                 .shared_calls = &calls,
                                 .watcher = &watcher};
  auto observer = semconv::make_request_observer(facts, options);
  const bool known = observer != nullptr;
  if (!known) observer = semconv::make_response_observer(facts, input.answer);
  if (!observer) return "";
  const bool switched = input.answer.status == http::kSwitchingProtocols;
  const auto feed = [&](size_t part, auto take) {
    const std::string_view bytes = input.parts[part];
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const std::string copy(bytes.substr(at, piece));
      take(copy);
    }
  };
  size_t next = 0;
  if (!switched && known) {
    feed(next++, [&](std::string_view bytes) { observer->on_request_bytes(bytes, {}); });
  }
  if (known) observer->on_request_end();
  if (known) observer->on_response_head(input.answer, {});
  for (; next < input.parts.size(); ++next) {
    const bool asked = switched && next % 2 == 0;
    feed(next, [&](std::string_view bytes) {
      asked ? observer->on_switched_request_bytes(bytes, {})
            : observer->on_response_bytes(bytes, {});
    });
  }
  observer->on_end(semconv::Observer::End::kWhole, {});
  watcher.check(*observer);
  trace::Span span;
  observer->describe(span);
  if (!switched) check_model(span, observer->model_call());
  return calls.text + said(span, bytes_max);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kOwnWords = 256;
  static const semconv::ObserverOptions plain;
  static const semconv::ObserverOptions all = [] {
    semconv::ObserverOptions options;
    options.reader.capture = semconv::genai::Capture::kAll;
    return options;
  }();
  const auto input = read({reinterpret_cast<const char*>(data), size});
  if (!input) return 0;
  // What is mended takes three bytes for one.
  const size_t bytes_max = 3 * size + kOwnWords;
  for (const auto& [options, most] : {std::pair(&plain, bytes_max), std::pair(&all, SIZE_MAX)}) {
    const std::string whole = played(*input, *options, most, size);
    for (const size_t piece : {1U, 3U}) {
      if (played(*input, *options, most, piece) != whole) std::abort();
    }
  }
  return 0;
}
