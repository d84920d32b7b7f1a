// A Call while it is being put together: what the providers' readers have in common. Everything
// that a document can say passes here, so that the limits are kept in one place: a text is cut, a
// list ends, a number that counts nothing is not taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sidespan/json/picker.h"
#include "sidespan/semconv/genai_call.h"

namespace sidespan::semconv::genai {

// What the pick tables of all providers share; ids of a provider's own begin at kOwn.
enum Field : int {
  kRequestModel,
  kMaxTokens,
  kTemperature,
  kTopP,
  kTopK,
  kFrequencyPenalty,
  kPresencePenalty,
  kSeed,
  kChoiceCount,
  kDimensions,
  kStream,
  kReasoningLevel,
  kOutputType,  // by any name a provider has for it
  kStopSequence,
  kEncodingFormat,
  kPreviousResponseId,
  kConversationId,
  kResponseModel,
  kResponseId,
  kErrorType,
  kErrorCode,
  kErrorText,  // captured
  kInputTokens,
  kMoreInputTokens,  // counted apart from the others
  kOutputTokens,
  kCacheReadTokens,
  kCacheWriteTokens,
  kReasoningTokens,
  kOwn = 100,
};

// How a provider counts.
struct UsageRule {
  bool cache_apart = false;      // input tokens exclude what is cached
  bool reasoning_apart = false;  // output tokens exclude what is reasoned
};

class CallDraft {
 public:
  static constexpr size_t kNameBytesMax = 256;           // of a model, an id, a tool's name
  static constexpr size_t kWordBytesMax = 64;            // of a type, a code, a level
  static constexpr size_t kListMax = 16;                 // stop sequences, formats, choices
  static constexpr size_t kToolsMax = 64;                // asked for, and given back
  static constexpr size_t kContentBytesMax = 24 * 1024;  // of all that is captured

  CallDraft(Capture capture, size_t content_bytes_max);

  Call call;

  bool captures(Capture least) const { return capture_ >= least; }
  void set_usage_rule(UsageRule rule) { rule_ = rule; }

  // One of Field. Returns false where the id is none of these.
  bool take(const json::Picked& picked);

  // The text of `picked`, cut; where it is none, nothing changes.
  static void keep(std::string& to, const json::Picked& picked, size_t bytes_max = kNameBytesMax);
  // Appends to a text that is captured, while there is room.
  void keep_content(std::string& to, const json::Picked& picked);

  // The one at `place`, made where there is none yet; null: beyond the limit.
  ToolCall* tool_call(size_t place);
  // One more; null: beyond the limit.
  ToolCall* add_tool_call();
  // The newest are kept, the oldest go.
  void add_tool_result(ToolResult result);
  // The model spoke: results before it were given back earlier.
  void forget_tool_results();
  // `choice` ended. An empty reason is none.
  void set_finish_reason(size_t choice, std::string_view reason);
  // That there is such a choice, which is to end with a reason.
  void expect_choice(size_t choice);

 private:
  bool take_parameter(const json::Picked& picked);
  bool take_usage(const json::Picked& picked);
  void sum();

  const Capture capture_;
  const size_t content_bytes_max_;
  size_t content_bytes_ = 0;
  UsageRule rule_;
  Usage counted_;
  int64_t more_input_ = 0;
};

}  // namespace sidespan::semconv::genai
