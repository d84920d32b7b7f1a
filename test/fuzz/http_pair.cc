// A client and a server of ours on one connection, HTTP/1 or HTTP/2, and two owners who say and
// read what the bytes tell them to, in any order and however little of it the wire takes at a time.
// Each message arrives as it was sent, up to the limits of a head and of trailers, as far as it
// arrives, and whole where nobody broke it off; behind its end nothing is told of it; no more
// leaves than was sent; in the end nothing is under way.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../support/http_script.h"
#include "sidespan/base/text.h"
#include "sidespan/http/h2_codec.h"

using namespace sidespan;        // NOLINT(google-build-using-namespace)
using namespace sidespan::http;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int kRoundsMost = 4000;
constexpr size_t kMessagesMost = 40;
constexpr int kSecondsMost = 5;  // so that nobody has waited too long by short steps alone
constexpr std::array<std::string_view, 6> kMethods = {"GET", "POST",  "HEAD",
                                                      "PUT", "PATCH", "CONNECT"};
constexpr std::array<int, 6> kStatuses = {200, 404, 204, 304, 503, 201};

void must(bool holds) {
  if (!holds) std::abort();
}

// Of a request that met a drain.
bool is_refusal(const Error& error) {
  return error.retryable || error.code == Code::kConnectionClosed;
}

// nghttp2 reads no field of more than 64 KiB.
void add_padding(Headers& fields, size_t bytes) {
  constexpr size_t kEach = 40'000;
  for (; bytes > 0; bytes -= std::min(bytes, kEach)) {
    fields.add("x-padding", std::string(std::min(bytes, kEach), 'p'));
  }
}

// The byte at `index` of a message's body.
char body_byte(size_t message, uint64_t index) {
  return static_cast<char>('a' + (index + index / 26 + message) % 26);
}

// What its owner sends of a message, and what the other one was told of it.
struct Said {
  bool head = false;
  BodyLength body;
  uint64_t sent = 0;
  size_t padding = 0;
  bool trailers = false;
  bool ended = false;
  uint64_t drained = 0;

  bool heard_head = false;
  uint64_t heard = 0;
  bool heard_trailers = false;
  bool heard_end = false;

  bool is_padded(const Headers& fields) const {
    size_t bytes = 0;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields.at(i).name == "x-padding") bytes += fields.at(i).value.size();
    }
    return bytes == padding;
  }
  uint64_t left() const { return body.kind == BodyLength::Kind::kKnown ? body.bytes - sent : ~0U; }
};

struct Call {
  StreamId at_client = 0;
  StreamId at_server = 0;
  std::string_view method;
  int status = 0;
  Said request;
  Said answer;
  // It was broken off, or one side ended before it was to: nothing says that the rest arrives.
  bool broken = false;
  bool over_at_client = false;
  bool over_at_server = false;

  bool tunnel() const { return method == "CONNECT" && answer.head && status / 100 == 2; }
};

// One end: a codec, what left it and is on its way, and what is owed to it.
struct Site {
  std::unique_ptr<Codec> codec;
  Chain wire;
  bool fin_sent = false;
  std::map<StreamId, size_t> unconsumed;
};

class Pair {
 public:
  explicit Pair(uint8_t kind) : h2_((kind & 1U) != 0) {
    CodecLimits limits;
    if ((kind & 2U) != 0) limits.window_bytes = 1024;
    if ((kind & 4U) != 0) limits.stream_window_bytes = size_t{16} * 1024;
    if ((kind & 8U) != 0) limits.streams_max = 2;
    if ((kind & 32U) != 0) limits.head_bytes_max = size_t{256} * 1024;
    padding_max_ = limits.head_bytes_max - 1000;  // beside the other fields
    client_.codec = h2_ ? make_h2_client(limits, "http") : make_h1_client(limits);
    server_.codec = h2_ ? make_h2_server(limits) : make_h1_server(limits);
    lazy_ = (kind & 16U) != 0;
  }

  void act(uint8_t what, uint8_t how) {
    Call* const call = choose(how);
    switch (what % 16) {
      case 0:
      case 1:
        return ask(how);
      case 2:
        return say_body(client_, call, true, how);
      case 3:
        return end(client_, call, true, how);
      case 4:
        return answer(call, how);
      case 5:
        return say_body(server_, call, false, how);
      case 6:
        return end(server_, call, false, how);
      case 7:
        return interim(call);
      case 8:
      case 9:
        return move(client_, server_, size_t{how} * how);
      case 10:
      case 11:
        return move(server_, client_, size_t{how} * how);
      case 12:
        return consume(how);
      case 13:
        return reset(call, how);
      case 14:
        if (call != nullptr && call->at_client != 0) client_.codec->read_ahead(call->at_client);
        return;
      default:
        if (how > 250) drain((how & 1U) != 0 ? client_ : server_);
        if (how < 5) pass_time(how);
    }
  }

