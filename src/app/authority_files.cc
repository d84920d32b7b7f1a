#include "app/authority_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "app/authority_scope.h"
#include "app/file.h"
#include "app/state_dir.h"
#include "sidespan/tls/certificate_list.h"

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
    if (!held_) error_ = errno;
  }
  ~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  bool held() const { return held_; }
  int error() const { return error_; }  // where it is not

 private:
  int descriptor_;
  bool held_ = false;
  int error_ = 0;
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
  // A certificate that is there has its key: it goes before that, and comes after it.
  std::error_code error;
  fs::remove(files.certificate, error);
  std::string key = (*made)->key_pem();
  const Result<void> written = write_file(files.key, key, kKeyMode);
  tls::wipe(key);
  if (!written) return std::unexpected(written.error());
  Result<void> certificate =
      write_file(files.certificate, (*made)->certificate_pem(), kCertificateMode);
  if (!certificate) return std::unexpected(certificate.error());
  return std::shared_ptr<tls::Authority>(*std::move(made));
}

// Also where the system cannot say: a disk that fails for a moment is no reason to make another.
bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(file, error) || error;
}

bool is_whole(const Pair& files) {
  return is_there(files.certificate) && is_there(files.key);
}

// Its time is over, and nothing else is wrong with it.
bool is_over(const LoadedAuthority& loaded) {
  return !loaded && loaded.error().code == Code::kCertificateExpired;
}

