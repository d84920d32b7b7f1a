// Calls of models over a WebSocket, by the bytes that pass in both directions.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "genai_rig.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::semconv {
namespace {

using namespace std::chrono_literals;

std::string frame(std::string_view text, bool masked, char first = '\x81') {
  std::string out(1, first);
  const char mask = masked ? '\x80' : '\0';
  if (text.size() < 126) {
    out.push_back(static_cast<char>(text.size() | static_cast<unsigned char>(mask)));
  } else {
    out.push_back(static_cast<char>(126U | static_cast<unsigned char>(mask)));
    out.push_back(static_cast<char>(text.size() >> 8U));
    out.push_back(static_cast<char>(text.size() & 0xffU));
  }
  constexpr std::string_view kMask = "\x11\x22\x33\x44";
  if (masked) out.append(kMask);
  for (size_t i = 0; i < text.size(); ++i) {
    out.push_back(masked ? static_cast<char>(text[i] ^ kMask[i % 4]) : text[i]);
  }
  return out;
}

// Counts what it is told.
struct Watched {
  size_t made = 0;
  size_t gone = 0;
  size_t requests = 0;
  size_t asked = 0;
  size_t others = 0;
  size_t said = 0;
};
class Watcher final : public SharedCallWatcher {
 public:
  explicit Watcher(Watched& told) : told_(told) { ++told_.made; }
  ~Watcher() override { ++told_.gone; }
  json::Handler* begin_request_document() override { return &nobody_; }
  void end_request_document() override { ++told_.requests; }
  void begin_answer(bool) override {}
  json::Handler* begin_response_document() override { return &nobody_; }
  void end_response_document() override {}
  void on_asked(const genai::Call& call, MonoTime) override {
    CHECK(call.request_model == "gpt-5");
    ++told_.asked;
  }
  void on_other_message(MonoTime) override { ++told_.others; }
  void on_said(MonoTime) override { ++told_.said; }

 private:
  Watched& told_;
  json::Handler nobody_;
};

class Played final : public SharedCallSink {
 public:
  explicit Played(const std::string& extensions = "", const std::string& path = "/v1/responses",
                  bool counts_itself = false, genai::ReaderOptions reader = {}) {
    options_.reader = std::move(reader);
    request_.set_method("GET");
    request_.headers.add("Upgrade", "websocket");
    url_.scheme = "https";
    url_.authority.host = "api.openai.com";
    url_.path = path;
    observer = make_request_observer(
        {.request = request_, .url = url_, .counts_itself = counts_itself, .shared_calls = this},
        options_);
    if (!observer) return;
    http::Head answer;
    answer.status = 101;
    answer.headers.add("Upgrade", "websocket");
    answer.headers.add("Connection", "Upgrade");
    if (!extensions.empty()) answer.headers.add("Sec-WebSocket-Extensions", extensions);
    observer->on_response_head(answer, now);
  }

  void asks(std::string_view text) { sends(frame(text, true)); }
  void says(std::string_view text) { receives(frame(text, false)); }
  void sends(const std::string& bytes) {
    for (size_t i = 0; i < bytes.size(); i += piece) {
      observer->on_switched_request_bytes(bytes.substr(i, piece), now);
    }
    now += 1ms;
  }
  void receives(const std::string& bytes) {
    for (size_t i = 0; i < bytes.size(); i += piece) {
      observer->on_response_bytes(bytes.substr(i, piece), now);
    }
    now += 1ms;
  }
  std::string unread() const {
    trace::Span span;
    observer->describe(span);
    for (size_t i = 0; i < span.attributes.size(); ++i) {
      const auto attribute = span.attributes.at(i);
      if (attribute.key == "sidespan.websocket.unread") {
        return std::string(std::get<std::string_view>(attribute.value));
      }
    }
    return {};
  }

  std::unique_ptr<SharedCallWatcher> watch_call() override {
    return watches ? std::make_unique<Watcher>(watched) : nullptr;
  }
  void on_shared_call(const SharedCall& call) override {
    CHECK((call.watcher != nullptr) == watches);
    trace::Span span;
    call.describe(span);
    std::string text = span.name + ": ";
    text += call.model_call != nullptr ? testing::told(*call.model_call) : "unknown";
    if (call.ending == Observer::End::kBroken) text += " broken";
    if (call.ending == Observer::End::kCancelled) text += " cancelled";
    calls.push_back(text);
    if (call.model_call == nullptr) return;
    const auto first = call.model_call->time_to_first_chunk;
    first_chunks.push_back(first ? std::chrono::duration_cast<Milliseconds>(*first).count() : -1);
    previous.push_back(call.model_call->previous_response_id);
    usage_told.push_back(span.attributes.contains("gen_ai.usage.input_tokens"));
  }
  void on_calls_unread(Unread reason, size_t under_way) override {
    lost.push_back(std::string(name_of(reason)) + " " + std::to_string(under_way));
  }
  void on_unwatched_answer(MonoTime at) override {
    CHECK(at == now);
    ++unwatched;
  }

