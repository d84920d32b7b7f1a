// The certificates of a PEM text, as a reader sees them: for files of roots that somebody looks
// into without using them. What else is in the text is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"

namespace sidespan::tls {

struct ListedCertificate {
  std::string der;
  WallTime not_before;
  WallTime not_after;
};

std::vector<ListedCertificate> certificates_in(std::string_view pem);

}  // namespace sidespan::tls
