// Calls of models over a WebSocket (OpenAI's Responses API): the agent's `response.create` begins
// one, and the server's typed events are its answer, up to the one that ends it.
#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "semconv/tap_observers.h"
#include "semconv/websocket_tally.h"
#include "semconv/websocket_texts.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/json/picker.h"
#include "sidespan/json/tee.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/genai_reader.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kOwnBytes = size_t{12} * 1024;
// What a call that is under way holds, beside the content that is captured of it.
constexpr size_t kCallBytes = size_t{12} * 1024;
// Under way at once. Servers work them off one by one, in each lane.
constexpr size_t kOpenCallsMax = 16;
constexpr size_t kWordBytesMax = 64;

constexpr std::string_view kCreate = "response.create";

bool ends_call(std::string_view type) {
  constexpr std::array<std::string_view, 5> kEnds = {"response.completed", "response.incomplete",
                                                     "response.failed", "response.cancelled",
                                                     "error"};
  return std::ranges::find(kEnds, type) != kEnds.end();
}

// What an event says of itself, whatever else is in it.
class Envelope final : private json::PickSink {
 public:
  Envelope() : picker_(table(), *this, {.value_bytes_max = kWordBytesMax}) {}

  std::string type;
  std::string lane;  // requests of one are answered in their order

  // Reads the event that begins, which is `further`'s, too.
  json::Handler* begin(json::Handler* further) {
    type.clear();
    lane.clear();
    picker_.reset();
    tee_.set(picker_, further);
    return &tee_;
  }
  void forget_further() { tee_.forget_second(); }

 private:
  enum Pick : int { kType, kLane };
  static const json::PickTable& table() {
    static const json::PickTable kTable({{"type", kType}, {"stream_id", kLane}});
    return kTable;
  }
  void on_pick(const json::Picked& picked) override {
    if (picked.kind != json::Picked::Kind::kText) return;
    (picked.id == kType ? type : lane) = picked.text;
  }

  json::Picker picker_;
  json::Tee tee_;
};

struct OpenCall {
  genai::CallReader reader;
  std::unique_ptr<SharedCallWatcher> watcher;  // may be null
  MonoTime start;
  std::string lane = {};
  bool answered = false;
};

class ModelSocketObserver final : public Observer {
 public:
  ModelSocketObserver(const CallFacts& facts, genai::Endpoint endpoint,
                      const ObserverOptions& options)
      : endpoint_(std::move(endpoint)),
        options_(options),
        call_bytes_(kCallBytes + genai::content_room(options.reader)),
        sink_(*facts.shared_calls),
        counts_itself_(facts.counts_itself) {}

  void on_response_head(const http::Head& head, MonoTime) override {
    switched_ =
        head.status == http::kSwitchingProtocols && head.headers.lists("upgrade", "websocket");
    const http::WebSocketExtension extension = http::websocket_extension(head.headers);
    if (switched_ && extension == http::WebSocketExtension::kOther) give_up(Unread::kExtension);
    if (extension != http::WebSocketExtension::kDeflate) return;
    asked_texts_.set_packed();
    said_texts_.set_packed();
  }
  void on_switched_request_bytes(std::string_view bytes, MonoTime at) override {
    if (!switched_) return;
    now_ = at;
    tally_.on_sent(bytes);
    give_up_if_lost();
    if (unread_ || asked_texts_.take_other()) sink_.on_unwatched_answer(now_);
  }
  void on_response_bytes(std::string_view bytes, MonoTime at) override {
    if (!switched_) return;
    now_ = at;
    watched_ |= !in_event_;
    tally_.on_received(bytes);
    give_up_if_lost();
    if (!watched_ || unread_ || said_texts_.take_other()) sink_.on_unwatched_answer(now_);
  }
  void on_end(End end, MonoTime) override {
    // Whoever says goodbye ends what is under way.
    if (tally_.agent_closed()) end = End::kCancelled;
    if (end == End::kWhole) end = End::kBroken;
    while (!open_.empty()) end_call(open_.begin(), end);
  }
  void on_silenced() override {
    if (switched_) give_up(Unread::kMemory);
  }
  bool said_close(Side side) const override { return switched_ && tally_.said_close(side); }
  void describe(trace::Span& span) const override {
    if (!switched_) return;
    tally_.describe(span);
    if (unread_) span.attributes.add(attribute::kWebSocketUnread, name_of(*unread_));
  }

