// How tests talk to an http::Codec: bytes at any cuts, events as lines of text. Used by the unit
// tests of the codecs and by their fuzz targets.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "http/h1_writer.h"
#include "sidespan/http/answer.h"
#include "sidespan/http/codec.h"
#include "sidespan/http/h1_codec.h"

namespace sidespan::http::script {

// "[Host: h, Accept: */*]"
inline std::string show(const Headers& headers) {
  std::string out = "[";
  for (size_t i = 0; i < headers.size(); ++i) {
    if (i > 0) out += ", ";
    out.append(headers.at(i).name).append(": ").append(headers.at(i).value);
  }
  return out + "]";
}

// Method and target, or status and reason; version, fields, body length: "none", "5" or "unknown".
inline std::string show(const Head& head) {
  const bool request = !head.method().empty();
  std::string out = request ? std::string(head.method()).append(" ").append(head.target())
                            : std::to_string(head.status).append(" ").append(head.reason());
  out += " 1." + std::to_string(head.minor_version) + " " + show(head.headers) + " ";
  if (head.body.kind == BodyLength::Kind::kNone) out += "none";
  if (head.body.kind == BodyLength::Kind::kKnown) out += std::to_string(head.body.bytes);
  if (head.body.kind == BodyLength::Kind::kUnknown) out += "unknown";
  return out + (head.upgrade ? " upgrade" : "");
}

// Events in order, a line each: "1 end". Neighbouring bodies are one, so that cuts do not show.
class Log {
 public:
  void add(const Event& event) {
    const std::string stream = std::to_string(event.stream) + " ";
    if (const auto* body = std::get_if<Body>(&event.what)) {
      if (body_of_ != event.stream) text_ += "\n" + stream + "body ";
      body_of_ = event.stream;
      text_ += body->data.to_string();
      return;
    }
    body_of_.reset();
    text_ += "\n" + stream + word(event);
  }
  // All of it, a line break before each line.
  const std::string& text() const { return text_; }

 private:
  static std::string word(const Event& event) {
    if (const auto* interim = std::get_if<Interim>(&event.what)) {
      return "interim " + show(interim->head);
    }
    if (const auto* head = std::get_if<Head>(&event.what)) return show(*head);
    if (const auto* trailers = std::get_if<Trailers>(&event.what)) {
      return "trailers " + show(trailers->fields);
    }
    if (std::holds_alternative<End>(event.what)) return "end";
    if (const auto* reset = std::get_if<Reset>(&event.what)) {
      return "reset " + std::string(name_of(reset->error.code));
    }
    if (const auto* drained = std::get_if<Drained>(&event.what)) {
      return "drained " + std::to_string(drained->bytes);
    }
    return std::holds_alternative<HalfClosed>(event.what) ? "half-closed" : "closing";
  }

  std::string text_;
  std::optional<StreamId> body_of_;
};

// Where bytes are cut on their way in.
class Cuts {
 public:
  static Cuts whole() { return Cuts(SIZE_MAX, SIZE_MAX, 0); }
  static Cuts every_byte() { return Cuts(1, 1, 0); }
  static Cuts random(unsigned seed) { return Cuts(1, 40, seed); }

  template <class Feed>
  void cut(std::string_view bytes, Feed&& feed) {
    while (!bytes.empty()) {
      const size_t n = min_ == max_ ? min_ : min_ + random_() % (max_ - min_ + 1);
      feed(bytes.substr(0, n));
      bytes.remove_prefix(std::min(n, bytes.size()));
    }
  }

 private:
  Cuts(size_t min, size_t max, unsigned seed) : min_(min), max_(max), random_(seed + 1) {}

  size_t min_;
  size_t max_;
  std::minstd_rand random_;
};

// Calls `test(cuts)` for bytes in one piece, byte by byte, and at ten random cuttings.
template <class Test>
void at_all_cuts(Test&& test) {
  test(Cuts::whole());
  test(Cuts::every_byte());
  for (unsigned seed = 0; seed < 10; ++seed) test(Cuts::random(seed));
}

// Both neighbours of one codec: the peer on the wire, and the owner who pulls events.
class Line {
 public:
  Line(std::unique_ptr<Codec> codec, Cuts cuts) : codec_(std::move(codec)), cuts_(cuts) {}