  size_t piece = size_t{1} << 20U;
  bool watches = false;
  Watched watched;
  MonoTime now{};
  std::unique_ptr<Observer> observer;
  std::vector<std::string> calls;
  std::vector<std::string> lost;
  size_t unwatched = 0;
  std::vector<int64_t> first_chunks;
  std::vector<std::string> previous;
  std::vector<bool> usage_told;

 private:
  http::Head request_;
  http::Url url_;
  ObserverOptions options_;
};

using Texts = std::vector<std::string>;

constexpr std::string_view kCreate = R"({"type":"response.create","model":"gpt-5","input":"hi"})";
constexpr std::string_view kCreated =
    R"({"type":"response.created","response":{"id":"r1","model":"gpt-5-a","status":"in_progress"}})";
constexpr std::string_view kDelta = R"({"type":"response.output_text.delta","delta":"x"})";

std::string completed(const std::string& id, int tokens, const std::string& more = "") {
  return R"({"type":"response.completed")" + more + R"(,"response":{"id":")" + id +
         R"(","model":"gpt-5-a","status":"completed","usage":{"input_tokens":)" +
         std::to_string(tokens) + R"(,"output_tokens":2,"total_tokens":)" +
         std::to_string(tokens + 2) + "}}}";
}

std::string told(const std::string& id, int tokens) {
  return "chat gpt-5: chat by=openai model=gpt-5 streamed=yes answered=gpt-5-a id=" + id +
         " finish=completed input=" + std::to_string(tokens) + " output=2";
}

TEST_CASE("each create on a WebSocket is a call, from its message to the event that ends it") {
  for (const size_t piece : {size_t{1} << 20U, size_t{1}, size_t{3}, size_t{17}}) {
    CAPTURE(piece);
    Played socket;
    REQUIRE(socket.observer != nullptr);
    socket.piece = piece;
    socket.asks(R"({"type":"session.hello"})");
    socket.asks(kCreate);
    socket.says(kCreated);
    socket.says(kDelta);
    CHECK(socket.calls.empty());
    socket.says(completed("r1", 10));
    socket.asks(R"({"previous_response_id":"r1","model":"gpt-5","type":"response.create"})");
    socket.says(kDelta);
    socket.says(completed("r2", 20));
    socket.says(kDelta);
    socket.observer->on_end(Observer::End::kWhole, MonoTime());
    CHECK(socket.calls == Texts{told("r1", 10), told("r2", 20)});
    CHECK(socket.previous == Texts{"", "r1"});
    CHECK(socket.first_chunks == std::vector<int64_t>{1, 1});
    CHECK(socket.unread().empty());
  }
}

TEST_CASE("requests that wait are answered in their order") {
  Played socket;
  socket.sends(frame(kCreate, true) + frame(kCreate, true));
  socket.receives(frame(completed("r1", 10), false) + frame(completed("r2", 20), false));
  CHECK(socket.calls == Texts{told("r1", 10), told("r2", 20)});
}

TEST_CASE("lanes of one WebSocket are told apart, wherever an event names its own") {
  Played socket;
  const auto create = [](const std::string& lane) {
    return R"({"type":"response.create","stream_id":")" + lane + R"(","model":"gpt-5"})";
  };
  socket.asks(create("a"));
  socket.asks(create("b"));
  socket.asks(create("b"));
  socket.says(completed("r2", 20, R"(,"stream_id":"b")"));
  socket.says(R"({"type":"response.created","response":{"id":"r1"},"stream_id":"a"})");
  socket.says(completed("r9", 90, R"(,"stream_id":"c")"));
  socket.says(completed("r3", 30, R"(,"stream_id":"b")"));
  socket.says(completed("r1", 10, R"(,"stream_id":"a")"));
  CHECK(socket.calls == Texts{told("r2", 20), told("r3", 30), told("r1", 10)});
  CHECK(socket.first_chunks == std::vector<int64_t>{2, 4, 4});
}

