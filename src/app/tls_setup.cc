#include "app/tls_setup.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <utility>

#include "app/authority_files.h"
#include "app/file.h"
#include "app/state_dir.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr size_t kBundleBytesMax = size_t{8} * 1024 * 1024;
constexpr unsigned kReadable = 0644;
constexpr const char* kCertificateName = "ca.pem";
constexpr const char* kBundleName = "bundle.pem";  // with the system's own roots
constexpr unsigned kDirectoryMode = 0755;

// These replace what a program trusts, so they name a bundle.
constexpr std::array<std::string_view, 8> kReplacing = {
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",    "AWS_CA_BUNDLE",
    "PIP_CERT",      "GIT_SSL_CAINFO",     "CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"};
// These add to it.
constexpr std::array<std::string_view, 2> kAdding = {"NODE_EXTRA_CA_CERTS", "DENO_CERT"};

// Empty: there are none in one file.
std::string system_roots_file() {
  // Debian and its kin, Fedora's, SUSE's, Alpine's and OpenSSL's own.
  constexpr std::array<const char*, 5> kPlaces = {
      "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
      "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem", "/usr/lib/ssl/cert.pem"};
  for (const char* place : kPlaces) {
    if (::access(place, R_OK) == 0) return place;
  }
  return "";
}

// Most often it is there from the last start.
Result<void> write_certificates(const std::string& path, const std::string& pem) {
  const Result<std::string> before = read_file(path, kBundleBytesMax);
  if (before && *before == pem) return {};
  return write_file(path, pem, kReadable);
}

Result<void> write_bundle(const std::string& path, const std::string& roots_file,
                          const std::string& certificates_pem) {
  std::string bundle =
      roots_file.empty() ? "" : read_file(roots_file, kBundleBytesMax).value_or("");
  if (!bundle.empty() && !bundle.ends_with('\n')) bundle.push_back('\n');
  return write_certificates(path, bundle.append(certificates_pem));
}

// None, with a warning, where there is nowhere to keep one.
Result<OpenAuthority> authority_of(const Settings& settings, const Environment& own, WallTime now,
                                   std::vector<std::string>& warnings) {
  Result<OpenAuthority> opened = open_authority(settings, own, now);
  if (opened || opened.error().code != Code::kSystem) return opened;
  warnings.push_back(
      "HTTPS is not opened: the state directory, where the authority would be kept, cannot be "
      "written to");
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
  std::ranges::for_each(kReplacing, add);
  std::ranges::for_each(kAdding, add);
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

Result<TlsSetup> set_up_tls(const Settings& settings, const Environment& own, WallTime now) {
  TlsSetup setup;
  std::vector<std::string> files = settings.tls.trust;
  for (std::string& file : inherited_roots(own)) {
    // What cannot be used of these is the programs' business.
    if (tls::Trust::load({.system_roots = false, .files = {file}}))
      files.push_back(std::move(file));
  }
  Result<std::shared_ptr<const tls::Trust>> trust = tls::Trust::load({.files = std::move(files)});
  if (!trust) return std::unexpected(trust.error());
  setup.trust = *std::move(trust);
  Result<void> read = read_client_certificates(settings, setup);
  if (!read) return std::unexpected(read.error());
  if (settings.tls.interception.mode == proxy::Interception::Mode::kOff) return setup;
  Result<OpenAuthority> authority = authority_of(settings, own, now, setup.warnings);
  if (!authority) return std::unexpected(authority.error());
  if (system_roots_file().empty()) {
    setup.warnings.push_back(
        "this system has no file of root certificates: tls.trust.certificates must name some, and "
        "programs are told to trust ours only where that adds to what they trust");
  }
  setup.authority = std::move(authority->current);
  setup.certificates_pem = std::move(authority->certificates_pem);
  return setup;
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

Result<std::string> trust_directory(const Settings& settings, const Environment& own) {
  if (!settings.tls.export_dir.empty()) return settings.tls.export_dir;
  const Result<std::string> state = open_state_dir(own);
  if (!state) return std::unexpected(state.error());
  return *state + "/trust";
}

Result<void> export_trust(const std::string& certificates_pem, const std::string& directory) {
  if (::mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return fail(Code::kSystem, Side::kSelf,
                directory + ": " + std::generic_category().message(errno));
  }
  Result<void> written = write_certificates(directory + "/" + kCertificateName, certificates_pem);
  if (!written) return written;
  return write_bundle(directory + "/" + kBundleName, system_roots_file(), certificates_pem);
}

Result<Pairs> trust_variables(const std::string& directory, const Environment& own) {
  const std::string ours = directory + "/" + kCertificateName;
  const Result<std::string> certificates = read_file(ours, kBundleBytesMax);
  if (!certificates) return std::unexpected(certificates.error());
  Pairs variables;
  const auto name_file = [&](std::string_view name, std::string file) -> Result<void> {
    const std::string before(value_of(own, name));
    // What already has ours comes from another `env` or `run`.
    if (!before.empty() && !before.starts_with(directory + "/")) {
      file = directory + "/bundle-";
      text::append_hex(file, std::hash<std::string>()(before));
      file += ".pem";
      if (Result<void> done = write_bundle(file, before, *certificates); !done) return done;
    }
    variables.emplace_back(name, std::move(file));
    return {};
  };
  const bool has_roots = !system_roots_file().empty();
  for (const std::string_view name : kReplacing) {
    // A bundle of ours alone would take from a program what it has built in.
    if (!has_roots && value_of(own, name).empty()) continue;
    Result<void> named = name_file(name, directory + "/" + kBundleName);
    if (!named) return std::unexpected(named.error());
  }
  for (const std::string_view name : kAdding) {
    if (Result<void> named = name_file(name, ours); !named) return std::unexpected(named.error());
  }
  return variables;
}

}  // namespace sidespan::app
