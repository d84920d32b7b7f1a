#include "sidespan/serve/endpoint.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "serve/client.h"
#include "sidespan/net/listener.h"

namespace sidespan::serve {
namespace {

// Connections over the limit that are still told so; beyond them they are closed without a word.
constexpr size_t kShedMax = 16;
constexpr std::chrono::minutes kShedLogInterval{1};

}  // namespace

struct Endpoint::Impl final : ClientOwner, net::TurnEnd {
  Impl(net::Loop& on_loop, Log& to_log, Options with, Handler asked)
      : loop(on_loop), log(to_log), limits(std::move(with)), handler(std::move(asked)) {}
  ~Impl() { loop.cancel_turn_end(*this); }

  const Options& options() const override { return limits; }
  Response handle(const Request& request) override { return handler(request); }
  size_t unread_bytes() const override {
    return std::accumulate(
        clients.begin(), clients.end(), size_t{0},
        [](size_t sum, const auto& client) { return sum + client->unread_bytes(); });
  }
  void reap_later() override { loop.at_turn_end(*this); }
  void on_turn_end() override {
    std::erase_if(clients, [](const auto& client) { return client->done(); });
  }

  void accept(std::unique_ptr<net::Stream> stream);
  size_t open() const;
  bool make_room();
  void log_shed();

  net::Loop& loop;
  Log& log;
  const Options limits;
  const Handler handler;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  std::vector<std::unique_ptr<Client>> clients;
  std::optional<MonoTime> shed_logged_at;
};

void Endpoint::Impl::accept(std::unique_ptr<net::Stream> stream) {
  const bool welcome = open() < limits.connections_max || make_room();
  if (!welcome) log_shed();
  if (open() >= limits.connections_max + kShedMax) return;
  clients.push_back(std::make_unique<Client>(*this, loop, std::move(stream), welcome));
}

// Those who are done only wait for the end of the turn.
size_t Endpoint::Impl::open() const {
  const auto is_open = [](const auto& client) { return !client->done(); };
  return static_cast<size_t>(std::ranges::count_if(clients, is_open));
}

// An idle connection is only a convenience; a probe must not fail because of many of them.
bool Endpoint::Impl::make_room() {
  Client* longest = nullptr;
  for (const auto& client : clients) {
    if (!client->idle() || client->done()) continue;
    if (longest == nullptr || client->since() < longest->since()) longest = client.get();
  }
  if (longest == nullptr) return false;
  longest->evict();
  return true;
}

void Endpoint::Impl::log_shed() {
  const MonoTime now = loop.now().mono;
  if (shed_logged_at && now - *shed_logged_at < kShedLogInterval) return;
  shed_logged_at = now;
  log.write(LogLevel::kWarn,
            "connections to an endpoint of our own were turned away, there are too many",
            {{"limit", std::to_string(limits.connections_max)}});
}

Endpoint::Endpoint(net::Loop& loop, Log& log, Options options, Handler handler)
    : impl_(std::make_unique<Impl>(loop, log, std::move(options), std::move(handler))) {}

Endpoint::~Endpoint() = default;

Result<net::Address> Endpoint::listen(const net::Address& address) {
  auto listener = net::Listener::listen(impl_->loop, address, {},
                                        [impl = impl_.get()](std::unique_ptr<net::Stream> stream) {
                                          impl->accept(std::move(stream));
                                        });
  if (!listener) return std::unexpected(std::move(listener).error());
  impl_->listeners.push_back(*std::move(listener));
  return impl_->listeners.back()->address();
}

}  // namespace sidespan::serve