TEST_CASE("calls that fail, and those that a connection ends") {
  const std::string asked = "chat gpt-5: chat by=openai model=gpt-5 streamed=yes";
  Played refused;
  refused.asks(kCreate);
  refused.says(
      R"({"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"no"}})");
  CHECK(refused.calls == Texts{asked + " finish=error error=invalid_request_error words=yes"});

  Played broken;
  broken.asks(kCreate);
  broken.says(kCreated);
  broken.receives(frame(kDelta, false).substr(0, 20));
  broken.observer->on_end(Observer::End::kBroken, MonoTime());
  CHECK(broken.calls == Texts{asked + " answered=gpt-5-a id=r1 finish=error broken"});

  Played ended;
  ended.asks(kCreate);
  ended.says(kCreated);
  ended.receives(frame("\x03\xe8", false, '\x88'));
  ended.observer->on_end(Observer::End::kWhole, MonoTime());
  CHECK(ended.calls == Texts{asked + " answered=gpt-5-a id=r1 finish=error broken"});

  Played left;
  left.asks(kCreate);
  left.says(kCreated);
  left.sends(frame("\x03\xe8", true, '\x88'));
  left.observer->on_end(Observer::End::kWhole, MonoTime());
  CHECK(left.calls == Texts{asked + " answered=gpt-5-a id=r1 cancelled"});
}

TEST_CASE("a WebSocket that cannot be read is counted, and says why") {
  Played other("x-other");
  other.asks(kCreate);
  other.says(completed("r1", 10));
  CHECK(other.unread() == "extension");
  CHECK(other.lost == Texts{"extension 0"});

  Played malformed;
  malformed.asks(kCreate);
  malformed.receives(frame(kDelta, false).substr(0, 20));
  malformed.sends("\x83");
  malformed.sends(std::string(1, '\0'));
  malformed.receives(frame(kDelta, false).substr(20));
  malformed.asks(kCreate);
  malformed.observer->on_end(Observer::End::kBroken, MonoTime());
  CHECK(malformed.unread() == "malformed");
  CHECK(malformed.lost == Texts{"malformed 1"});

  Played many;
  for (int i = 0; i < 17; ++i) many.asks(kCreate);
  many.says(completed("r1", 10));
  CHECK(many.unread() == "limit");
  CHECK(many.lost == Texts{"limit 17"});

  Played no_text("permessage-deflate");
  no_text.receives(frame("\xff\xff", false, '\xc1'));
  CHECK(no_text.unread() == "malformed");
  CHECK(no_text.lost == Texts{"malformed 0"});

  // What is being asked counts, wherever its message was cut.
  const std::string broken("\xaa\x56\x2a\xa9\x2c\x48\x55\xb2\xc6\xc6\xc6");
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1024}}) {
    Played asked("permessage-deflate");
    asked.piece = piece;
    asked.sends(frame(broken, true, '\xc1'));
    CHECK(asked.lost == Texts{"malformed 1"});

    // Nor is anything read behind what could not be.
    Played behind("permessage-deflate");
    behind.piece = piece;
    behind.sends(frame("\xb5\x01\x02\x03\x04\xab\x54\x29", true, '\xc1') + frame(kCreate, true));
    CHECK(behind.lost == Texts{"malformed 0"});
  }

  Played silenced;
  silenced.asks(kCreate);
  silenced.observer->on_silenced();
  CHECK(silenced.lost == Texts{"memory 1"});
  Played not_one;
  not_one.asks(kCreate);
  not_one.says(completed("r1", 10));
  not_one.observer->on_end(Observer::End::kWhole, MonoTime());
  CHECK(not_one.lost.empty());
  CHECK((other.calls.empty() && malformed.calls.empty() && many.calls.empty()));
}

TEST_CASE("packed messages are read, and what an agent counts itself is not counted again") {
  // {"type":"response.create"} by zlib, its flush cut off (RFC 7692 section 7.2.1), and once more.
  const std::string first(
      "\xaa\x56\x2a\xa9\x2c\x48\x55\xb2\x52\x2a\x4a\x2d\x2e\xc8\xcf\x2b\x4e\xd5\x4b\x2e\x4a\x4d\x2c"
      "\x49\x55\xaa\x05\x00",
      28);
  Played socket("permessage-deflate; client_max_window_bits=15", "/v1/responses", true);
  socket.sends(frame(first, true, '\xc1'));
  socket.sends(frame(std::string("\xaa\xc6\x29\x03\x00", 5), true, '\xc1'));
  socket.says(completed("r1", 10));
  socket.says(completed("r2", 20));
  REQUIRE(socket.calls.size() == 2);
  CHECK(socket.calls[1] ==
        "chat: chat by=openai streamed=yes answered=gpt-5-a id=r2 finish=completed input=20 "
        "output=2");
  CHECK(socket.usage_told == std::vector<bool>{false, false});
}

TEST_CASE("each call has a watcher, until it is over") {
  Played socket;
  socket.watches = true;
  socket.asks(R"({"type":"session.update"})");
  CHECK((socket.watched.gone == 1 && socket.watched.others == 1));
  socket.asks(kCreate);
  socket.asks(kCreate);
  CHECK(socket.watched.asked == 2);
  socket.says(kCreated);
  socket.says(kDelta);
  socket.says(completed("r1", 5));
  CHECK(socket.watched.said == 3);
  CHECK(socket.watched.gone == 2);
  CHECK(socket.unwatched == 0);
  socket.sends("\x83");
  socket.sends(std::string(1, '\0'));
  CHECK(socket.lost == Texts{"malformed 1"});
  CHECK((socket.watched.made == 3 && socket.watched.gone == 3));
  CHECK(socket.unwatched == 1);
  socket.says(kDelta);
  CHECK(socket.unwatched == 2);
}