  // The peer sends bytes, or its FIN.
  void feed(std::string_view bytes) {
    cuts_.cut(bytes, [&](std::string_view piece) {
      codec_->feed(piece, now);
      pull();
    });
  }
  void eof(InputEnd how = InputEnd::kClean) {
    codec_->eof(how);
    pull();
  }
  // The peer reads all there is.
  std::string output() {
    std::string out;
    while (codec_->has_output()) {
      const Chain bytes = codec_->take_output();
      out += bytes.to_string();
      codec_->written(bytes.size());
      pull();
    }
    return out;
  }

  void pull() {
    while (std::optional<Event> event = codec_->next()) {
      const auto* body = std::get_if<Body>(&event->what);
      if (body != nullptr && consume) codec_->consumed(event->stream, body->data.size());
      if (!std::holds_alternative<Drained>(event->what)) log_.add(*event);
      if (react) react(*event);
    }
  }
  // What was told since the last call, without Drained.
  std::string events() { return std::exchange(log_, Log()).text(); }
  size_t send(StreamId stream, decltype(Event::what) what) {
    const size_t queued = codec_->send({stream, std::move(what)});
    pull();
    return queued;
  }

  Codec& codec() { return *codec_; }
  Codec* operator->() { return codec_.get(); }

  MonoTime now{};
  bool consume = true;
  std::function<void(const Event&)> react;

 private:
  std::unique_ptr<Codec> codec_;
  Cuts cuts_;
  Log log_;
};

inline Headers fields_of(std::initializer_list<Field> lines) {
  Headers headers;
  for (const Field& line : lines) headers.add(line.name, line.value);
  return headers;
}

inline Head answer(int status, BodyLength body, std::initializer_list<Field> lines = {}) {
  Head head;
  head.status = status;
  head.headers = fields_of(lines);
  head.body = body;
  return head;
}

inline Head request(std::string_view method, std::string_view target, BodyLength body,
                    std::initializer_list<Field> lines = {}) {
  Head head;
  head.set_method(method);
  head.set_target(target);
  head.headers = fields_of(lines);
  head.body = body;
  return head;
}

// Takes away what says of a body and version, and of an answer's connection, which is the server
// codec's to say; writes the rest anew.
inline std::string rewrite(Head& head) {
  for (const char* framing : {"content-length", "transfer-encoding"}) head.headers.remove(framing);
  if (head.method().empty()) head.headers.remove("connection");
  head.body = BodyLength::none();
  head.minor_version = 1;
  if (head.reason().empty()) head.set_reason(reason_phrase(head.status));
  Chain out;
  if (head.method().empty()) write_response_head(out, head, Framing::kNone, {});
  if (!head.method().empty()) write_request_head(out, head, Framing::kNone);
  return out.to_string();
}

// What a server makes of `bytes` and FIN, when each request is answered at its end.
inline std::string play_server(std::string_view bytes, Cuts cuts) {
  Line line(make_h1_server({}), cuts);
  bool upgrade = false;
  line.react = [&](const Event& event) {
    if (const auto* head = std::get_if<Head>(&event.what)) upgrade = head->upgrade;
    if (!std::holds_alternative<End>(event.what)) return;
    // Whether bytes behind such a request count depends on whether they are there before its
    // answer.
    Head head = answer(204, BodyLength::none());
    if (upgrade) head.headers.add("Connection", "close");
    line.send(event.stream, std::move(head));
    line.send(event.stream, End{});
  };
  line.feed(bytes);
  line.eof();
  return line.events();
}

// What a client that asked with `method` makes of `bytes` and FIN.
inline std::string play_client(std::string_view bytes, std::string_view method, Cuts cuts) {
  Line line(make_h1_client({}), cuts);
  const StreamId stream = line->open();
  line.send(stream, request(method, "/", BodyLength::none(), {{"Host", "o"}}));
  line.send(stream, End{});
  line.feed(bytes);
  line.eof();
  return line.events();
}

}  // namespace sidespan::http::script
