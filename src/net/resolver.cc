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
  class Waiting;
  struct Lookup {
    LookupThreads::Ticket ticket;
    // None: it could not be stopped any more, and whoever asks for the name again joins it.
    std::vector<std::shared_ptr<Waiter>> waiters = {};
  };

  Impl(Loop& owner, Options given)
      : loop(owner),
        options(given),
        cache(given.entries_max),
        threads(std::max<size_t>(given.threads_max, 1)),
        answers(owner) {
    answers.set_background(true);
  }

  // What needs no lookup.
  std::optional<ResolverCache::Answer> answer_now(const std::string& host);
  // The lookup of that name, for one more to wait for; null where it would be one too many.
  Lookup* join(const std::string& host);
  std::optional<LookupThreads::Ticket> begin(const std::string& host);
  void give_up(const std::string& host, const std::shared_ptr<Waiter>& waiter);
  void finish(const std::string& host, ResolverCache::Answer answer);
  void set_wanted(size_t now);
  void close();

  Loop& loop;
  Options options;
  ResolverCache cache;
  std::unordered_map<std::string, Lookup> lookups;
  size_t wanted = 0;  // of `lookups`, those that somebody waits for
  LookupThreads threads;
  Mailbox answers;
  bool closed = false;
};

class Resolver::Impl::Waiting final : public Query {
 public:
  Waiting(std::weak_ptr<Impl> resolver, std::string host, std::shared_ptr<Waiter> waiter)
      : resolver_(std::move(resolver)), host_(std::move(host)), waiter_(std::move(waiter)) {}
  ~Waiting() override {
    waiter_->done = nullptr;
    if (const auto resolver = resolver_.lock()) resolver->give_up(host_, waiter_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::weak_ptr<Impl> resolver_;
  std::string host_;
  std::shared_ptr<Waiter> waiter_;
};

std::optional<ResolverCache::Answer> Resolver::Impl::answer_now(const std::string& host) {
  if (const auto literal = Address::parse(host, 0)) return Addresses{*literal};
  if (host == "localhost" || host == "localhost.") return loopback();
  if (!can_be_a_name(host)) return std::unexpected(no_such_host(host));
  if (const auto* known = cache.find(host, loop.now().mono)) return *known;
  return std::nullopt;
}

Resolver::Impl::Lookup* Resolver::Impl::join(const std::string& host) {
  auto lookup = lookups.find(host);
  if (lookup != lookups.end() && !lookup->second.waiters.empty()) return &lookup->second;
  if (wanted >= options.lookups_max) return nullptr;
  if (lookup == lookups.end()) {
    const auto ticket = begin(host);
    if (!ticket) return nullptr;
    lookup = lookups.try_emplace(host, *ticket).first;
  }
  set_wanted(wanted + 1);
  return &lookup->second;
}

std::optional<LookupThreads::Ticket> Resolver::Impl::begin(const std::string& host) {
  return threads.submit([host, addresses_max = options.addresses_max, sender = answers.sender(),
                         weak = weak_from_this()]() mutable {
    auto answer = look_up(host, addresses_max);
    sender.post([host, weak = std::move(weak), answer = std::move(answer)]() mutable {
      if (const auto self = weak.lock()) self->finish(host, std::move(answer));
    });
  });
}

// What has begun keeps its thread, and what comes of it is remembered.
void Resolver::Impl::give_up(const std::string& host, const std::shared_ptr<Waiter>& waiter) {
  const auto lookup = lookups.find(host);
  if (lookup == lookups.end() || std::erase(lookup->second.waiters, waiter) == 0) return;
  if (!lookup->second.waiters.empty()) return;
  set_wanted(wanted - 1);
  if (threads.withdraw(lookup->second.ticket)) lookups.erase(lookup);
}

void Resolver::Impl::set_wanted(size_t now) {
  wanted = now;
  answers.set_background(wanted == 0);
}

void Resolver::Impl::finish(const std::string& host, ResolverCache::Answer answer) {
  if (closed) return;
  const auto lookup = lookups.extract(host);
  const auto& waiters = lookup.mapped().waiters;
  if (!waiters.empty()) set_wanted(wanted - 1);
  const auto ttl = answer ? options.positive_ttl : options.negative_ttl;
  cache.put(host, answer, loop.now().mono + ttl);
  for (const auto& waiter : waiters) {
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
  Impl::Lookup* const lookup = impl_->join(host);
  if (lookup == nullptr) {
    done(fail(Code::kOverload, Side::kSelf, "too many names are being looked up at once", true));
    return nullptr;
  }
  auto waiter = std::make_shared<Waiter>(std::move(done));
  lookup->waiters.push_back(waiter);
  return std::make_unique<Impl::Waiting>(impl_, host, std::move(waiter));
}

}  // namespace sidespan::net
