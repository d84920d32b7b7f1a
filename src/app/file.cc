#include "app/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sidespan::app {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

std::unexpected<Error> refused(const std::string& path, int error) {
  return fail(Code::kSystem, Side::kSelf, path + ": " + std::strerror(error));
}

std::unexpected<Error> invalid(const std::string& path, const char* why) {
  return fail(Code::kInvalid, Side::kSelf, path + ": " + why);
}

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(descriptor, content.data(), content.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) content.remove_prefix(static_cast<size_t>(n));
  }
  return ::fsync(descriptor) == 0;
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  // Not blocking: a FIFO without a writer must not hang the program.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return refused(path, errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return refused(path, errno);
  if (S_ISDIR(status.st_mode)) return invalid(path, "is a directory");
  // Room for as much as it has, not for as much as it may have: who keeps the content keeps no
  // more. What has no size to tell is a pipe or a file of /proc. All in one block, as what is in it
  // may be a key that is wiped later.
  const size_t most = bytes_max + 1;
  const bool tells = S_ISREG(status.st_mode) && status.st_size > 0;
  std::string content(tells ? std::min(most, static_cast<size_t>(status.st_size) + 1) : most, '\0');
  size_t size = 0;
  while (size < most) {
    if (size == content.size()) content.resize(most);  // it has grown
    const ssize_t n = ::read(file.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused(path, errno);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  content.resize(size);
  return content;
}

Result<void> write_file(const std::string& path, std::string_view content, unsigned mode) {
  // Beside it, so that the rename stays within one file system.
  std::string draft = path + ".XXXXXX";
  const Descriptor file(::mkostemp(draft.data(), O_CLOEXEC));
  if (file.get() < 0) return refused(path, errno);
  // The umask has no say: agents of other users read certificates.
  const bool written = ::fchmod(file.get(), static_cast<mode_t>(mode)) == 0 &&
                       write_all(file.get(), content) &&
                       std::rename(draft.c_str(), path.c_str()) == 0;
  if (written) return {};
  const int error = errno;
  ::unlink(draft.c_str());
  return refused(path, error);
}

Result<void> check_private(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return refused(path, errno);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {};
  return invalid(path, "may be read by others than its owner; chmod 600 it");
}

}  // namespace sidespan::app
