// A Call while it is being put together: what the providers' readers have in common. Everything
// that a document can say passes here, so that the limits are kept in one place: a text is cut, a
// list ends, a number that counts nothing is not taken.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
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
  kErrorText,   // captured
  kErrorBegin,  // an object that says what went wrong
  kErrorWords,  // a text in its place
  // The same without an object around them, which count where it is known that it is an error.
  kBareErrorType,
  kBareErrorCode,
  kBareErrorText,
  kObjectName,  // "error" where it is one
  kInputTokens,
  kMoreInputTokens,  // counted apart from the others
  kOutputTokens,
  kCacheReadTokens,
  kCacheWriteTokens,
  kReasoningTokens,
  kTotalTokens,
  kOwn = 100,
};

// How a provider counts.
struct UsageRule {
  bool cache_apart = false;      // input tokens exclude what is cached
  bool reasoning_apart = false;  // output tokens exclude what is reasoned
  bool total_tells = false;      // or they do where the total says so: servers differ
};

class CallDraft {
 public:
  static constexpr size_t kNameBytesMax = 128;    // of a model, an id, a tool's name
  static constexpr size_t kWordBytesMax = 64;     // of a type, a code, a level, a reason
  static constexpr size_t kListMax = 16;          // stop sequences, formats, choices
  static constexpr size_t kToolsMax = 48;         // asked for, and given back
  static constexpr size_t kToolNamesMax = 2304;   // bytes: ids and names of those asked for;
                                                  // ids of those given back
  static constexpr size_t kContentTextsMax = 16;  // captured texts of full length, all together
  static constexpr size_t kContentRoomMax = size_t{48} * 1024;  // of them, whatever their length

  CallDraft(Capture capture, size_t content_bytes_max);
  // What it keeps of content at most, whose texts have `content_bytes_max` each.
  static size_t content_room(size_t content_bytes_max) {
    return std::min(content_bytes_max * kContentTextsMax, kContentRoomMax);
  }

  Call call;

  bool captures(Capture least) const { return capture_ >= least; }
  void set_usage_rule(UsageRule rule) { rule_ = rule; }
  // The answer's status is an error.
  void set_refused() { refused_ = true; }

  // One of Field; what has not the type it should have is left out. False: the id is none of them.
  bool take(const json::Picked& picked);

  // What `picked` counts: a whole number, which some write with a fraction, within reason.
  static std::optional<int64_t> count(const json::Picked& picked);
  // The text of `picked`, cut; where it is none or empty, nothing changes: Azure's asynchronous
  // filter sends chunks that leave empty what others have said.
  static void keep(std::string& to, const json::Picked& picked, size_t bytes_max = kNameBytesMax);
  // The same of a word: not a sentence, which might be content.
  static void keep_word(std::string& to, const json::Picked& picked);
  // Appends text or JSON to one that is captured, up to the length of one.
  void append_content(std::string& to, const json::Picked& picked) const;

  // One more; null: beyond the limits.
  ToolCall* add_tool_call();
  static size_t names_bytes(const ToolCall& tool) { return tool.id.size() + tool.name.size(); }
  // Appends to its arguments while there is room.
  void add_arguments(ToolCall& tool, std::string_view part);
  // The newest are kept, the oldest go.
  void add_tool_result(ToolResult result);
  // The model spoke: results before it were given back earlier.
  void forget_tool_results();

  // The answer says that it is over, whether it says why or not.
  void set_ended() { ended_ = true; }
  bool ended() const { return ended_; }
  // All is counted: what may still come of the answer says no more of that.
  void set_counted() { all_counted_ = true; }
  bool all_counted() const { return all_counted_; }
  // Of a message that is read. Null: it has as many parts as there is room for.
  Part* add_part(Message& to, Part::Kind kind);
  // The text of `picked` as one more part.
  void add_text(Message& to, const json::Picked& picked, Part::Kind kind = Part::Kind::kText);
  // The newest are kept, the oldest go. Nothing where messages are not captured, as with the
  // others.
  void add_message(Message message);
  // Adds one that was read, in the shape where a tool's result is a message of the role "tool", and
  // that result. Both are empty then.
  void end_message(Message& message, std::string_view role, ToolResult& result);
  void add_instruction(const json::Picked& picked);
  // Appends to what `choice` said, and to what it thought.
  void add_output(size_t choice, std::string_view text);
  void add_reasoning(size_t choice, std::string_view text);
  // In the place of all that it said.
  void set_output(size_t choice, std::string_view reasoning, std::string_view text);

  // That there is such a choice, which is to end with a reason.
  void expect_choice(size_t choice);
  // What was said of the same answer elsewhere; what is known here goes on where nothing was.
  void take_answer(const Call& said);

  // The answer's framing says that it failed; the text only where it is captured.
  void set_stream_error(std::string_view code, std::string_view text);
  // `choice` ended. An empty reason is none.
  void set_finish_reason(size_t choice, std::string_view reason);

 private:
  bool take_name(const json::Picked& picked);
  bool take_parameter(const json::Picked& picked);
  bool take_error(const json::Picked& picked);
  void take_error_words(const json::Picked& picked);
  bool take_bare_error(const json::Picked& picked);
  bool take_count(const json::Picked& picked);
  void sum();
  Output* output_of(size_t choice);
  // One that only gives back what a tool said.
  Message tool_message(const ToolResult& result);
  // For so many bytes: what is new goes before the oldest messages.
  void make_room(size_t bytes);
  // Takes it for a message that is read, which has `bytes` by now. False: there is not as much.
  bool take_room_to_read(size_t bytes);
  // As much of `text` as there is room for in one that has `size` bytes already.
  std::string_view take_room(std::string_view text, size_t size);

  const Capture capture_;
  const size_t content_bytes_max_;
  size_t content_room_;
  size_t result_ids_ = 0;  // bytes
  size_t reading_ = 0;     // what of it the message has that is read
  UsageRule rule_;
  Usage counted_;
  int64_t more_input_ = 0;
  int64_t total_ = 0;
  bool refused_ = false;
  bool ended_ = false;
  bool all_counted_ = false;
};

}  // namespace sidespan::semconv::genai
