#include <optional>

#include "semconv/tap_observers.h"
#include "sidespan/http/grpc.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::semconv {
namespace {

// Two counters' worth of state, whatever the stream.
class GrpcObserver final : public Observer {
 public:
  explicit GrpcObserver(const http::Head& request)
      : timeout_(http::grpc_timeout(request.headers)) {}

  void on_request_bytes(std::string_view bytes, MonoTime) override { sent_.feed(bytes); }
  void on_response_bytes(std::string_view bytes, MonoTime) override { received_.feed(bytes); }
  void describe(trace::Span& span) const override {
    span.attributes.add(attribute::kGrpcMessagesSent, static_cast<int64_t>(sent_.messages()));
    span.attributes.add(attribute::kGrpcMessagesReceived,
                        static_cast<int64_t>(received_.messages()));
    if (timeout_) span.attributes.add(attribute::kGrpcTimeout, to_seconds(*timeout_));
  }

 private:
  const std::optional<Nanoseconds> timeout_;
  http::GrpcMessageCounter sent_;
  http::GrpcMessageCounter received_;
};

}  // namespace

std::unique_ptr<Observer> make_grpc_observer(const CallFacts& facts) {
  return http::is_grpc(facts.request.headers) ? std::make_unique<GrpcObserver>(facts.request)
                                              : nullptr;
}

}  // namespace sidespan::semconv
