// Via (RFC 9110 section 7.6.3): which proxies a message has passed. Every sidespan has the same
// pseudonym there, so that what comes round and round by several of them is known by its length.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sidespan/http/message.h"

namespace sidespan::http {

// A request that has passed so many goes in a loop: whole companies have fewer in a row.
inline constexpr size_t kSidespansMax = 16;

// What we add, by the version in which the message came to us.
constexpr std::string_view via_entry(bool h2) {
  return h2 ? "2 sidespan" : "1.1 sidespan";
}

// The field's value for a request of our own in the name of one that has passed so many.
std::string via_after(size_t passed);

// How many sidespans a message passed before it came here.
size_t sidespans_passed(const Headers& headers);

}  // namespace sidespan::http