 private:
  using Calls = std::deque<OpenCall>;

  // The agent's messages.
  struct Asked final : BodySink {
    explicit Asked(ModelSocketObserver& its) : owner(its) {}
    json::Handler* begin_document(std::string_view) override { return owner.begin_request(); }
    void end_document(bool whole) override { owner.end_request(whole); }
    ModelSocketObserver& owner;
  };
  // The server's.
  struct Said final : BodySink {
    explicit Said(ModelSocketObserver& its) : owner(its) {}
    json::Handler* begin_document(std::string_view) override { return owner.begin_event(); }
    void end_document(bool whole) override { owner.end_event(whole); }
    ModelSocketObserver& owner;
  };

  json::Handler* begin_request();
  void end_request(bool whole);
  json::Handler* begin_event();
  void end_event(bool whole);
  Calls::iterator first_of(std::string_view lane);
  void end_call(const Calls::iterator& call, End end);
  void give_up_if_lost();
  // `more`: calls beside those under way.
  void give_up(Unread why, size_t more = 0);
  void count_memory() { charge_.set(kOwnBytes + open_.size() * call_bytes_); }

  const genai::Endpoint endpoint_;
  const ObserverOptions& options_;
  const size_t call_bytes_;
  SharedCallSink& sink_;
  MemoryCharge charge_{kOwnBytes};
  Asked asked_{*this};
  Said said_{*this};
  WebSocketTexts asked_texts_{BodyLimits{}, asked_};
  WebSocketTexts said_texts_{BodyLimits{}, said_};
  WebSocketTally tally_{&asked_texts_, &said_texts_};
  Envelope request_;
  Envelope event_;
  json::Tee asked_by_;                  // who reads the request
  json::Tee said_to_;                   // and the event
  Calls open_;                          // in the order they were asked
  std::optional<OpenCall> asking_;      // its message is under way
  std::optional<OpenCall> unassigned_;  // of several lanes: an event's, until it has told its own
  MonoTime now_{};
  std::optional<Unread> unread_;  // why nothing is read, or nothing more
  const bool counts_itself_;
  bool switched_ = false;
  bool lanes_ = false;     // a request named one
  bool in_event_ = false;  // of the server
  bool reading_ = false;   // it is a call's
  bool watched_ = true;    // all that was said since this call began, and the event under way
};

json::Handler* ModelSocketObserver::begin_request() {
  give_up_if_lost();
  if (unread_) return nullptr;
  asking_.emplace(genai::CallReader(endpoint_, options_.reader), sink_.watch_call(), now_);
  SharedCallWatcher* const watcher = asking_->watcher.get();
  asked_by_.set(asking_->reader.begin_request_document(),
                watcher != nullptr ? watcher->begin_request_document() : nullptr);
  return request_.begin(&asked_by_);
}

void ModelSocketObserver::end_request(bool whole) {
  give_up_if_lost();
  if (!asking_) return;
  OpenCall call = *std::exchange(asking_, std::nullopt);
  if (unread_) return;
  if (whole && request_.type != kCreate) {
    if (call.watcher) call.watcher->end_request_document();
    if (call.watcher) call.watcher->on_other_message(now_);
    return;
  }
  // An event would be taken for another call's.
  if (!whole) return give_up(Unread::kMalformed, 1);
  if (open_.size() == kOpenCallsMax) return give_up(Unread::kLimit, 1);
  call.reader.end_request_document(whole);
  if (call.watcher) {
    call.watcher->end_request_document();
    call.watcher->on_asked(call.reader.call(), now_);
  }
  call.lane = request_.lane;
  lanes_ |= !call.lane.empty();
  open_.push_back(std::move(call));
  count_memory();
}

