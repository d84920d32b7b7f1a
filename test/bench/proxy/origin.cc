// The origin of the whole-proxy benchmark, and its collector.
//   origin [--events-per-second N] [--keep FILE]       prints its port
// GET /json, /image (as small, and read by nobody), /64k, /1m; POST /upload takes any body; GET
// /events is a stream of server-sent events that say when they were sent (N in all, in turn to the
// streams there are). With --keep the bodies sent to /v1/traces are kept, each after its size in
// four bytes, for test/bench/run to count the spans in them.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wire.h"

namespace sidespan::bench {
namespace {

constexpr std::string_view kJson = R"({"message":"Hello, World!"})";
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string whole(std::string_view type, std::string_view body) {
  std::string text = "HTTP/1.1 200 OK\r\nContent-Type: ";
  text.append(type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  return text.append("\r\n\r\n").append(body);
}

// Everything the origin ever says, made once.
struct Answers {
  std::string json = whole("application/json", kJson);
  std::string image = whole("image/png", kJson);
  std::string small = whole("application/x-protobuf", "");
  std::string kib64 = whole("application/octet-stream", std::string(size_t{64} * 1024, 'x'));
  std::string mib1 = whole("application/octet-stream", std::string(size_t{1024} * 1024, 'x'));
  std::string missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

  std::string_view to(std::string_view path) const {
    if (path == "/json" || path.starts_with("/json/")) return json;
    if (path == "/image" || path.starts_with("/image/")) return image;
    if (path == "/64k") return kib64;
    if (path == "/1m") return mib1;
    if (path == "/upload") return json;
    if (path == "/v1/traces") return small;
    return missing;
  }
};

// The value of a field in a head whose names have the usual case.
std::string_view field(std::string_view head, std::string_view name) {
  const std::string_view rest = head.substr(std::min(head.find(name), head.size()));
  if (rest.empty()) return {};
  const size_t end = rest.find("\r\n");
  return rest.substr(name.size(), end - name.size());
}

// The path of a request line, absolute-form or not.
std::string_view path_of(std::string_view head) {
  std::string_view target = head.substr(head.find(' ') + 1);
  target = target.substr(0, target.find(' '));
  if (target.starts_with("http://")) target = target.substr(target.find('/', 7));
  return target;
}

class Origin;

class Connection final : public Watched {
 public:
  Connection(Origin& origin, int fd);
  ~Connection() override { close(fd_); }
  void on_ready(uint32_t events) override;
  void tell_event(int64_t now);

  std::list<std::unique_ptr<Connection>>::iterator place;  // in the origin's list
  std::list<Connection*>::iterator stream_place;           // while `streaming`
  bool streaming = false;

 private:
  void take(std::string_view bytes);
  void begin(size_t head_end);
  void answer();
  void flush();
  void end();

  Origin& origin_;
  int fd_;
  std::string head_;
  std::string body_;  // only what is kept
  std::string path_;
  size_t body_left_ = 0;
  bool in_body_ = false;
  bool close_after_ = false;
  bool ended_ = false;
  bool waits_to_write_ = false;
  std::string_view out_;
};

class Origin {
 public:
  Origin(int64_t events_per_second, const char* keep)
      : event_gap_ns_(1'000'000'000 / events_per_second) {
    if (keep != nullptr) {
      keep_ = open(keep, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      if (keep_ < 0) die(keep);
    }
  }

  void serve() {
    Listener listener(poller, [this](int fd) {
      connections_.push_back(std::make_unique<Connection>(*this, fd));
      connections_.back()->place = std::prev(connections_.end());
    });
    announce(listener.port());
    while (true) poller.turn(-1);
  }

  bool keeps(std::string_view path) const { return keep_ >= 0 && path == "/v1/traces"; }
  void keep(std::string_view body) {
    std::string record(4, '\0');
    const auto size = static_cast<uint32_t>(body.size());
    std::memcpy(record.data(), &size, sizeof size);
    record += body;
    if (write(keep_, record.data(), record.size()) != static_cast<ssize_t>(record.size())) {
      die("write");
    }
  }

  void begin_stream(Connection& connection) {
    connection.stream_place = streams_.insert(streams_.end(), &connection);
    connection.streaming = true;
    if (streams_.size() == 1) timer_.at(next_event_ns_ = now_ns() + event_gap_ns_);
  }
  void remove(Connection& connection) {
    if (connection.streaming) streams_.erase(connection.stream_place);
    poller.retire(std::move(*connection.place));
    connections_.erase(connection.place);
  }

  Poller poller;
  const Answers answers;

 private:
  // To the stream whose turn it is; an event that is late by more than a gap is told at once.
  void on_time() {
    const int64_t now = now_ns();
    while (!streams_.empty() && next_event_ns_ <= now) {
      streams_.splice(streams_.end(), streams_, streams_.begin());
      streams_.back()->tell_event(now_ns());
      next_event_ns_ += event_gap_ns_;
    }
    if (!streams_.empty()) timer_.at(next_event_ns_);
  }

  struct OnTime {
    Origin* origin;
    void operator()() const { origin->on_time(); }
  };

  int64_t event_gap_ns_;
  int64_t next_event_ns_ = 0;
  int keep_ = -1;
  std::list<std::unique_ptr<Connection>> connections_;
  std::list<Connection*> streams_;
  Timer<OnTime> timer_{poller, OnTime{this}};
};

Connection::Connection(Origin& origin, int fd) : origin_(origin), fd_(fd) {
  origin_.poller.add(fd_, kReadable, *this);
}

void Connection::on_ready(uint32_t events) {
  if (ended_) return;
  if ((events & kWritable) != 0) flush();
  if (ended_ || (events & ~kWritable) == 0) return;
  std::string_view bytes;
  switch (read_once(fd_, bytes)) {
    case Io::kLater:
      return;
    case Io::kGone:
      return end();
    case Io::kDone:
      take(bytes);
  }
}

// Nobody here sends a request before the answer to the one before is read.
void Connection::take(std::string_view bytes) {
  if (!in_body_) {
    head_ += bytes;
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    bytes = bytes.substr(bytes.size() - (head_.size() - end - 4));
    begin(end);
  }
  if (bytes.size() > body_left_) return this->end();
  if (origin_.keeps(path_)) body_ += bytes;
  body_left_ -= bytes.size();
  if (body_left_ == 0) answer();
}

void Connection::begin(size_t head_end) {
  const std::string_view head = std::string_view(head_).substr(0, head_end + 2);
  path_ = path_of(head);
  const std::string_view length = field(head, "\r\nContent-Length: ");
  body_left_ = 0;
  std::from_chars(length.data(), length.data() + length.size(), body_left_);
  close_after_ = field(head, "\r\nConnection: ") == "close";
  in_body_ = true;
  head_.clear();
}

void Connection::answer() {
  in_body_ = false;
  if (origin_.keeps(path_)) origin_.keep(std::exchange(body_, {}));
  if (path_ == "/events") {
    out_ = kStreamHead;
    flush();
    if (!ended_) origin_.begin_stream(*this);
    return;
  }
  out_ = origin_.answers.to(path_);
  flush();
}

void Connection::flush() {
  const Io outcome = write_some(fd_, out_);
  if (outcome == Io::kGone) return end();
  const bool waits = outcome == Io::kLater;
  if (waits != waits_to_write_) {
    waits_to_write_ = waits;
    origin_.poller.change(fd_, waits ? kReadable | kWritable : kReadable, *this);
  }
  if (!waits && close_after_) end();
}

void Connection::tell_event(int64_t now) {
  std::array<char, 256> event;
  const int size = std::snprintf(event.data(), event.size(),
                                 "data: %020lld {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                                 "\" token\"},\"finish_reason\":null}]}\n\n",
                                 static_cast<long long>(now));
  std::array<char, 300> chunk;
  const int total = std::snprintf(chunk.data(), chunk.size(), "%x\r\n%s\r\n",
                                  static_cast<unsigned>(size), event.data());
  std::string_view bytes(chunk.data(), static_cast<size_t>(total));
  // A stream that cannot take an event has no delay to speak of: the load generator sees it break.
  if (write_some(fd_, bytes) != Io::kDone) end();
}

void Connection::end() {
  if (std::exchange(ended_, true)) return;
  origin_.remove(*this);
}

}  // namespace
}  // namespace sidespan::bench

int main(int argc, char** argv) {
  int64_t events_per_second = 2500;
  const char* keep = nullptr;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--events-per-second") events_per_second = std::atoll(argv[i + 1]);
    if (option == "--keep") keep = argv[i + 1];
  }
  sidespan::bench::Origin(events_per_second, keep).serve();
}
