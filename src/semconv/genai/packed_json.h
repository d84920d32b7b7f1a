// A JSON text that stands as base64 (RFC 4648 section 4) in a member of another, as events of
// Bedrock's InvokeModelWithResponseStream have it in `bytes`: read while it arrives, and never
// kept. Told of the outer text; who wants the inner one hears it as if it stood alone. Private to
// genai.
#pragma once

#include <cstdint>
#include <string_view>

#include "sidespan/json/reader.h"

namespace sidespan::semconv::genai {

class PackedJson final : public json::Handler {
 public:
  // Both outlive this. Of several members of that name the first is read.
  PackedJson(std::string_view member, json::Handler& inside) : member_(member), reader_(inside) {}

  // The next outer text begins.
  void begin();
  // The inner text was there, and came to its end.
  bool whole() const { return reader_.state() == json::Reader::State::kComplete; }

  void on_object() override { open(); }
  void on_object_end() override { --depth_; }
  void on_array() override { open(); }
  void on_array_end() override { --depth_; }
  void on_key(std::string_view key) override;
  void on_text(std::string_view part, bool last) override;
  void on_integer(int64_t) override { inside_ = false; }
  void on_number(double) override { inside_ = false; }
  void on_bool(bool) override { inside_ = false; }
  void on_null() override { inside_ = false; }

 private:
  void open() {
    inside_ = false;
    ++depth_;
  }
  // Returns false where the base64 ends, well or not.
  bool decode(std::string_view digits);

  const std::string_view member_;
  json::Reader reader_;
  uint32_t depth_ = 0;
  bool inside_ = false;  // the member's value is next, or under way
  bool done_ = false;
  uint32_t bits_ = 0;  // of digits that make no whole byte yet
  unsigned bit_count_ = 0;
};

}  // namespace sidespan::semconv::genai
