#include "through.h"

#include <utility>
#include <variant>

#include "sidespan/http/h1_codec.h"
#include "sidespan/http/via.h"

namespace sidespan::wire {

Through::Through(Dialer& dialer, net::Loop& loop, const SecondProxy& proxy, std::string authority,
                 size_t passed, Milliseconds time_max, Dialer::OnDial done)
    : loop_(loop),
      proxy_(proxy),
      authority_(std::move(authority)),
      passed_(passed),
      done_(std::move(done)),
      limit_(loop, [this, time_max] {
        finish(failed(Code::kConnectTimeout, "took longer than " +
                                                 std::to_string(time_max.count()) +
                                                 " ms to connect to " + authority_));
      }) {
  limit_.start(time_max);
  attempt_ = dialer.dial(proxy.host, proxy.port,
                         [this](Result<Dialled> result) { on_dialled(std::move(result)); });
}

void Through::on_dialled(Result<Dialled> result) {
  if (!result) return finish(std::unexpected(second_proxy_error(std::move(result).error())));
  dialled_ = *std::move(result);
  dialled_.stream->start(*this);
  ask();
}

void Through::ask() {
  codec_ = http::make_h1_client({});
  stream_ = codec_->open();
  http::Head head;
  head.set_method("CONNECT");
  head.set_target(authority_);
  head.headers.add("Host", authority_);
  head.headers.add("Via", http::via_after(passed_));
  if (!proxy_.authorization.empty()) {
    head.headers.add("Proxy-Authorization", proxy_.authorization);
  }
  codec_->send_head(stream_, head);
  codec_->send({stream_, http::End{}});
  dialled_.stream->write(codec_->take_output());
}

void Through::on_bytes(const Chunk& read) {
  codec_->feed(read.view(), loop_.now().mono);
  while (std::optional<http::Event> event = codec_->next()) {
    if (const auto* head = std::get_if<http::Head>(&event->what)) return on_answer(head->status);
    if (const auto* reset = std::get_if<http::Reset>(&event->what)) {
      return finish(failed(Code::kMalformed,
                           "answered CONNECT with what is no answer: " + reset->error.what));
    }
  }
}

void Through::on_answer(int status) {
  if (status / 100 != 2) {
    return finish(failed(Code::kUnreachable, "refused to connect to " + authority_ +
                                                 ": it answered " + std::to_string(status)));
  }
  // What the origin said at once came in the same read.
  codec_->tunnel(stream_);
  while (std::optional<http::Event> event = codec_->next()) {
    if (auto* body = std::get_if<http::Body>(&event->what)) {
      dialled_.early.append(std::move(body->data));
    }
  }
  finish(std::move(dialled_));
}

void Through::on_end() {
  finish(failed(Code::kConnectionClosed, "closed the connection instead of an answer"));
}

void Through::on_failure(Error error) {
  finish(failed(error.code, "broke off: " + error.what));
}

std::unexpected<Error> Through::failed(Code code, const std::string& what) const {
  return fail(code, Side::kSelf,
              std::string(kSecondProxyWords) + " " + proxy_.host + ":" +
                  std::to_string(proxy_.port) + " " + what);
}

// The last thing done here: the callback may destroy this object.
void Through::finish(Result<Dialled> result) {
  limit_.stop();
  attempt_.reset();
  if (!result) dialled_.stream.reset();
  Dialer::OnDial done = std::move(done_);
  done(std::move(result));
}

}  // namespace sidespan::wire
