#include "app/authority_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "app/authority_scope.h"
#include "app/file.h"
#include "app/state_dir.h"

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kKeyMode = 0600;
constexpr mode_t kCertificateMode = 0644;
constexpr size_t kFileBytesMax = size_t{1024} * 1024;

// One authority's two files.
struct Pair {
  Pair(const fs::path& directory, const std::string& name)
      : certificate(directory / (name + ".pem")), key(directory / (name + "-key.pem")) {}
  Pair(const std::string& certificate_file, const std::string& key_file)
      : certificate(certificate_file), key(key_file) {}

  fs::path certificate;
  fs::path key;
};

// One process at a time makes or changes what is in the directory.
class Lock {
 public:
  explicit Lock(const fs::path& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kKeyMode)) {
    while (descriptor_ >= 0 && !held_) {
      held_ = ::flock(descriptor_, LOCK_EX) == 0;
      if (!held_ && errno != EINTR) break;
    }
  }
  ~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool held() const { return held_; }

 private:
  int descriptor_;
  bool held_ = false;
};

using LoadedAuthority = Result<std::shared_ptr<tls::Authority>>;

LoadedAuthority load(const Pair& files, WallTime now) {
  const Result<std::string> certificate = read_file(files.certificate, kFileBytesMax);
  if (!certificate) return std::unexpected(certificate.error());
  if (Result<void> alone = check_private(files.key); !alone) return std::unexpected(alone.error());
  Result<std::string> key = read_file(files.key, kFileBytesMax);
  if (!key) return std::unexpected(key.error());
  Result<std::unique_ptr<tls::Authority>> loaded = tls::Authority::load(*certificate, *key, now);
  tls::wipe(*key);
  if (loaded) return std::shared_ptr<tls::Authority>(*std::move(loaded));
  const Error& error = loaded.error();
  return fail(error.code, error.side, files.certificate.string() + ": " + error.what);
}

LoadedAuthority make(const Pair& files, const tls::Scope& scope, WallTime now) {
  Result<std::unique_ptr<tls::Authority>> made = tls::Authority::make({.permitted = scope}, now);
  if (!made) return std::unexpected(made.error());
  // The key first: a certificate that is there has one.
  std::string key = (*made)->key_pem();
  const Result<void> written = write_file(files.key, key, kKeyMode);
  tls::wipe(key);
  if (!written) return std::unexpected(written.error());
  Result<void> certificate =
      write_file(files.certificate, (*made)->certificate_pem(), kCertificateMode);
  if (!certificate) return std::unexpected(certificate.error());
  return std::shared_ptr<tls::Authority>(*std::move(made));
}

bool is_whole(const Pair& files) {
  return fs::exists(files.certificate) && fs::exists(files.key);
}

Result<void> move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return {};
  return fail(Code::kSystem, Side::kSelf, to.string() + ": " + error.message());
}

bool ends_within(const tls::Authority& authority, WallTime now, std::chrono::hours left) {
  return authority.not_after() - now < left;
}

Result<fs::path> directory_in(const std::string& state_dir, const tls::Scope& scope) {
  fs::path directory = state_dir;
  for (const std::string& name : {std::string("authority"), directory_of(scope)}) {
    if (name.empty()) continue;
    directory /= name;
    if (::mkdir(directory.c_str(), kDirectoryMode) == 0 || errno == EEXIST) continue;
    return fail(Code::kSystem, Side::kSelf,
                directory.string() + " cannot be made: " + std::generic_category().message(errno));
  }
  return directory;
}

// The directory while the lock is held.
class Directory {
 public:
  Directory(const fs::path& path, tls::Scope scope, WallTime now)
      : scope_(std::move(scope)),
        now_(now),
        current_(path, "ca"),
        next_(path, "next"),
        previous_(path / "previous.pem") {}

  Result<OpenAuthority> open(bool rotate) {
    const bool made = !is_whole(current_);
    LoadedAuthority signing = load_or_make(current_);
    const bool over = !signing && signing.error().code == Code::kCertificateExpired;
    if (over || (signing && (rotate || ends_within(**signing, now_, kLastLeaves)))) {
      if (Result<void> moved = succeed(); !moved) return std::unexpected(moved.error());
      signing = load(current_, now_);
    }
    if (!signing) return std::unexpected(signing.error());
    Result<OpenAuthority> opened = with_others(*std::move(signing));
    if (opened) opened->made = made;
    return opened;
  }

 private:
  LoadedAuthority load_or_make(const Pair& files) const {
    return is_whole(files) ? load(files, now_) : make(files, scope_, now_);
  }

  // What will sign takes the place of what did.
  Result<void> succeed() {
    if (const LoadedAuthority next = load_or_make(next_); !next) {
      return std::unexpected(next.error());
    }
    Result<void> moved = move(current_.certificate, previous_);
    if (moved) moved = move(next_.key, current_.key);
    if (moved) moved = move(next_.certificate, current_.certificate);
    return moved;
  }

  Result<OpenAuthority> with_others(std::shared_ptr<tls::Authority> signing) {
    std::string trusted = signing->certificate_pem();
    if (ends_within(*signing, now_, kAuthorityOverlap)) {
      const LoadedAuthority next = load_or_make(next_);
      if (!next) return std::unexpected(next.error());
      trusted += (*next)->certificate_pem();
    }
    if (fs::exists(previous_)) trusted += read_file(previous_, kFileBytesMax).value_or("");
    return OpenAuthority{.current = std::move(signing), .certificates_pem = std::move(trusted)};
  }

  tls::Scope scope_;
  WallTime now_;
  Pair current_;
  Pair next_;
  fs::path previous_;
};

Result<OpenAuthority> open_locked(const Settings& settings, const Environment& own, WallTime now,
                                  bool rotate) {
  const Result<std::string> state = open_state_dir(own);
  if (!state) return std::unexpected(state.error());
  const tls::Scope scope = authority_scope(settings.tls);
  const Result<fs::path> directory = directory_in(*state, scope);
  if (!directory) return std::unexpected(directory.error());
  const Lock lock(*directory / "lock");
  if (!lock.held()) {
    return fail(Code::kSystem, Side::kSelf, directory->string() + " cannot be written to");
  }
  return Directory(*directory, scope, now).open(rotate);
}

}  // namespace

Result<OpenAuthority> open_authority(const Settings& settings, const Environment& own,
                                     WallTime now) {
  const TlsSettings& tls = settings.tls;
  if (tls.authority_certificate.empty()) return open_locked(settings, own, now, false);
  const LoadedAuthority loaded = load(Pair(tls.authority_certificate, tls.authority_key), now);
  if (!loaded) return std::unexpected(loaded.error());
  return OpenAuthority{.current = *loaded, .certificates_pem = (*loaded)->certificate_pem()};
}

Result<OpenAuthority> rotate_authority(const Settings& settings, const Environment& own,
                                       WallTime now) {
  const std::string& certificate = settings.tls.authority_certificate;
  if (certificate.empty()) return open_locked(settings, own, now, true);
  return fail(Code::kInvalid, Side::kSelf,
              certificate + " is an authority of your own: replace its files");
}

}  // namespace sidespan::app
