#include "app/setting_checks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "app/authority_scope.h"
#include "app/setting_reader.h"
#include "sidespan/base/text.h"
#include "sidespan/tls/authority.h"
#include "sidespan/trace/propagator.h"

namespace sidespan::app {
namespace {

struct Listener {
  std::string_view key;
  const ListenAddress* where;
};

std::array<Listener, 4> listeners_of(const Settings& settings) {
  return {{{"listen.egress", &settings.listen.egress},
           {"listen.ingress", &settings.listen.ingress},
           {"listen.admin", &settings.listen.admin},
           {"listen.health", &settings.listen.health}}};
}

bool is_loopback(const ListenAddress& where) {
  return std::ranges::all_of(where.addresses, &net::Address::is_loopback);
}

// Whether both cannot be bound, as far as can be told without asking the system.
bool overlap(const net::Address& a, const net::Address& b) {
  return a.port() != 0 && a.port() == b.port() && (a.is_any() || b.is_any() || a.same_ip(b));
}

bool overlap(const ListenAddress& a, const ListenAddress& b) {
  return std::ranges::any_of(a.addresses, [&](const net::Address& one) {
    return std::ranges::any_of(b.addresses,
                               [&](const net::Address& other) { return overlap(one, other); });
  });
}

// Whether a connection to `host` on this machine arrives at `listening`.
bool reaches(const std::string& host, uint16_t port, const net::Address& listening) {
  if (listening.port() != port || port == 0) return false;
  if (host == "localhost" || host.ends_with(".localhost")) {
    return listening.is_loopback() || listening.is_any();
  }
  const std::optional<net::Address> target = net::Address::parse(host, port);
  if (!target) return false;
  if (listening.is_any()) return target->is_loopback() || target->is_any();
  return target->same_ip(listening) || (target->is_any() && listening.is_loopback());
}

void check_listeners(const Settings& settings, std::vector<Conflict>& conflicts) {
  if (!is_loopback(settings.listen.egress) && settings.egress.allow_from.empty()) {
    conflicts.push_back({"listen.egress", "egress.allow_from",
                         "is more than loopback; egress.allow_from must say who may connect"});
  }
  if (!is_loopback(settings.listen.admin)) {
    conflicts.push_back(
        {"listen.admin", "",
         "is more than loopback, which is not in this version; listen.health may be"});
  }
  const auto listeners = listeners_of(settings);
  for (size_t i = 0; i < listeners.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!overlap(*listeners[i].where, *listeners[j].where)) continue;
      conflicts.push_back(
          {listeners[i].key, listeners[j].key, "has the port of " + std::string(listeners[j].key)});
    }
  }
}

void check_tls(const Settings& settings, std::vector<Conflict>& conflicts) {
  const TlsSettings& tls = settings.tls;
  if (tls.authority_certificate.empty() != tls.authority_key.empty()) {
    const bool lacks_key = tls.authority_key.empty();
    conflicts.push_back(
        {lacks_key ? "tls.authority.certificate" : "tls.authority.key", "",
         lacks_key ? "needs tls.authority.key" : "needs tls.authority.certificate"});
  }
  if (!tls.authority_certificate.empty() && tls.export_dir.empty()) {
    conflicts.push_back({"tls.authority.certificate", "tls.authority.export_dir",
                         "needs tls.authority.export_dir, where agents find what to trust"});
  }
  if (tls.interception.mode == proxy::Interception::Mode::kListed &&
      tls.interception.hosts.empty()) {
    conflicts.push_back({"tls.intercept.mode", "tls.intercept.hosts",
                         "is listed, and tls.intercept.hosts lists nothing"});
  }
  for (const std::string& name : authority_scope(tls).names) {
    if (tls::is_scope_name(name)) continue;
    std::string what = "has " + quote(name) + ", which no host is called";
    if (name.starts_with('.')) what += "; what is below a name is *" + name;
    conflicts.push_back({"tls.intercept.hosts", "tls.intercept.mode", std::move(what)});
  }
}

// Whose listener that is, null: nobody's of ours.
const Listener* own_listener(const std::array<Listener, 4>& listeners, const std::string& host,
                             uint16_t port) {
  const auto found = std::ranges::find_if(listeners, [&](const Listener& listener) {
    return std::ranges::any_of(listener.where->addresses, [&](const net::Address& address) {
      return reaches(host, port, address);
    });
  });
  return found == listeners.end() ? nullptr : &*found;
}

void check_ingress(const Settings& settings, std::vector<Conflict>& conflicts) {
  const std::optional<net::HostPort>& server = settings.ingress.forward_to;
  if (settings.listen.ingress && !server) {
    conflicts.push_back({"listen.ingress", "ingress.forward_to",
                         "needs ingress.forward_to, where the agent's own server is"});
  }
  if (!settings.listen.ingress || !server) return;
  const auto listeners = listeners_of(settings);
  if (const Listener* own = own_listener(listeners, server->host, server->port)) {
    conflicts.push_back(
        {"ingress.forward_to", own->key, "is sidespan's own " + std::string(own->key)});
  }
}

