#include "app/bind.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace sidespan::app {
namespace {

// Whether an address of this machine is there at all: any port of it can be bound.
bool machine_has(const net::Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const net::Address any_port = address.with_port(0);
  const bool bound = ::bind(fd, any_port.get(), any_port.size()) == 0;
  ::close(fd);
  return bound;
}

std::vector<net::Address> usable(const ListenAddress& listen, const Binding& binding) {
  std::vector<net::Address> addresses = listen.addresses;
  if (addresses.size() < 2) return addresses;
  std::erase_if(addresses, [&](const net::Address& address) {
    return binding.has_family ? !binding.has_family(address) : !machine_has(address);
  });
  // With none of them there, trying anyway gives the system's own reason.
  return addresses.empty() ? listen.addresses : addresses;
}

Result<std::vector<net::Address>> bind_once(const std::vector<net::Address>& addresses,
                                            const Binding& binding) {
  std::vector<net::Address> bound;
  for (const net::Address& address : addresses) {
    const bool follows = address.port() == 0 && !bound.empty();
    Result<net::Address> result =
        binding.bind(follows ? address.with_port(bound.front().port()) : address);
    if (!result) {
      binding.undo();
      return std::unexpected(std::move(result.error()));
    }
    bound.push_back(*result);
  }
  return bound;
}

}  // namespace

Result<std::vector<net::Address>> bind_all(const ListenAddress& listen, const Binding& binding) {
  const std::vector<net::Address> addresses = usable(listen, binding);
  const bool any_port = addresses.size() > 1 && addresses.front().port() == 0;
  Result<std::vector<net::Address>> bound = bind_once(addresses, binding);
  for (int attempt = 1; !bound && any_port && attempt < kPortAttempts; ++attempt) {
    bound = bind_once(addresses, binding);
  }
  if (!bound) bound.error().what = listen.written + ": " + bound.error().what;
  return bound;
}

}  // namespace sidespan::app
