#include "semconv/genai/messages_json.h"

#include <algorithm>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/json/members.h"
#include "sidespan/json/writer.h"
#include "sidespan/semconv/redact.h"

namespace sidespan::semconv::genai {
namespace {

using Names = std::span<const std::string>;

std::string redacted(std::string_view text, Names redact) {
  std::string out;
  append_redacted_members(out, text, redact);
  return out;
}

void write_text(json::Writer& writer, std::string_view type, std::string_view text, Names redact) {
  writer.begin_object().member("type", type);
  writer.member("content", redacted(text, redact)).end_object();
}

// What is an object stands as one; what was cut is a text.
void write_value(json::Writer& writer, std::string_view key, std::string_view text, Names redact) {
  const std::string shown = redacted(text, redact);
  writer.key(key);
  json::members_of(shown) ? writer.written(shown) : writer.value(shown);
}

void write_call(json::Writer& writer, const std::string& id, const std::string& name,
                const std::string& arguments, Names redact) {
  writer.begin_object().member("type", "tool_call");
  if (!id.empty()) writer.member("id", id);
  writer.member("name", name);
  if (!arguments.empty()) write_value(writer, "arguments", arguments, redact);
  writer.end_object();
}

void write_part(json::Writer& writer, const Part& part, Names redact) {
  switch (part.kind) {
    case Part::Kind::kText:
      return write_text(writer, "text", part.text, redact);
    case Part::Kind::kReasoning:
      return write_text(writer, "reasoning", part.text, redact);
    case Part::Kind::kToolCall:
      return write_call(writer, part.id, part.name, part.text, redact);
    case Part::Kind::kToolResponse:
      break;
  }
  writer.begin_object().member("type", "tool_call_response");
  if (!part.id.empty()) writer.member("id", part.id);
  write_value(writer, "response", part.text, redact);
  writer.end_object();
}

void write_message(std::string& out, const Message& message, Names redact) {
  json::Writer writer(out);
  writer.begin_object().member("role", message.role).key("parts").begin_array();
  for (const Part& part : message.parts) write_part(writer, part, redact);
  writer.end_array().end_object();
  out = text::to_valid_utf8(std::move(out));
}

void write_output(json::Writer& writer, const Call& call, uint32_t choice, Names redact) {
  const auto output = std::ranges::find(call.outputs, choice, &Output::choice);
  writer.begin_object().member("role", "assistant").key("parts").begin_array();
  if (output != call.outputs.end()) {
    if (!output->reasoning.empty()) write_text(writer, "reasoning", output->reasoning, redact);
    if (!output->text.empty()) write_text(writer, "text", output->text, redact);
  }
  for (const ToolCall& tool : call.tool_calls) {
    if (tool.choice == choice) write_call(writer, tool.id, tool.name, tool.arguments, redact);
  }
  writer.end_array();
  const bool ended = choice < call.finish_reasons.size() && !call.finish_reasons[choice].empty();
  if (ended) writer.member("finish_reason", call.finish_reasons[choice]);
  writer.end_object();
}

}  // namespace

std::string instructions_json(const Call& call, Names redact) {
  std::string out;
  if (call.instructions.empty()) return out;
  json::Writer writer(out);
  writer.begin_array();
  for (const std::string& text : call.instructions) write_text(writer, "text", text, redact);
  writer.end_array();
  return out;
}

std::string input_json(const Call& call, Names redact, size_t bytes_max) {
  std::vector<std::string> newest;
  size_t bytes = std::string_view("[").size();
  for (const Message& message : call.messages | std::views::reverse) {
    std::string text;
    write_message(text, message, redact);
    bytes += text.size() + 1;  // and what follows it, ',' or ']'
    if (bytes > bytes_max) break;
    newest.push_back(std::move(text));
  }
  std::string out;
  for (const std::string& text : newest | std::views::reverse) {
    out.append(out.empty() ? "[" : ",").append(text);
  }
  return out.empty() ? out : out.append("]");
}

std::string output_json(const Call& call, Names redact) {
  std::string out;
  uint32_t choices = 0;
  for (const Output& output : call.outputs) choices = std::max(choices, output.choice + 1);
  for (const ToolCall& tool : call.tool_calls) choices = std::max(choices, tool.choice + 1);
  if (choices == 0) return out;
  json::Writer writer(out);
  writer.begin_array();
  for (uint32_t choice = 0; choice < choices; ++choice) write_output(writer, call, choice, redact);
  writer.end_array();
  return out;
}

}  // namespace sidespan::semconv::genai