  // Everybody says what is left to say, and everything is read.
  void finish() {
    lazy_ = false;
    for (int round = 0; round < kRoundsMost; ++round) {
      const uint64_t before = moved_;
      for (size_t i = 0; i < calls_.size(); ++i) {
        end(client_, &calls_[i], true, 0);
        answer(&calls_[i], 0);
        end(server_, &calls_[i], false, 0);
      }
      consume(255);
      move(client_, server_, SIZE_MAX);
      move(server_, client_, SIZE_MAX);
      if (moved_ == before && round > 4) break;
    }
    for (const Call& call : calls_) {
      if (lost_ || call.broken || call.at_client == 0) continue;
      check_whole(call.request);
      if (call.answer.head) check_whole(call.answer);
      must(call.answer.heard_end);
    }
    if (lost_) return;
    for (const Site* site : {&client_, &server_}) {
      must(site->codec->streams() == 0 || site->codec->done());
    }
  }

 private:
  static void check_whole(const Said& said) {
    must(said.heard_head && said.ended && said.heard_end && said.heard == said.sent);
    must(said.heard_trailers == said.trailers);
  }

  Call* choose(uint8_t how) { return calls_.empty() ? nullptr : &calls_[how % calls_.size()]; }

  void ask(uint8_t how) {
    if (calls_.size() >= kMessagesMost) return;
    const StreamId stream = client_.codec->open();
    if (stream == 0) return;
    Call& call = calls_.emplace_back();
    call.at_client = stream;
    call.method = kMethods[how % kMethods.size()];
    const size_t index = calls_.size() - 1;
    const bool connect = call.method == "CONNECT";
    const bool bare = connect || call.method == "GET" || call.method == "HEAD";
    if (!bare) call.request.body = length_of(how);
    call.request.head = true;
    const std::string number = std::to_string(index + 1);
    Head head = script::request(call.method, connect ? "o:" + number : "/" + number,
                                call.request.body, {{"Host", connect ? "o:" + number : "o"}});
    call.request.padding = padding_of(how);
    add_padding(head.headers, call.request.padding);
    client_.codec->send_head(stream, head);
    if (!connect || h2_) return;
    // Over HTTP/1 the request for a tunnel is whole before the tunnel begins.
    call.request.ended = true;
    client_.codec->send({stream, End{}});
  }

  size_t padding_of(uint8_t how) const { return how % 32 == 31 ? padding_max_ : how % 8; }

  static BodyLength length_of(uint8_t how) {
    if (how % 3 == 0) return BodyLength::unknown();
    return BodyLength::known(how % 3 == 1 ? 0 : size_t{how} * 37);
  }

  void say_body(Site& site, Call* call, bool request, uint8_t how) {
    if (call == nullptr) return;
    Said& said = request ? call->request : call->answer;
    const StreamId stream = request ? call->at_client : call->at_server;
    if (stream == 0 || !said.head || said.ended || gone(*call, request)) return;
    const bool tunnel = call->tunnel() && in_tunnel(*call, request);
    if (request && call->method == "CONNECT" && !tunnel) return;
    if (!tunnel && !said.body.may_have_bytes()) return;
    const uint64_t most = tunnel ? ~0U : said.left();
    const uint64_t n = std::min<uint64_t>(size_t{how} * 41 + 1, most);
    if (n == 0) return;
    std::string bytes;
    for (uint64_t i = 0; i < n; ++i) bytes += body_byte(index_of(*call), said.sent + i);
    said.sent += n;
    site.codec->send({stream, Body{Chain(bytes)}});
    pull();
  }

  void end(Site& site, Call* call, bool request, uint8_t how) {
    if (call == nullptr) return;
    Said& said = request ? call->request : call->answer;
    const StreamId stream = request ? call->at_client : call->at_server;
    if (stream == 0 || !said.head || said.ended || gone(*call, request)) return;
    const bool tunnel = call->tunnel() && in_tunnel(*call, request);
    // Whether it is a tunnel is not known yet to who asked for one.
    if (request && call->method == "CONNECT" && !call->answer.heard_head) return;
    if (!tunnel && said.body.kind == BodyLength::Kind::kKnown && said.left() > 0) {
      if (how % 4 == 3) {
        call->broken = true;  // short of what it said
        if (!h2_) lost_ = true;
      } else {
        while (said.left() > 0) say_body(site, call, request, 255);
      }
    }
    const bool may_have_trailers = !tunnel && said.body.kind == BodyLength::Kind::kUnknown;
    if (may_have_trailers && how % 2 == 1) {
      said.trailers = true;
      Headers fields;
      fields.add("x-check", std::to_string(index_of(*call)));
      add_padding(fields, said.padding);
      site.codec->send({stream, Trailers{std::move(fields)}});
    }
    said.ended = true;
    // What an agent still says of a request that was answered in full is nobody's.
    if (!request && !tunnel && !call->request.heard_end) {
      call->broken = true;
      if (!h2_) lost_ = true;
    }
    site.codec->send({stream, End{}});
    pull();
  }

