#include "sidespan/net/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "lookup_threads.h"
#include "resolver_cache.h"
#include "sidespan/base/text.h"
#include "sidespan/net/mailbox.h"

namespace sidespan::net {
namespace {

constexpr size_t kHostBytesMax = 253;  // RFC 1035 section 2.3.4, as text

// Somebody who waits. Shared, so that the Query can be gone before the answer and the reverse.
struct Waiter {
  Resolver::OnResolve done;  // empty once called or cancelled
};

class Waiting final : public Resolver::Query {
 public:
  explicit Waiting(std::shared_ptr<Waiter> waiter) : waiter_(std::move(waiter)) {}
  ~Waiting() override { waiter_->done = nullptr; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::shared_ptr<Waiter> waiter_;
};

bool can_be_a_name(std::string_view host) {
  host = text::without_root_dot(host);
  return !host.empty() && host.size() <= kHostBytesMax && std::ranges::all_of(host, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f' && c != '/' && c != ':';
  });
}

Error no_such_host(const std::string& host) {
  return {Code::kDnsFailure, Side::kOrigin, false, "no such host " + host};
}

Error lookup_error(int status, int system_error, const std::string& host) {
  switch (status) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return no_such_host(host);
    case EAI_AGAIN:
      return {Code::kDnsFailure, Side::kSelf, true,
              "no name server answers the question for host " + host};
    case EAI_SYSTEM:
      return {Code::kDnsFailure, Side::kSelf, true,
              "cannot look up host " + host + ": " + std::strerror(system_error)};
    default:
      return {Code::kDnsFailure, Side::kSelf, true,
              "cannot look up host " + host + ": " + ::gai_strerror(status)};
  }
}

// Blocks; on a thread of its own. No AI_ADDRCONFIG: it hides ::1 and a family whose interface is
// just coming up, and dialling finds out anyway.
Result<Resolver::Addresses> look_up(const std::string& host, size_t addresses_max) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &first); status != 0) {
    return std::unexpected(lookup_error(status, errno, host));
  }
  Resolver::Addresses all;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    if (const Address address = Address::from_sockaddr(one->ai_addr)) all.push_back(address);
  }
  ::freeaddrinfo(first);
  if (all.empty()) return std::unexpected(no_such_host(host));
  return interleave(all, addresses_max);
}

Resolver::Addresses loopback() {
  return {*Address::parse("127.0.0.1", 0), *Address::parse("::1", 0)};
}

}  // namespace

struct Resolver::Impl : std::enable_shared_from_this<Impl> {
  Impl(Loop& owner, Options wanted)
      : loop(owner),
        options(wanted),
        cache(wanted.entries_max),
        threads(std::max<size_t>(wanted.threads_max, 1)),
        answers(owner) {
    answers.set_background(true);
  }

  // What needs no lookup.
  std::optional<ResolverCache::Answer> answer_now(const std::string& host);
  std::optional<Error> begin(const std::string& host);
  void finish(const std::string& host, ResolverCache::Answer answer);
  void close();

  Loop& loop;
  Options options;
  ResolverCache cache;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Waiter>>> lookups;
  LookupThreads threads;
  Mailbox answers;
  bool closed = false;
};

std::optional<ResolverCache::Answer> Resolver::Impl::answer_now(const std::string& host) {
  if (const auto literal = Address::parse(host, 0)) return Addresses{*literal};
  if (host == "localhost" || host == "localhost.") return loopback();
  if (!can_be_a_name(host)) return std::unexpected(no_such_host(host));
  if (const auto* known = cache.find(host, loop.now().mono)) return *known;
  return std::nullopt;
}

std::optional<Error> Resolver::Impl::begin(const std::string& host) {
  Error overload{Code::kOverload, Side::kSelf, true, "too many names are being looked up at once"};
  if (lookups.size() >= options.lookups_max) return overload;
  const bool begun = threads.submit([host, addresses_max = options.addresses_max,
                                     sender = answers.sender(), weak = weak_from_this()]() mutable {
    auto answer = look_up(host, addresses_max);
    sender.post([host, weak = std::move(weak), answer = std::move(answer)]() mutable {
      if (const auto self = weak.lock()) self->finish(host, std::move(answer));
    });
  });
  if (!begun) return overload;
  answers.set_background(false);
  return std::nullopt;
}

void Resolver::Impl::finish(const std::string& host, ResolverCache::Answer answer) {
  if (closed) return;
  const auto lookup = lookups.extract(host);
  if (lookups.empty()) answers.set_background(true);
  const auto ttl = answer ? options.positive_ttl : options.negative_ttl;
  cache.put(host, answer, loop.now().mono + ttl);
  for (const auto& waiter : lookup.mapped()) {
    // A waiter may drop another's query, or the resolver.
    if (closed) return;
    if (auto done = std::exchange(waiter->done, OnResolve())) done(answer);
  }
}

void Resolver::Impl::close() {
  closed = true;
  lookups.clear();
  answers.close();
}

Resolver::Resolver(Loop& loop, Options options) : impl_(std::make_shared<Impl>(loop, options)) {}

Resolver::~Resolver() {
  impl_->close();
}

std::unique_ptr<Resolver::Query> Resolver::resolve(std::string_view name, OnResolve done) {
  const std::string host = text::lower(name);
  if (auto answer = impl_->answer_now(host)) {
    done(std::move(*answer));
    return nullptr;
  }
  if (!impl_->lookups.contains(host)) {
    if (auto error = impl_->begin(host)) {
      done(std::unexpected(std::move(*error)));
      return nullptr;
    }
  }
  auto waiter = std::make_shared<Waiter>(std::move(done));
  impl_->lookups[host].push_back(waiter);
  return std::make_unique<Waiting>(std::move(waiter));
}

}  // namespace sidespan::net
