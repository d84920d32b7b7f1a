#include <memory>
#include <string>

#include "semconv/json_rpc.h"
#include "semconv/tap_observers.h"
#include "sidespan/base/memory_ledger.h"
#include "sidespan/json/picker.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {
namespace {

constexpr size_t kOwnBytes = size_t{4} * 1024;

struct Card {
  std::string name = {};
  std::string version = {};
};

class CardReader final : private json::PickSink {
 public:
  explicit CardReader(Card& card) : card_(card), picker_(table(), *this) {}
  json::Handler& handler() { return picker_; }
  void reset() { picker_.reset(); }

 private:
  enum Pick : int { kName, kVersion };
  static const json::PickTable& table() {
    static const json::PickTable kTable({{"name", kName}, {"version", kVersion}});
    return kTable;
  }
  void on_pick(const json::Picked& picked) override {
    if (picked.kind != json::Picked::Kind::kText) return;
    (picked.id == kName ? card_.name : card_.version) = picked.text;
  }

  Card& card_;
  json::Picker picker_;
};

// Who the agent is; what it can do is for the one who asked.
class AgentCardObserver final : public Observer {
 public:
  void on_response_head(const http::Head& head, MonoTime) override {
    constexpr int kOk = 200;
    if (head.status == kOk) response_ = make_body_reader(head.headers, {}, documents_);
  }
  void on_response_bytes(std::string_view bytes, MonoTime) override {
    if (response_) response_->feed(bytes);
  }
  void on_end(End end, MonoTime) override {
    if (response_) response_->finish(end == End::kWhole);
    response_.reset();
  }
  void describe(trace::Span& span) const override {
    if (!card_.name.empty()) {
      span.attributes.set(attribute::kGenAiAgentName, std::string_view(card_.name));
    }
    if (!card_.version.empty()) {
      span.attributes.set(attribute::kGenAiAgentVersion, std::string_view(card_.version));
    }
  }

 private:
  const MemoryCharge charge_{kOwnBytes};
  Card card_;
  RpcDocuments<CardReader> documents_{card_};
  std::unique_ptr<BodyReader> response_;
};

}  // namespace

std::unique_ptr<Observer> make_agent_card_observer() {
  return std::make_unique<AgentCardObserver>();
}

}  // namespace sidespan::semconv