  void answer(Call* call, uint8_t how) {
    if (call == nullptr || call->at_server == 0 || call->answer.head || call->over_at_server)
      return;
    call->status = kStatuses[how % kStatuses.size()];
    // A tunnel is answered with 200; nghttp2 has no DATA behind a 204, in a tunnel either.
    if (call->method == "CONNECT" && call->status == 204) call->status = 200;
    call->answer.head = true;
    const bool bodyless = call->method == "HEAD" || call->status == 204 || call->status == 304;
    const bool tunnel = call->tunnel();
    if (!tunnel && call->status != 204) call->answer.body = length_of(how / 7);
    Head head = script::answer(call->status, call->answer.body, {{"x-call", "c"}});
    call->answer.padding = padding_of(how);
    add_padding(head.headers, call->answer.padding);
    server_.codec->send({call->at_server, std::move(head)});
    if (bodyless) call->answer.body = BodyLength::none();
    if (tunnel) {
      if (!h2_) call->request.heard_end = false;
      server_.codec->tunnel(call->at_server);
    }
    pull();
  }

  void interim(Call* call) {
    if (call == nullptr || call->at_server == 0 || call->answer.head || call->over_at_server)
      return;
    if (++interims_ > 60) return;  // a client bears 64
    Interim what{script::answer(103, BodyLength::none(), {{"Link", "</a>"}})};
    server_.codec->send({call->at_server, std::move(what)});
  }

  void reset(Call* call, uint8_t how) {
    if (call == nullptr || how % 4 != 1) return;
    const bool client = (how & 16U) != 0;
    const StreamId stream = client ? call->at_client : call->at_server;
    if (stream == 0 || (client ? call->over_at_client : call->over_at_server)) return;
    call->broken = true;
    (client ? call->over_at_client : call->over_at_server) = true;
    if (!h2_) lost_ = true;
    (client ? client_ : server_)
        .codec->send({stream, Reset{{Code::kCancelled, Side::kAgent, false, "enough"}}});
    pull();
  }

  // Of what the sender's codec has, up to `most` bytes go over, as far as the receiver reads.
  void move(Site& from, Site& to, size_t most) {
    if (from.codec->has_output()) from.wire.append(from.codec->take_output());
    while (most > 0 && !from.wire.empty() && to.codec->wants_input() && !to.codec->done()) {
      const size_t n = std::min({most, from.wire.size(), to.codec->room()});
      if (n == 0) break;
      const std::string bytes = from.wire.take(n).to_string();
      from.codec->written(n);
      to.codec->feed(bytes, now_);
      most -= n;
      moved_ += n;
      pull();
      if (from.wire.empty() && from.codec->has_output()) {
        from.wire.append(from.codec->take_output());
      }
    }
    // Nobody reads it any more; the socket takes it all the same.
    if (to.codec->done() && !from.wire.empty()) {
      from.codec->written(from.wire.size());
      from.wire = {};
      pull();
    }
    if (from.codec->output_ended() && from.wire.empty() && !from.codec->has_output() &&
        !std::exchange(from.fin_sent, true)) {
      ++moved_;
      to.codec->eof(from.codec->ends_abruptly() ? InputEnd::kTruncated : InputEnd::kClean);
      pull();
    }
  }

  void consume(uint8_t how) {
    for (Site* site : {&client_, &server_}) {
      for (auto& [stream, owed] : site->unconsumed) {
        const size_t n = std::min<size_t>(owed, how == 255 ? SIZE_MAX : size_t{how} * 64);
        if (n == 0) continue;
        owed -= n;
        moved_ += n;
        site->codec->consumed(stream, n);
      }
    }
    pull();
  }

  // A request that is on its way may find nobody, which its client is told.
  void drain(Site& site) {
    drained_ = true;
    site.codec->drain();
    pull();
  }

  // Who waits too long ends it.
  void pass_time(uint8_t how) {
    if (how != 4 && ++seconds_ > kSecondsMost) return;
    for (Site* site : {&client_, &server_}) site->codec->wait_from(now_);
    now_ += Milliseconds(how == 4 ? 100'000 : 1'000);
    for (Site* site : {&client_, &server_}) {
      const std::optional<MonoTime> due = site->codec->deadline();
      if (!due || *due > now_) continue;
      // For the long step whoever waits may give up; who only says that it will go does not.
      lost_ |= how == 4;
      site->codec->on_time(now_);
    }
    pull();
  }

  void pull() {
    while (std::optional<Event> event = client_.codec->next()) hear(client_, *event, false);
    while (std::optional<Event> event = server_.codec->next()) hear(server_, *event, true);
  }

