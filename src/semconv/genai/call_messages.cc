// What CallDraft keeps of messages, where they are captured: within the room that it has for all of
// a call's content.
#include <algorithm>
#include <utility>

#include "semconv/genai/call_draft.h"

namespace sidespan::semconv::genai {
namespace {

using json::Picked;

// Beside its texts.
constexpr size_t kPartBytes = sizeof(Part);

size_t bytes_of(const Message& message) {
  size_t bytes = sizeof(Message);
  for (const Part& part : message.parts) {
    bytes += kPartBytes + part.id.size() + part.name.size() + part.text.size();
  }
  return bytes;
}

}  // namespace

Part* CallDraft::add_part(Message& to, Part::Kind kind) {
  if (!captures(Capture::kAll) || to.parts.size() >= kContentTextsMax) return nullptr;
  // What the part before has grown to is known by now.
  if (!take_room_to_read(bytes_of(to) + kPartBytes)) return nullptr;
  to.parts.push_back({.kind = kind});
  return &to.parts.back();
}

void CallDraft::add_text(Message& to, const Picked& picked, Part::Kind kind) {
  if (picked.kind != Picked::Kind::kText || picked.text.empty()) return;
  if (Part* part = add_part(to, kind)) append_content(part->text, picked);
}

void CallDraft::add_message(Message message) {
  content_room_ += std::exchange(reading_, 0);
  if (message.parts.empty()) return;
  size_t bytes = bytes_of(message);
  make_room(bytes);
  if (bytes > content_room_) {
    // Its last part has grown beyond.
    std::string& text = message.parts.back().text;
    const size_t cut = std::min(bytes - content_room_, text.size());
    text.resize(text.size() - cut);
    bytes -= cut;
  }
  if (bytes > content_room_) return;
  content_room_ -= bytes;
  for (Part& part : message.parts) part.text.shrink_to_fit();
  message.parts.shrink_to_fit();
  call.messages.push_back(std::move(message));
}

Message CallDraft::tool_message(const ToolResult& result) {
  Message message{.role = "tool"};
  if (Part* const part = add_part(message, Part::Kind::kToolResponse)) {
    part->id = result.id;
    part->text = result.text;
  }
  return message;
}

void CallDraft::end_message(Message& message, std::string_view role, ToolResult& result) {
  const bool of_tool = role == "tool";
  message.role = role;
  add_message(of_tool ? tool_message(result) : std::move(message));
  if (role == "assistant") forget_tool_results();
  if (of_tool && !result.id.empty()) add_tool_result(std::move(result));
  message = {};
  result = {};
}

void CallDraft::add_instruction(const Picked& picked) {
  if (picked.kind != Picked::Kind::kText || call.instructions.size() >= kListMax) return;
  const std::string_view text = take_room(picked.text, 0);
  if (!text.empty()) call.instructions.emplace_back(text);
}

Output* CallDraft::output_of(size_t choice) {
  if (!captures(Capture::kAll) || choice >= kListMax) return nullptr;
  for (Output& known : call.outputs) {
    if (known.choice == choice) return &known;
  }
  return &call.outputs.emplace_back(Output{.choice = static_cast<uint32_t>(choice)});
}

void CallDraft::add_output(size_t choice, std::string_view text) {
  Output* const output = text.empty() ? nullptr : output_of(choice);
  if (output != nullptr) output->text.append(take_room(text, output->text.size()));
}

void CallDraft::add_reasoning(size_t choice, std::string_view text) {
  Output* const output = text.empty() ? nullptr : output_of(choice);
  if (output != nullptr) output->reasoning.append(take_room(text, output->reasoning.size()));
}

void CallDraft::set_output(size_t choice, std::string_view reasoning, std::string_view text) {
  Output* const output = output_of(choice);
  if (output == nullptr) return;
  content_room_ += output->reasoning.size() + output->text.size();
  output->reasoning = take_room(reasoning, 0);
  output->text = take_room(text, 0);
  output->whole = true;
}

void CallDraft::make_room(size_t bytes) {
  while (bytes > content_room_ && !call.messages.empty()) {
    content_room_ += bytes_of(call.messages.front());
    call.messages.pop_front();
  }
}

bool CallDraft::take_room_to_read(size_t bytes) {
  content_room_ += std::exchange(reading_, 0);
  make_room(bytes);
  reading_ = std::min(bytes, content_room_);
  content_room_ -= reading_;
  return reading_ == bytes;
}

std::string_view CallDraft::take_room(std::string_view text, size_t size) {
  text = text.substr(0, content_bytes_max_ - std::min(content_bytes_max_, size));
  make_room(text.size());
  text = text.substr(0, content_room_);
  content_room_ -= text.size();
  return text;
}

}  // namespace sidespan::semconv::genai
