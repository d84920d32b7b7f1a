#include "app/trust_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <span>
#include <system_error>
#include <utility>

#include "app/authority_scope.h"
#include "app/file.h"
#include "app/state_dir.h"
#include "sidespan/base/clock.h"
#include "sidespan/base/text.h"
#include "sidespan/tls/java_trust_store.h"

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kReadable = 0644;

constexpr std::array<std::string_view, 8> kReplacing = {
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",    "AWS_CA_BUNDLE",
    "PIP_CERT",      "GIT_SSL_CAINFO",     "CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"};
constexpr std::array<std::string_view, 2> kAdding = {"NODE_EXTRA_CA_CERTS", "DENO_CERT"};

std::string joined(const std::string& roots_file, const std::string& certificates_pem) {
  std::string bundle =
      roots_file.empty() ? "" : read_file(roots_file, kBundleBytesMax).value_or("");
  if (!bundle.empty() && !bundle.ends_with('\n')) bundle.push_back('\n');
  return bundle.append(certificates_pem);
}

// Bundles with roots that a variable named are found by their content: who names the same roots by
// another path each time gets the same file. What an agent was told of keeps that content.
constexpr std::string_view kJoinedBegin = "bundle-";
constexpr std::string_view kJoinedEnd = ".pem";
// Nobody says when an agent has ended that was told of one. The newest stay, and of the others
// those that were named to somebody, or read, within so long.
constexpr size_t kJoinedKept = 16;
constexpr std::chrono::hours kJoinedKeptFor{24 * 30};

std::string joined_name(const std::string& content) {
  std::string name(kJoinedBegin);
  text::append_hex(name, std::hash<std::string>()(content));
  return name.append(kJoinedEnd);
}

// The directory may be one of the operator's, with files of his.
bool is_joined_name(std::string_view name) {
  if (!name.starts_with(kJoinedBegin) || !name.ends_with(kJoinedEnd)) return false;
  name.remove_prefix(kJoinedBegin.size());
  name.remove_suffix(kJoinedEnd.size());
  return name.size() == sizeof(size_t) * 2 && text::parse_hex(name).has_value();
}

std::chrono::sys_seconds last_used(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return std::chrono::sys_seconds::max();
  return std::chrono::sys_seconds(
      std::chrono::seconds(std::max(status.st_mtim.tv_sec, status.st_atim.tv_sec)));
}

void remove_old_bundles(const std::string& directory) {
  std::vector<std::pair<std::chrono::sys_seconds, fs::path>> bundles;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!is_joined_name(entry->path().filename().native())) continue;
    bundles.emplace_back(last_used(entry->path()), entry->path());
  }
  if (bundles.size() <= kJoinedKept) return;
  std::ranges::sort(bundles, std::greater());
  const auto now = std::chrono::floor<std::chrono::seconds>(SystemClock().now().wall);
  for (const auto& [used, path] : std::span(bundles).subspan(kJoinedKept)) {
    if (used < now - kJoinedKeptFor) fs::remove(path, error);
  }
}

// Most often it is there from the last start. Whether it was written now.
Result<bool> write_changed(const std::string& path, const std::string& content) {
  const Result<std::string> before = read_file(path, kBundleBytesMax);
  if (before && *before == content) return false;
  if (Result<void> written = write_file(path, content, kReadable); !written) {
    return std::unexpected(written.error());
  }
  return true;
}

// The name of a file with the roots of `roots_file` and ours.
Result<std::string> write_joined(const std::string& directory, const std::string& roots_file,
                                 const std::string& certificates_pem) {
  const std::string content = joined(roots_file, certificates_pem);
  std::string file = directory + "/" + joined_name(content);
  const Result<bool> written = write_changed(file, content);
  if (!written) return std::unexpected(written.error());
  if (*written) {
    remove_old_bundles(directory);
  } else {
    ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);  // named anew
  }
  return file;
}

Result<void> write_bundles(const std::string& directory, const std::string& bundle) {
  const Result<bool> changed = write_changed(directory + "/" + kBundleName, bundle);
  if (!changed) return std::unexpected(changed.error());
  const std::string store = directory + "/" + kJavaStoreName;
  if (!*changed && ::access(store.c_str(), R_OK) == 0) return {};
  return write_file(store, tls::java_trust_store(bundle), kReadable);
}

}  // namespace

std::span<const std::string_view> replacing_trust_names() {
  return kReplacing;
}

std::span<const std::string_view> adding_trust_names() {
  return kAdding;
}

std::vector<std::string> unreadable_trust(const Environment& own) {
  std::vector<std::string> sentences;
  const auto look = [&](std::string_view name) {
    const std::string file(value_of(own, name));
    if (file.empty() || ::access(file.c_str(), R_OK) == 0) return;
    sentences.push_back(std::string(name) + " names " + file +
                        ", which cannot be read: " + std::generic_category().message(errno));
  };
  std::ranges::for_each(kReplacing, look);
  std::ranges::for_each(kAdding, look);
  return sentences;
}

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

std::string bundle_of(const std::string& certificates_pem) {
  return joined(system_roots_file(), certificates_pem);
}

Result<std::string> trust_directory(const Settings& settings, const Environment& own) {
  if (!settings.tls.export_dir.empty()) return settings.tls.export_dir;
  const Result<std::string> state = open_state_dir(own);
  if (!state) return std::unexpected(state.error());
  const std::string limited = directory_of(authority_scope(settings.tls));
  return *state + "/trust" + (limited.empty() ? "" : "/" + limited);
}

Result<void> export_trust(const std::string& certificates_pem, const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return fail(Code::kSystem, Side::kSelf,
                "agents' certificates cannot be put into " + directory + ": " + error.message());
  }
  const Result<bool> written = write_changed(directory + "/" + kCertificateName, certificates_pem);
  if (!written) return std::unexpected(written.error());
  return write_bundles(directory, bundle_of(certificates_pem));
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
      Result<std::string> both = write_joined(directory, before, *certificates);
      if (!both) return std::unexpected(both.error());
      file = *std::move(both);
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
