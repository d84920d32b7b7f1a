// What the tests of the agent's side say and expect over and over.
#pragma once

#include <string>
#include <string_view>

#include "sidespan/http/h1_codec.h"
#include "support/http_script.h"

namespace sidespan::http::script {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: o\r\n\r\n";
constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\n";
inline const std::string kToldGet = " GET / 1.1 [Host: o] none";
inline const std::string kToldPost = " POST / 1.1 [Host: o, Content-Length: 5] 5";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kOkClose =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

inline Line agent(Cuts cuts, CodecLimits limits = {}) {
  return Line(make_h1_server(limits), cuts);
}

inline void say_ok(Line& line, StreamId stream) {
  line.send(stream, answer(200, BodyLength::known(2)));
  line.send(stream, Body{Chain("ok")});
  line.send(stream, End{});
}

}  // namespace sidespan::http::script