// Whose an event is where there are lanes is told too late for a watcher.
json::Handler* ModelSocketObserver::begin_event() {
  unassigned_.reset();
  give_up_if_lost();
  if (unread_) return nullptr;
  in_event_ = true;
  reading_ = !open_.empty();
  watched_ &= reading_ && !lanes_;
  if (!reading_) return event_.begin(nullptr);  // to be told where it ends
  if (!lanes_) {
    OpenCall& call = open_.front();
    watched_ &= call.watcher != nullptr;
    said_to_.set(call.reader.begin_response_document(),
                 call.watcher ? call.watcher->begin_response_document() : nullptr);
    return event_.begin(&said_to_);
  }
  unassigned_.emplace(genai::CallReader(endpoint_, options_.reader), nullptr, now_);
  return event_.begin(&unassigned_->reader.begin_response_document());
}

void ModelSocketObserver::end_event(bool whole) {
  in_event_ = false;
  give_up_if_lost();
  if (!std::exchange(reading_, false) || open_.empty()) return;
  auto call = open_.begin();
  if (unassigned_) {
    unassigned_->reader.end_response_document(whole);
    call = first_of(event_.lane);
    if (call == open_.end()) return;
    call->reader.take_answer(unassigned_->reader);
    unassigned_.reset();
  } else {
    call->reader.end_response_document(whole);
    if (call->watcher) call->watcher->end_response_document();
    if (call->watcher) call->watcher->on_said(now_);
    watched_ &= whole;
  }
  if (!std::exchange(call->answered, true)) call->reader.on_first_chunk(now_ - call->start);
  if (ends_call(event_.type)) end_call(call, End::kWhole);
}

ModelSocketObserver::Calls::iterator ModelSocketObserver::first_of(std::string_view lane) {
  return std::ranges::find(open_, lane, &OpenCall::lane);
}

void ModelSocketObserver::end_call(const Calls::iterator& call, End end) {
  end == End::kCancelled ? call->reader.cancel() : call->reader.finish(end == End::kBroken);
  const genai::CallReader& reader = call->reader;
  sink_.on_shared_call({.start = call->start,
                        .ending = end,
                        .model_call = reader.known() ? &reader.call() : nullptr,
                        .watcher = call->watcher.get(),
                        .describe = [&](trace::Span& span) {
                          describe_model_call(span, reader, options_, counts_itself_);
                        }});
  open_.erase(call);
  count_memory();
}

// Also between the messages of one piece: how the bytes were cut is nothing that a call could tell.
void ModelSocketObserver::give_up_if_lost() {
  if (unread_) return;
  using State = http::Inflater::State;
  const auto is = [&](State state) {
    return asked_texts_.state() == state || said_texts_.state() == state;
  };
  if (tally_.lost() || is(State::kBroken)) return give_up(Unread::kMalformed);
  if (is(State::kLimit)) give_up(Unread::kLimit);
}

// Calls that are under way have no span then: how they end is not seen.
void ModelSocketObserver::give_up(Unread why, size_t more) {
  if (unread_) return;
  unread_ = why;
  // One that is being asked is given up with its message, wherever that was cut.
  sink_.on_calls_unread(why, open_.size() + more + (asking_ ? 1 : 0));
  event_.forget_further();
  open_.clear();
  count_memory();
}

}  // namespace

std::string_view name_of(Unread reason) {
  constexpr std::array<std::string_view, kUnreadCount> kNames = {"extension", "malformed", "limit",
                                                                 "memory"};
  return kNames[static_cast<size_t>(reason)];
}

std::unique_ptr<Observer> make_model_socket_observer(const CallFacts& facts,
                                                     const ObserverOptions& options) {
  const http::Headers& headers = facts.request.headers;
  if (facts.shared_calls == nullptr || !facts.request.asks("GET")) return nullptr;
  if (!headers.may_have(http::FieldName::kUpgrade)) return nullptr;
  if (!headers.lists(http::FieldName::kUpgrade, "websocket")) return nullptr;
  std::optional<genai::Endpoint> endpoint = genai::recognize({.method = facts.request.method(),
                                                              .host = facts.url.authority.host,
                                                              .path = facts.url.path,
                                                              .websocket = true},
                                                             options.recognize);
  if (!endpoint) return nullptr;
  return std::make_unique<ModelSocketObserver>(facts, *std::move(endpoint), options);
}

}  // namespace sidespan::semconv