void check_export(const Settings& settings, std::vector<Conflict>& conflicts) {
  if (settings.exporting.batch_spans > settings.exporting.queue_spans) {
    conflicts.push_back({"export.batch.spans", "export.batch.queue",
                         "is " + std::to_string(settings.exporting.batch_spans) +
                             ", more than export.batch.queue, which is " +
                             std::to_string(settings.exporting.queue_spans),
                         true});
  }
  if (!settings.exporting.endpoint) return;
  const http::Url& endpoint = *settings.exporting.endpoint;
  const auto listeners = listeners_of(settings);
  if (const Listener* own = own_listener(listeners, endpoint.authority.host, endpoint.port())) {
    conflicts.push_back(
        {"export.otlp.endpoint", own->key, "is sidespan's own " + std::string(own->key)});
  }
}

void check_tail(const Settings& settings, std::vector<Conflict>& conflicts) {
  const std::optional<report::TailOptions>& tail = settings.sampling.tail;
  if (!tail || settings.workers < 2 || tail->wait >= report::kGatherTimeMax) return;
  const std::string least = std::to_string(report::kGatherTimeMax.count()) + "ms";
  conflicts.push_back({"sampling.tail", "workers",
                       "has a wait of less than " + least + ", for which one of the " +
                           std::to_string(settings.workers) +
                           " workers may not have told yet that a trace goes on"});
}

bool is_custom(const PropagationSettings& propagation, std::string_view name) {
  return std::ranges::any_of(propagation.custom, [&](const CustomFormat& format) {
    return text::equal_ignoring_case(format.name, name);
  });
}

void check_format_list(std::string_view key, const std::vector<std::string>& names,
                       const PropagationSettings& propagation, std::vector<Conflict>& conflicts) {
  const trace::PropagatorRegistry registry;
  std::string known;
  for (const std::string_view name : registry.names()) known.append(name).append(", ");
  for (const CustomFormat& format : propagation.custom) known.append(format.name).append(", ");
  for (const std::string& name : names) {
    if (name == "none" || registry.find(name) != nullptr || is_custom(propagation, name)) continue;
    conflicts.push_back(
        {key, "propagation.custom", quote(name) + " is not one of " + known + "none"});
  }
}

void check_custom_formats(const PropagationSettings& propagation,
                          std::vector<Conflict>& conflicts) {
  const auto& all = propagation.custom;
  const auto lists = [](const std::vector<std::string>& names, const CustomFormat& format) {
    return std::ranges::any_of(names, [&](const std::string& name) {
      return text::equal_ignoring_case(name, format.name);
    });
  };
  for (auto format = all.begin(); format != all.end(); ++format) {
    const bool twice = std::any_of(all.begin(), format, [&](const CustomFormat& other) {
      return text::equal_ignoring_case(other.name, format->name) ||
             text::equal_ignoring_case(other.header, format->header);
    });
    if (twice) {
      conflicts.push_back({"propagation.custom", "",
                           "has the name or the header of " + quote(format->name) + " twice"});
    } else if (!lists(propagation.extract, *format) && !lists(propagation.inject, *format)) {
      conflicts.push_back({"propagation.custom", "",
                           "describes " + quote(format->name) +
                               ", which neither propagation.extract nor propagation.inject names"});
    }
  }
}

void check_routes(const Settings& settings, std::vector<Conflict>& conflicts) {
  for (auto route = settings.routes.begin(); route != settings.routes.end(); ++route) {
    if (std::ranges::count(settings.routes.begin(), route, route->path, &proxy::Route::path) > 0) {
      conflicts.push_back({"routes", "", "has " + quote(route->path) + " twice"});
    }
  }
}

}  // namespace

std::vector<Conflict> find_conflicts(const Settings& settings) {
  std::vector<Conflict> conflicts;
  check_listeners(settings, conflicts);
  check_ingress(settings, conflicts);
  check_routes(settings, conflicts);
  check_tls(settings, conflicts);
  check_format_list("propagation.extract", settings.propagation.extract, settings.propagation,
                    conflicts);
  check_format_list("propagation.inject", settings.propagation.inject, settings.propagation,
                    conflicts);
  check_custom_formats(settings.propagation, conflicts);
  check_export(settings, conflicts);
  check_tail(settings, conflicts);
  const http::CodecLimits& codec = settings.limits.proxy.codec;
  if (codec.target_bytes_max > codec.head_bytes_max) {
    conflicts.push_back({"limits.target_bytes", "limits.head_bytes",
                         "is more than limits.head_bytes, of which it is a part"});
  }
  if (settings.drain.quiet > settings.drain.deadline) {
    conflicts.push_back({"drain.quiet", "drain.deadline", "is longer than drain.deadline"});
  }
  return conflicts;
}

}  // namespace sidespan::app
