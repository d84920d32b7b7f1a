#include "hot_path.h"
#include "sidespan/base/random.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/attributes.h"
#include "sidespan/trace/context.h"

namespace sidespan::bench {
namespace {

constexpr uint64_t kSeed = 7;

// A root's two ids.
class Ids final : public HotPath {
 public:
  void once() override {
    keep(trace::TraceId::make(random_));
    keep(trace::SpanId::make(random_));
  }

 private:
  Random random_{kSeed};
};

// As many as a plain call's span has, of the usual sizes, under names known to be new.
class SixteenAttributes final : public HotPath {
 public:
  void once() override {
    trace::Attributes attributes;
    attributes.add(semconv::attribute::kHttpRequestMethod, "POST");
    attributes.add(semconv::attribute::kServerAddress, "api.example.com");
    attributes.add(semconv::attribute::kServerPort, int64_t{8080});
    attributes.add(semconv::attribute::kUrlFull,
                   "http://api.example.com:8080/v1/chat/completions?stream=true");
    attributes.add(semconv::attribute::kMode, "forward");
    attributes.add(semconv::attribute::kParentSource, "wire");
    attributes.add(semconv::attribute::kNetworkPeerAddress, "192.0.2.7");
    attributes.add(semconv::attribute::kNetworkPeerPort, int64_t{8080});
    attributes.add(semconv::attribute::kNetworkProtocolVersion, "1.1");
    attributes.add(semconv::attribute::kHttpResponseStatusCode, int64_t{200});
    attributes.add(semconv::attribute::kEnd, "complete");
    attributes.add(semconv::attribute::kHttpRequestBodySize, int64_t{812});
    attributes.add(semconv::attribute::kHttpResponseBodySize, int64_t{2048});
    attributes.add(semconv::attribute::kPhaseSend, 0.002);
    attributes.add(semconv::attribute::kPhaseWait, 0.05);
    attributes.add(semconv::attribute::kTimeToFirstByte, 0.053);
    keep(attributes);
  }
};

// The same of them by keys that may be there already, as a program sets its own.
class SixteenAttributesSet final : public HotPath {
 public:
  void once() override {
    trace::Attributes attributes;
    attributes.set("http.request.method", "POST");
    attributes.set("url.full", "http://api.example.com:8080/v1/chat/completions?stream=true");
    attributes.set("url.scheme", "http");
    attributes.set("url.path", "/v1/chat/completions");
    attributes.set("url.query", "stream=true");
    attributes.set("server.address", "api.example.com");
    attributes.set("server.port", int64_t{8080});
    attributes.set("network.peer.address", "192.0.2.7");
    attributes.set("network.peer.port", int64_t{8080});
    attributes.set("network.protocol.version", "1.1");
    attributes.set("http.response.status_code", int64_t{200});
    attributes.set("http.request.body.size", int64_t{812});
    attributes.set("http.response.body.size", int64_t{2048});
    attributes.set("sidespan.mode", "forward");
    attributes.set("sidespan.parent.source", "wire");
    attributes.set("sidespan.time_to_first_byte", 0.053);
    keep(attributes);
  }
};

}  // namespace

void add_base_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<Ids>("ids"));
  rows.push_back(row<SixteenAttributes>("attributes"));
  rows.push_back(row<SixteenAttributesSet>("attributes_set"));
}

}  // namespace sidespan::bench
