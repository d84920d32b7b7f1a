#include "app/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

Result<ConfigFile> read_file(const std::string& path) {
  const auto failed = [&](const char* why) {
    return fail(Code::kInvalid, Side::kSelf, path + ": " + why);
  };
  // Not blocking: a FIFO without a writer must not hang the program.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return failed(std::strerror(errno));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed(std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return failed("is a directory");
  ConfigFile config{path, std::string(kConfigBytesMax + 1, '\0')};
  size_t size = 0;
  while (size < config.content.size()) {
    const ssize_t n =
        ::read(file.get(), config.content.data() + size, config.content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(std::strerror(errno));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  config.content.resize(size);
  return config;
}

}  // namespace

Result<std::optional<ConfigFile>> find_config(const std::optional<std::string>& flag,
                                              const Environment& environment,
                                              std::string_view default_path) {
  std::optional<std::string> path = flag;
  const auto variable = environment.find("SIDESPAN_CONFIG");
  if (!path && variable != environment.end() && !variable->second.empty()) path = variable->second;
  if (!path) {
    path = std::string(default_path);
    if (::access(path->c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
      return std::nullopt;
    }
  }
  Result<ConfigFile> config = read_file(*path);
  if (!config) return std::unexpected(config.error());
  return std::optional(*std::move(config));
}

}  // namespace sidespan::app
