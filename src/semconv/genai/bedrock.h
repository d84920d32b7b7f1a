// What the operations of Amazon Bedrock's runtime have in common: how they say errors, by a field
// of the answer's head or by an event of a stream. Private to genai.
#pragma once

#include <string_view>

#include "semconv/genai/call_draft.h"
#include "sidespan/http/message.h"

namespace sidespan::semconv::genai {

// `X-Amzn-ErrorType: ThrottlingException:http://...`
void take_bedrock_error(CallDraft& draft, const http::Head& head);
// "throttlingException". False: an event of another kind.
bool take_bedrock_exception(CallDraft& draft, std::string_view event);

}  // namespace sidespan::semconv::genai