// It was made by a clock ahead of ours, and nothing else is wrong with it. Which of the two clocks
// is right nobody knows.
bool is_ahead(const LoadedAuthority& loaded) {
  return !loaded && loaded.error().code == Code::kCertificateNotYetValid;
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

// The certificates of a PEM text, each as it stands there.
std::vector<std::string> split(std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  std::vector<std::string> found;
  for (;;) {
    const size_t begin = pem.find(kBegin);
    const size_t end = begin == pem.npos ? pem.npos : pem.find(kEnd, begin);
    if (end == pem.npos) return found;
    found.push_back(std::string(pem.substr(begin, end + kEnd.size() - begin)) + "\n");
    pem.remove_prefix(end + kEnd.size());
  }
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
    if (Result<void> whole = finish_succession(); !whole) return std::unexpected(whole.error());
    bool made = !is_whole(current_);
    LoadedAuthority signing = load_or_make(current_);
    if (is_ahead(signing)) {
      if (Result<void> aside = set_aside(); !aside) return std::unexpected(aside.error());
      made = true;
      signing = make(current_, scope_, now_);
    }
    const bool ending = is_over(signing) || (signing && ends_within(**signing, now_, kLastLeaves));
    if (ending || (signing && rotate && !made)) {
      const bool told = ending || ends_within(**signing, now_, kAuthorityOverlap);
      if (Result<void> done = succeed(told); !done) return std::unexpected(done.error());
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

  // Who is to sign next, and agents are told of.
  LoadedAuthority next() const {
    LoadedAuthority known = load_or_make(next_);
    return is_over(known) || is_ahead(known) ? make(next_, scope_, now_) : known;
  }

  // What will sign takes the place of what did. One that agents were not told of may be left from
  // long ago; when it was made has to tell when that was replaced.
  Result<void> succeed(bool told) const {
    const LoadedAuthority successor = told ? next() : make(next_, scope_, now_);
    if (!successor) return std::unexpected(successor.error());
    return install_next();
  }

  // What is not valid yet makes room and waits to be the next: where our clock is the wrong one,
  // what is made now is over by the right one, and the one that agents know signs again. After each
  // step the directory opens to it, or to one that is made.
  Result<void> set_aside() const {
    Result<void> done = remember_current();
    if (!done) return done;
    std::error_code error;
    fs::remove(next_.certificate, error);
    done = move(current_.key, next_.key);
    if (done) done = move(current_.certificate, next_.certificate);
    return done;
  }

  // After each step the directory opens to the old one or, once its key is there, to the next.
  Result<void> install_next() const {
    Result<void> done = remember_current();
    if (done) done = move(next_.key, current_.key);
    if (done) done = move(next_.certificate, current_.certificate);
    return done;
  }

  // What a process left that ended within a succession, or somebody who lost a file.
  Result<void> finish_succession() const {
    if (is_there(next_.certificate) && !is_there(next_.key)) {
      Pair moving = next_;
      moving.key = current_.key;
      const LoadedAuthority halfway = load(moving, now_);
      if (halfway || is_over(halfway) || is_ahead(halfway)) {
        return move(next_.certificate, current_.certificate);
      }
    }
    if (is_whole(current_)) return {};
    // Agents may know the next one, and know none that would be made.
    if (is_whole(next_) && load(next_, now_)) return install_next();
    return remember_current();
  }

  // A sidecar that runs may sign with it for a while.
  Result<void> remember_current() const {
    if (!is_there(current_.certificate)) return {};
    const Result<std::string> current = read_file(current_.certificate, kFileBytesMax);
    if (!current) return std::unexpected(current.error());
    std::vector<std::string> former = split(*current);
    former.resize(std::min<size_t>(former.size(), 1));
    for (std::string& each : split(read_file(previous_, kFileBytesMax).value_or(""))) {
      if (former.size() == kFormerAuthoritiesMax) break;
      // Once more what an earlier attempt remembered.
      if (std::ranges::find(former, each) == former.end()) former.push_back(std::move(each));
    }
    std::string text;
    for (const std::string& each : former) text += each;
    return write_file(previous_, text, kCertificateMode);
  }

  // Each was replaced when the one before it in the file was made, or later, if agents were told of
  // that one ahead: then it ends within the overlap by itself. By a wrong clock one may seem to be
  // made after it was replaced, or to be over before what it replaced: these say nothing of when.
  std::vector<FormerAuthority> former(const tls::Authority& signing) const {
    std::vector<FormerAuthority> found;
    WallTime replaced = signing.not_before() + tls::kBackdated;
    const std::string own = signing.certificate_pem();
    for (std::string& each : split(read_file(previous_, kFileBytesMax).value_or(""))) {
      const std::vector<tls::ListedCertificate> read = tls::certificates_in(each);
      if (read.empty() || each == own) continue;
      found.push_back(
          {std::move(each), std::min(read.front().not_after, replaced + kAuthorityOverlap)});
      if (now_ < read.front().not_after) {
        replaced = std::min(replaced, read.front().not_before + tls::kBackdated);
      }
    }
    return found;
  }

  Result<OpenAuthority> with_others(const std::shared_ptr<tls::Authority>& signing) const {
    OpenAuthority opened{.current = signing, .certificates_pem = signing->certificate_pem()};
    if (ends_within(*signing, now_, kAuthorityOverlap)) {
      const LoadedAuthority successor = next();
      if (!successor) return std::unexpected(successor.error());
      opened.certificates_pem += (*successor)->certificate_pem();
    }
    opened.former = former(*signing);
    for (const FormerAuthority& each : opened.former) {
      if (now_ < each.trusted_until) opened.certificates_pem += each.certificate_pem;
    }
    return opened;
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
  const fs::path lock_file = *directory / "lock";
  const Lock lock(lock_file);
  if (!lock.held()) {
    return fail(Code::kSystem, Side::kSelf,
                lock_file.string() + ": " + std::generic_category().message(lock.error()));
  }
  return Directory(*directory, scope, now).open(rotate);
}

}  // namespace

std::optional<WallTime> OpenAuthority::trusted_until(const tls::Authority& authority) const {
  const std::string certificate = authority.certificate_pem();
  if (certificate == current->certificate_pem()) return authority.not_after();
  const auto found = std::ranges::find(former, certificate, &FormerAuthority::certificate_pem);
  return found == former.end() ? std::nullopt : std::optional(found->trusted_until);
}

Result<OpenAuthority> open_authority(const Settings& settings, const Environment& own,
                                     WallTime now) {
  const TlsSettings& tls = settings.tls;
  if (tls.authority_certificate.empty()) return open_locked(settings, own, now, false);
  const LoadedAuthority loaded = load(Pair(tls.authority_certificate, tls.authority_key), now);
  // Somebody named it: whatever is wrong with it is wrong with the configuration.
  if (!loaded) return fail(Code::kInvalid, Side::kSelf, loaded.error().what);
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
