#include "app/health_command.h"

#include <cstdio>

#include "app/ask.h"
#include "app/environment.h"
#include "sidespan/base/clock.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kTimeMax{2000};
constexpr size_t kAnswerBytesMax = 4096;

}  // namespace

const ListenAddress& asked_for_health(const ListenSettings& listen) {
  return listen.health ? listen.health : listen.admin;
}

Result<void> ask_ready(const ListenSettings& listen) {
  const ListenAddress& asked = asked_for_health(listen);
  if (!asked) {
    return fail(Code::kInvalid, Side::kSelf, "both listen.health and listen.admin are off");
  }
  const MonoTime deadline = SystemClock().now().mono + kTimeMax;
  Result<void> answered = {};
  for (const net::Address& address : asked.addresses) {
    if (address.port() == 0) {
      return fail(Code::kInvalid, Side::kSelf, asked.written + " names no port to ask");
    }
    const Result<Answered> answer = ask(reachable(address), "/readyz", kAnswerBytesMax, deadline);
    if (answer && answer->status == 200) return {};
    if (answer) {
      return fail(Code::kSystem, Side::kSelf,
                  "not ready: " + reachable(address).to_string() + " answers " +
                      std::to_string(answer->status));
    }
    if (answered) answered = std::unexpected(answer.error());
  }
  return answered;
}

int health_command(const Settings& settings) {
  const Result<void> ready = ask_ready(settings.listen);
  if (!ready) std::fprintf(stderr, "sidespan: %s\n", ready.error().what.c_str());
  return ready ? 0 : 1;
}

}  // namespace sidespan::app
