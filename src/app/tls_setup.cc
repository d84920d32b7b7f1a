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

Result<void> set_up_authority(const Settings& settings, const Environment& own, WallTime now,
                              TlsSetup& setup) {
  Result<OpenAuthority> opened = open_authority(settings, own, now);
  if (!opened) return std::unexpected(opened.error());
  Result<std::string> directory = trust_directory(settings, own);
  if (!directory) return std::unexpected(directory.error());
  Result<void> exported = export_trust(opened->certificates_pem, *directory);
  if (!exported) return exported;
  setup.authority = std::move(opened->current);
  setup.authority_made = opened->made;
  setup.certificates_pem = std::move(opened->certificates_pem);
  setup.trust_directory = *std::move(directory);
  return {};
}

// Where the system refused something; any other error stays one.
Result<void> go_without_authority(const Error& error, TlsSetup& setup) {
  if (error.code != Code::kSystem) return std::unexpected(error);
  setup.authority.reset();
  setup.authority_made = false;
  setup.certificates_pem.clear();
  setup.trust_directory.clear();
  setup.unopened = error.what;
  setup.warnings.push_back(
      "HTTPS is not opened: the files it takes cannot be kept (SIDESPAN_STATE_DIR names another "
      "place for them): " +
      error.what);
  return {};
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
  Result<void> done = set_up_authority(settings, own, now, *made);
  if (!done) done = go_without_authority(done.error(), *made);
  if (!done) return std::unexpected(done.error());
  // We name another file in its place, so that the programs do not say it themselves.
  for (std::string& sentence : unreadable_trust(own)) {
    made->warnings.push_back(std::move(sentence));
  }
  return made;
}

Result<TlsSetup> set_up_command_tls(const Settings& settings, const Environment& own,
                                    WallTime now) {
  Result<TlsSetup> made = set_up_tls(settings, own, now);
  if (!made || !made->authority) return made;
  Result<Pairs> variables = trust_variables(made->trust_directory, own);
  if (variables) {
    made->trust_variables = *std::move(variables);
  } else if (Result<void> done = go_without_authority(variables.error(), *made); !done) {
    return std::unexpected(done.error());
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
