// The load generator of the whole-proxy benchmark: one thread, answers judged by status and length.
//   load --port P --origin P --path /json [--connections N] [--seconds S | --requests N]
//        [--rate R]      open loop: R requests a second on those connections, whatever the answers
//        do
//        [--once]        a connection for each request, closed by the answer
//        [--upload N]    POST with N bytes
//        [--events]      streams: how late each event comes, until --seconds are over
//        [--hold]        one request on each connection, then a line, then until stdin ends
// Requests go in absolute-form to a proxy (or a relay) on port P. Prints one line of JSON; status 1
// when anything was not as it should be.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "answer.h"
#include "histogram.h"
#include "wire.h"

namespace sidespan::bench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kGiveUp = 10 * kSecond;  // after the last request was due
constexpr uint64_t kErrorsMax = 100;
constexpr size_t kHoldersAtOnce = 16;

struct Plan {
  uint16_t port = 0;
  uint16_t origin = 0;
  std::string path = "/json";
  size_t connections = 16;
  double seconds = 0;
  uint64_t requests = ~uint64_t{0};
  double rate = 0;
  size_t upload = 0;
  bool once = false;
  bool events = false;
  bool hold = false;
};

// Like an agent's SDK: a bearer token, a few fields.
std::string request_text(const Plan& plan) {
  const std::string host = "127.0.0.1:" + std::to_string(plan.origin);
  std::string text = plan.upload > 0 ? "POST" : "GET";
  text += " http://" + host + plan.path + " HTTP/1.1\r\nHost: " + host +
          "\r\nUser-Agent: bench-load/1\r\nAccept: */*\r\n"
          "Authorization: Bearer sk-bench-0123456789abcdef0123456789abcdef\r\n";
  if (plan.once) text += "Connection: close\r\n";
  if (plan.upload > 0) {
    text +=
        "Content-Type: application/octet-stream\r\nContent-Length: " + std::to_string(plan.upload) +
        "\r\n";
  }
  return text + "\r\n" + std::string(plan.upload, 'x');
}

class Load;

class Connection final : public Watched {
 public:
  explicit Connection(Load& load) : load_(load) {}
  ~Connection() override { disconnect(); }
  // `since`: the moment its time counts from.
  void ask(int64_t since);
  void on_ready(uint32_t events) override;
  void disconnect() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  bool busy() const { return busy_; }

 private:
  void write();
  void read();
  void finish(bool good);
  void want_writable(bool wanted);

  Load& load_;
  int fd_ = -1;
  bool busy_ = false;
  bool wants_writable_ = false;
  int64_t since_ = 0;
  std::string_view out_;
  Answer answer_;
};

class Load {
 public:
  explicit Load(Plan plan) : plan_(std::move(plan)), request_(request_text(plan_)) {}

  int run();

  // For connections.
  void on_event(std::string_view line);
  void on_answer(Connection& connection, bool good, int64_t since);

  Poller& poller() { return poller_; }
  const Plan& plan() const { return plan_; }
  std::string_view request() const { return request_; }

 private:
  bool may_ask() const { return !ending_ && asked_ < plan_.requests; }
  void ask(Connection& connection, int64_t since) {
    ++asked_;
    ++under_way_;
    connection.ask(since);
  }
  void ask_on_all();
  void ask_what_is_due();
  void hold();
  int tell(int64_t began) const;

  struct OnTime {
    Load* load;
    void operator()() const { load->ask_what_is_due(); }
  };

  const Plan plan_;
  const std::string request_;
  Poller poller_;
  Timer<OnTime> timer_{poller_, OnTime{this}};
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Connection*> idle_;  // open loop: the longest idle in front
  std::deque<int64_t> waiting_;   // open loop: when requests that found no connection were due
  Histogram times_;
  uint64_t asked_ = 0;
  uint64_t good_ = 0;
  uint64_t bad_ = 0;
  size_t under_way_ = 0;
  size_t held_ = 0;
  int64_t first_due_ = 0;
  int64_t last_answer_ = 0;
  uint64_t due_count_ = 0;
  bool ending_ = false;
};

void Connection::ask(int64_t since) {
  since_ = since;
  busy_ = true;
  answer_ = Answer();
  out_ = load_.request();
  if (fd_ >= 0) return write();
  fd_ = connect_to(load_.plan().port);
  wants_writable_ = true;
  load_.poller().add(fd_, kReadable | kWritable, *this);
}

void Connection::want_writable(bool wanted) {
  if (std::exchange(wants_writable_, wanted) == wanted) return;
  load_.poller().change(fd_, wanted ? kReadable | kWritable : kReadable, *this);
}

void Connection::on_ready(uint32_t events) {
  if (fd_ >= 0 && (events & kWritable) != 0) write();
  if (fd_ >= 0 && (events & ~kWritable) != 0) read();
}

void Connection::write() {
  const Io outcome = write_some(fd_, out_);
  if (outcome == Io::kGone) return finish(false);
  want_writable(outcome == Io::kLater);
}

void Connection::read() {
  std::string_view bytes;
  const Io outcome = read_once(fd_, bytes);
  if (outcome == Io::kLater) return;
  // An idle connection may be closed; the next request makes a new one.
  if (outcome == Io::kGone) return busy_ ? finish(false) : disconnect();
  if (!busy_) return finish(false);
  switch (answer_.feed(bytes, [this](std::string_view line) { load_.on_event(line); })) {
    case Answer::State::kUnfinished:
      return;
    case Answer::State::kWhole:
      return finish(answer_.status() == 200);
    case Answer::State::kWrong:
      return finish(false);
  }
}

