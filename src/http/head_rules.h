// What a head must be as a whole, once HeadGuard and llhttp have read it (RFC 9112
// sections 3.2, 6.1 to 6.3): no field that another reader could frame differently. Pure.
#pragma once

#include <optional>

#include "sidespan/base/error.h"
#include "sidespan/http/message.h"

namespace sidespan::http {

// One Host, a body framed in one way only, a target in the form its method asks for. Returns the
// body that its fields announce.
Result<BodyLength> judge_request(const Head& head);
// A body framed in one way only, none for an interim answer. Returns the body that its fields
// announce, whether or not an answer to this request has one.
Result<BodyLength> judge_answer(const Head& head);
// Nothing that frames or routes the message: it is too late for that (RFC 9110 section 6.5.1).
std::optional<Error> judge_trailers(const Headers& fields, Side side);

// Whether the sender of this head means to keep the connection (RFC 9112 section 9.3).
inline bool keeps_connection(const Head& head) {
  if (head.headers.lists(FieldName::kConnection, "close")) return false;
  return head.minor_version > 0 || head.headers.lists(FieldName::kConnection, "keep-alive");
}

}  // namespace sidespan::http
