// What a request's head says to this endpoint, before anything is read or answered: where it goes,
// or why not. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/http/message.h"
#include "sidespan/serve/endpoint.h"

namespace sidespan::serve {

struct Target {
  std::string path;
  std::string query;
};

// One plain sentence with a status.
struct Refusal {
  int status;
  std::string sentence;
};

std::expected<Target, Refusal> read_head(const http::Head& head, const Endpoint::Options& options);

}  // namespace sidespan::serve
