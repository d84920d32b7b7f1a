#include "app/tls_setup.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "app/authority_files.h"
#include "app/file.h"
#include "app/trust_files.h"

namespace sidespan::app {
namespace {

// None, with a warning, where there is nowhere to keep one.
Result<OpenAuthority> authority_of(const Settings& settings, const Environment& own, WallTime now,
                                   std::vector<std::string>& warnings) {
  Result<OpenAuthority> opened = open_authority(settings, own, now);
  if (opened || opened.error().code != Code::kSystem) return opened;
  warnings.push_back(
      "HTTPS is not opened: the state directory (SIDESPAN_STATE_DIR), where the authority would be "
      "kept, cannot be written to");
  return OpenAuthority{};
}

// Roots that programs of this environment were given beside the system's: origins that they trust,
// we trust.
std::vector<std::string> inherited_roots(const Environment& own) {
  std::vector<std::string> files;
  const auto add = [&](std::string_view name) {
    const std::string file(value_of(own, name));
    const bool readable = !file.empty() && ::access(file.c_str(), R_OK) == 0;
    if (readable && std::ranges::find(files, file) == files.end()) files.push_back(file);
  };
  std::ranges::for_each(replacing_trust_names(), add);
  std::ranges::for_each(adding_trust_names(), add);
  return files;
}

Result<void> read_client_certificates(const Settings& settings, TlsSetup& setup) {
  if (settings.tls.client_certificates.empty()) return {};
  const auto trying = tls::ClientContext::make({.trust = setup.trust});
  if (!trying) return std::unexpected(trying.error());
  for (const ClientCertificateFiles& files : settings.tls.client_certificates) {
    Result<void> alone = check_private(files.key);
    if (!alone) return alone;
    const Result<std::string> certificate = read_file(files.certificate, kBundleBytesMax);
    if (!certificate) return std::unexpected(certificate.error());
    const Result<std::string> key = read_file(files.key, kBundleBytesMax);
    if (!key) return std::unexpected(key.error());
    setup.client_certificates.push_back({*certificate, *key});
    const Result<size_t> fit = (*trying)->add(setup.client_certificates.back());
    if (!fit) {
      return fail(Code::kInvalid, Side::kSelf, files.certificate + ": " + fit.error().what);
    }
  }
  return {};
}

}  // namespace

Result<TlsSetup> set_up_origin_tls(const Settings& settings, const Environment& own) {
  TlsSetup setup;
  const std::vector<std::string> inherited = inherited_roots(own);
  // What cannot be used of the inherited ones is the programs' business.
  Result<std::shared_ptr<const tls::Trust>> trust =
      tls::Trust::load({.files = settings.tls.trust, .files_that_may_fail = inherited});
  if (!trust) return std::unexpected(trust.error());
  setup.trust = *std::move(trust);
  const bool opens = settings.tls.interception.mode != proxy::Interception::Mode::kOff;
  if (opens && system_roots_file().empty() && inherited.empty()) {
    setup.warnings.emplace_back(kNoRoots);
  }
  Result<void> read = read_client_certificates(settings, setup);
  if (!read) return std::unexpected(read.error());
  return setup;
}

Result<TlsSetup> set_up_tls(const Settings& settings, const Environment& own, WallTime now) {
  Result<TlsSetup> made = set_up_origin_tls(settings, own);
  if (!made || settings.tls.interception.mode == proxy::Interception::Mode::kOff) return made;
  TlsSetup& setup = *made;
  Result<OpenAuthority> authority = authority_of(settings, own, now, setup.warnings);
  if (!authority) return std::unexpected(authority.error());
  setup.authority = std::move(authority->current);
  setup.authority_made = authority->made;
  setup.certificates_pem = std::move(authority->certificates_pem);
  // We name another file in its place, so that the programs do not say it themselves.
  for (std::string& sentence : unreadable_trust(own)) {
    setup.warnings.push_back(std::move(sentence));
  }
  return made;
}

std::unique_ptr<tls::ClientContext> client_context(const Settings& settings,
                                                   const TlsSetup& setup) {
  Result<std::unique_ptr<tls::ClientContext>> made = tls::ClientContext::make(
      {.trust = setup.trust, .sessions_max = settings.limits.tls_sessions});
  if (!made) std::abort();
  for (const tls::ClientCertificate& certificate : setup.client_certificates) {
    // It was tried when it was read.
    if (!(*made)->add(certificate)) std::abort();
  }
  return *std::move(made);
}

void forbid_core_dumps() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  // One byte is less than any dump has, and the kernel's word for none through a pipe (core(5)).
  limit.rlim_cur = std::min<rlim_t>(1, limit.rlim_max);
  ::setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace sidespan::app