  // What one end is told: a server of requests, a client of answers.
  void hear(Site& site, Event& event, bool request) {
    if (event.stream == 0 || std::holds_alternative<Closing>(event.what)) {
      if (std::holds_alternative<Reset>(event.what)) {
        must(lost_ || drained_ || std::ranges::any_of(calls_, &Call::broken));
        lost_ = true;
        for (Call& call : calls_) call.over_at_client = call.over_at_server = true;
      }
      return;
    }
    if (const auto* head = std::get_if<Head>(&event.what); head != nullptr && request) {
      return hear_request(event.stream, *head);
    }
    Call* const call = find(event.stream, request);
    if (call == nullptr) {  // a request of which nothing was told
      return must(request && lost_ && std::holds_alternative<Reset>(event.what));
    }
    Said& said = request ? call->request : call->answer;
    if (const auto* drained = std::get_if<Drained>(&event.what)) {
      Said& own = request ? call->answer : call->request;
      own.drained += drained->bytes;
      if (h2_) must(own.drained <= own.sent);
      return;
    }
    if (std::holds_alternative<HalfClosed>(event.what)) return;
    if (const auto* reset = std::get_if<Reset>(&event.what)) {
      must(lost_ || call->broken || (drained_ && is_refusal(reset->error)));
      // Whoever is told so sends it again: nobody else has done it.
      if (!request && reset->error.retryable) must(call->at_server == 0);
      call->broken = true;
      (request ? call->over_at_server : call->over_at_client) = true;
      return;
    }
    must(!said.heard_end);
    if (std::holds_alternative<Interim>(event.what)) {
      must(!request && !said.heard_head);
    } else if (const auto* head = std::get_if<Head>(&event.what)) {
      must(!said.heard_head && head->status == call->status);
      must(head->headers.find("x-call") == "c" && said.is_padded(head->headers));
      said.heard_head = true;
      if (call->tunnel()) {
        call->request.ended = false;
        client_.codec->tunnel(event.stream);
      }
    } else if (auto* body = std::get_if<Body>(&event.what)) {
      must(said.heard_head);
      for (const char c : body->data.to_string()) {
        must(c == body_byte(index_of(*call), said.heard++));
      }
      must(said.heard <= said.sent);
      const size_t n = body->data.size();
      if (lazy_) {
        site.unconsumed[event.stream] += n;
      } else {
        site.codec->consumed(event.stream, n);
      }
    } else if (const auto* trailers = std::get_if<Trailers>(&event.what)) {
      must(said.trailers && said.heard == said.sent);
      must(trailers->fields.find("x-check") == std::to_string(index_of(*call)));
      must(said.is_padded(trailers->fields));
      said.heard_trailers = true;
    } else if (std::holds_alternative<End>(event.what)) {
      // A tunnel over HTTP/1 ends with its connection.
      must(said.heard_head && (said.heard == said.sent || lost_ || call->broken));
      said.heard_end = true;
    }
  }

  void hear_request(StreamId stream, const Head& head) {
    const std::string_view target = head.target();
    const size_t at = target.find_last_of(head.asks("CONNECT") ? ':' : '/');
    must(at != std::string_view::npos);
    const auto number = text::parse_unsigned(target.substr(at + 1), 1000);
    must(number && *number >= 1 && *number <= calls_.size());
    Call& call = calls_[*number - 1];
    must(call.at_server == 0 && head.method() == call.method);
    must(call.request.is_padded(head.headers));
    call.at_server = stream;
    call.request.heard_head = true;
    const BodyLength& sent = call.request.body;
    if (sent.kind != BodyLength::Kind::kNone) must(head.body == sent);
  }

  Call* find(StreamId stream, bool at_server) {
    const auto found =
        std::ranges::find(calls_, stream, at_server ? &Call::at_server : &Call::at_client);
    return found == calls_.end() ? nullptr : &*found;
  }
  size_t index_of(const Call& call) const { return static_cast<size_t>(&call - calls_.data()); }
  bool gone(const Call& call, bool client) const {
    return client ? call.over_at_client : call.over_at_server;
  }
  static bool in_tunnel(const Call& call, bool client) {
    return client ? call.answer.heard_head : call.answer.head;
  }

  bool h2_;
  size_t padding_max_;
  bool lazy_ = false;
  bool drained_ = false;
  bool lost_ = false;  // the connection, and with it whatever is under way
  Site client_;
  Site server_;
  std::vector<Call> calls_;
  size_t interims_ = 0;
  uint64_t moved_ = 0;
  MonoTime now_{};
  int seconds_ = 0;  // that passed in short steps
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 1024) return 0;
  Pair pair(data[0]);
  for (size_t i = 1; i + 1 < size; i += 2) pair.act(data[i], data[i + 1]);
  pair.finish();
  return 0;
}