TEST_CASE("what is said when nobody asks is nobody's") {
  Played socket;
  socket.watches = true;
  socket.piece = 1;
  socket.asks(kCreate);
  socket.says(R"({"type":"error","error":{"code":"overloaded"}})");
  CHECK((socket.calls.size() == 1 && socket.unwatched == 0));
  // It is under way when the next is asked, and says nothing of that.
  const std::string late = frame(completed("r1", 5), false);
  socket.receives(late.substr(0, 20));
  CHECK(socket.unwatched > 0);
  const size_t before = socket.unwatched;
  socket.asks(kCreate);
  socket.receives(late.substr(20));
  CHECK(socket.unwatched > before);
  CHECK((socket.calls.size() == 1 && socket.watched.said == 1));
  const size_t told = socket.unwatched;
  socket.says(completed("r2", 5));
  CHECK(socket.calls.size() == 2);
  CHECK(socket.watched.said == 2);
  CHECK(socket.unwatched == told);
}

TEST_CASE("where there are lanes nobody can be told in time what is said") {
  Played socket;
  socket.watches = true;
  socket.asks(R"({"type":"response.create","model":"gpt-5","stream_id":"a"})");
  socket.asks(R"({"type":"response.create","model":"gpt-5","stream_id":"b"})");
  socket.says(R"({"type":"response.output_text.delta","delta":"x","stream_id":"b"})");
  CHECK((socket.unwatched == 1 && socket.watched.said == 0));
  // Of one alone, too: what the other's model says on may come.
  socket.says(R"({"type":"response.completed","stream_id":"b","response":{"id":"r"}})");
  socket.says(R"({"type":"response.output_text.delta","delta":"x","stream_id":"b"})");
  CHECK((socket.unwatched == 3 && socket.watched.said == 0));
}

TEST_CASE("what is said unwatched is told whenever something comes") {
  Played socket;
  socket.says(R"({"type":"hello"})");
  CHECK(socket.unwatched == 1);
  socket.asks(kCreate);
  socket.says(kCreated);
  socket.says(completed("r1", 10));
  CHECK(socket.unwatched == 3);
  Played unread("permessage-zstd");
  unread.asks(kCreate);
  CHECK(unread.unwatched == 1);
  unread.says(kCreated);
  CHECK(unread.unwatched == 2);
}

TEST_CASE("what is no text is told as unwatched, whoever says it") {
  for (const size_t piece : {size_t{1} << 20U, size_t{1}}) {
    CAPTURE(piece);
    Played socket;
    socket.watches = true;
    socket.piece = piece;
    socket.asks(kCreate);
    socket.says(kCreated);
    CHECK(socket.unwatched == 0);
    socket.receives(frame("order QK-482913", false, '\x82'));
    const size_t said = socket.unwatched;
    CHECK(said > 0);
    socket.says(kDelta);
    CHECK(socket.unwatched <= said + 1);  // of the binary message's end
    const size_t before = socket.unwatched;
    socket.says(kDelta);
    CHECK(socket.unwatched == before);
    socket.sends(frame("order QK-482913", true, '\x82'));
    CHECK(socket.unwatched > before);
    socket.says(completed("r1", 5));
    CHECK(socket.calls.size() == 1);
    // Control frames are no messages.
    const size_t after = socket.unwatched;
    socket.asks(kCreate);
    socket.receives(frame("ping", false, '\x89'));
    CHECK(socket.unwatched <= after + 1);
  }
}

TEST_CASE("the memory of what is captured is told, for as long as its calls are under way") {
  const auto held = [](genai::Capture capture) {
    Played socket("", "/v1/responses", false, {.capture = capture, .content_bytes_max = 4096});
    const int64_t before = memory::tally.held;
    for (int i = 0; i < 16; ++i) socket.asks(kCreate);
    const int64_t most = memory::tally.held - before;
    for (int i = 0; i < 16; ++i) socket.says(completed("r1", 5));
    CHECK(memory::tally.held == before);
    return most;
  };
  CHECK(held(genai::Capture::kAll) - held(genai::Capture::kOff) == 16 * 48 * 1024);
}

TEST_CASE("other WebSockets are none of models") {
  CHECK(Played("", "/v1/realtime").observer == nullptr);
  CHECK(Played("", "/v1/responses/r1").observer == nullptr);
}

}  // namespace
}  // namespace sidespan::semconv
