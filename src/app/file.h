// Whole small files: configuration, certificates, keys.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sidespan/base/error.h"

namespace sidespan::app {

// At most `bytes_max` of it, and one more that tells that there is more; what is held of a
// regular file is of its size. Error side kSelf:
// "path: why"; kSystem where the system says so (no such file, no space left), kInvalid where it is
// no such file as is wanted.
Result<std::string> read_file(const std::string& path, size_t bytes_max);
// Whole or not at all: a file that is there is replaced. The same of errors.
Result<void> write_file(const std::string& path, std::string_view content, unsigned mode);
// An error when others than the owner may read it.
Result<void> check_private(const std::string& path);

}  // namespace sidespan::app
