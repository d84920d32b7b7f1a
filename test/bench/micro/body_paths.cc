#include <cstdlib>
#include <string>
#include <utility>

#include "hot_path.h"
#include "sidespan/http/deflate.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::bench {
namespace {

// A little more than 8 KiB of what a model streams, and of a request with a conversation.
constexpr size_t kBodyBytes = size_t{8} * 1024;

std::string events() {
  std::string out;
  while (out.size() < kBodyBytes) {
    out +=
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
        "{\"type\":\"text_delta\",\"text\":\" a few words\"}}\n\n";
  }
  return out;
}

std::string conversation() {
  std::string out = R"({"model":"m","stream":true,"messages":[)";
  while (out.size() < kBodyBytes) {
    out += R"({"role":"user","content":")" + std::string(600, 'w') +
           R"(\n"},{"role":"assistant","content":[{"type":"text","text":")" +
           std::string(200, 'x') + R"("}]},)";
  }
  return out + "{}]}";
}

class Discard final : public semconv::BodySink {
 public:
  json::Handler* begin_document(std::string_view) override { return &handler_; }
  void end_document(bool whole) override {
    if (!whole) std::abort();
  }

 private:
  json::Handler handler_;
};

class Body : public HotPath {
 public:
  Body(semconv::BodyFraming framing, std::string body, http::Codings codings = {})
      : framing_(framing), codings_(codings), body_(std::move(body)) {}

  void once() override {
    semconv::BodyReader reader(framing_, codings_, {}, sink_);
    // As a socket's reads come.
    constexpr size_t kPieceBytes = size_t{4} * 1024;
    for (std::string_view rest = body_; !rest.empty();) {
      const std::string_view piece = rest.substr(0, kPieceBytes);
      reader.feed(piece);
      rest.remove_prefix(piece.size());
    }
    reader.finish(true);
    if (reader.state() != semconv::BodyReader::State::kReading) std::abort();
  }

 private:
  semconv::BodyFraming framing_;
  http::Codings codings_;
  std::string body_;
  Discard sink_;
};

class Text final : public Body {
 public:
  Text() : Body(semconv::BodyFraming::kJson, conversation()) {}
};

class Events final : public Body {
 public:
  Events() : Body(semconv::BodyFraming::kEvents, events()) {}
};

class PackedEvents final : public Body {
 public:
  PackedEvents()
      : Body(semconv::BodyFraming::kEvents, http::gzip(events()), {{http::Coding::kGzip}, 1}) {}
};

}  // namespace

void add_body_paths(std::vector<HotPathRow>& rows) {
  rows.push_back(row<Text>("body_json"));
  rows.push_back(row<Events>("body_events"));
  rows.push_back(row<PackedEvents>("body_gzip"));
}

}  // namespace sidespan::bench