void Connection::finish(bool good) {
  busy_ = false;
  if (!good || load_.plan().once) disconnect();
  load_.on_answer(*this, good, since_);
}

void Load::on_event(std::string_view line) {
  constexpr std::string_view kData = "data: ";
  if (!line.starts_with(kData)) return;
  int64_t sent = 0;
  const std::string_view stamp = line.substr(kData.size());
  std::from_chars(stamp.data(), stamp.data() + stamp.size(), sent);
  times_.add(now_ns() - sent);
}

void Load::on_answer(Connection& connection, bool good, int64_t since) {
  last_answer_ = now_ns();
  --under_way_;
  ++(good ? good_ : bad_);
  if (good) times_.add(last_answer_ - since);
  if (bad_ > kErrorsMax || plan_.events) ending_ = true;
  if (plan_.rate > 0) {
    if (waiting_.empty()) return idle_.push_back(&connection);
    ask(connection, std::exchange(waiting_.front(), 0));
    waiting_.pop_front();
    return;
  }
  if (plan_.hold) {
    if (++held_ == connections_.size()) ending_ = true;
    if (asked_ < connections_.size()) ask(*connections_[asked_], last_answer_);
    return;
  }
  if (may_ask()) ask(connection, last_answer_);
}

// Open loop. A request that finds an idle connection counts from now: that the timer is late is our
// own fault, not the proxy's. One that finds none counts from when it was due.
void Load::ask_what_is_due() {
  const auto due = [this](uint64_t k) {
    return first_due_ + static_cast<int64_t>(static_cast<double>(k) / plan_.rate * 1e9);
  };
  const int64_t now = now_ns();
  while (!ending_ && due(due_count_) <= now) {
    const int64_t moment = due(due_count_++);
    if (idle_.empty()) {
      waiting_.push_back(moment);
      continue;
    }
    Connection* connection = idle_.front();
    idle_.pop_front();
    ask(*connection, now_ns());
  }
  if (!ending_) timer_.at(due(due_count_));
}

void Load::ask_on_all() {
  const size_t first = plan_.hold ? std::min(kHoldersAtOnce, plan_.connections) : plan_.connections;
  for (size_t i = 0; i < plan_.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(*this));
  }
  for (size_t i = 0; i < first; ++i) {
    if (plan_.rate > 0) {
      idle_.push_back(connections_[i].get());
    } else if (may_ask()) {
      ask(*connections_[i], now_ns());
    }
  }
}

void Load::hold() {
  std::puts("held");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
}

int Load::tell(int64_t began) const {
  const double seconds = static_cast<double>(last_answer_ - began) / 1e9;
  std::printf(
      "{\"requests\": %llu, \"good\": %llu, \"bad\": %llu, \"unanswered\": %zu, "
      "\"seconds\": %.6f, \"times\": %llu, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
      static_cast<unsigned long long>(asked_), static_cast<unsigned long long>(good_),
      static_cast<unsigned long long>(bad_), under_way_, seconds,
      static_cast<unsigned long long>(times_.total()), times_.quantile_us(0.5),
      times_.quantile_us(0.99));
  return bad_ > 0 || (under_way_ > 0 && !plan_.events) ? 1 : 0;
}

int Load::run() {
  constexpr int kTurnMs = 20;
  const int64_t began = now_ns();
  const int64_t end =
      plan_.seconds > 0 ? began + static_cast<int64_t>(plan_.seconds * 1e9) : began + 600 * kSecond;
  ask_on_all();
  if (plan_.rate > 0) {
    first_due_ = began;
    ask_what_is_due();
  }
  while (now_ns() < end + kGiveUp) {
    if (now_ns() >= end || asked_ >= plan_.requests) ending_ = true;
    if (ending_ && ((under_way_ == 0 && waiting_.empty()) || plan_.events)) break;
    poller_.turn(kTurnMs);
  }
  if (plan_.events) last_answer_ = now_ns();
  if (plan_.hold) hold();
  return tell(began);
}

bool read_plan(int argc, char** argv, Plan& plan) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--once") {
      plan.once = true;
    } else if (option == "--events") {
      plan.events = true;
    } else if (option == "--hold") {
      plan.hold = true;
    } else if (i + 1 == argc) {
      return false;
    } else if (option == "--path") {
      plan.path = argv[++i];
    } else {
      const double value = std::atof(argv[++i]);
      if (option == "--port")
        plan.port = static_cast<uint16_t>(value);
      else if (option == "--origin")
        plan.origin = static_cast<uint16_t>(value);
      else if (option == "--connections")
        plan.connections = static_cast<size_t>(value);
      else if (option == "--seconds")
        plan.seconds = value;
      else if (option == "--requests")
        plan.requests = static_cast<uint64_t>(value);
      else if (option == "--rate")
        plan.rate = value;
      else if (option == "--upload")
        plan.upload = static_cast<size_t>(value);
      else
        return false;
    }
  }
  return plan.port > 0 && plan.connections > 0;
}

}  // namespace
}  // namespace sidespan::bench

int main(int argc, char** argv) {
  sidespan::bench::Plan plan;
  if (!sidespan::bench::read_plan(argc, argv, plan)) {
    std::fputs("load: see the head of load.cc\n", stderr);
    return 2;
  }
  return sidespan::bench::Load(std::move(plan)).run();
}
