#include "semconv/genai/packed_json.h"

#include <array>
#include <cstddef>

namespace sidespan::semconv::genai {
namespace {

constexpr size_t kPieceBytes = 512;
constexpr uint8_t kNoDigit = 0xff;

constexpr std::array<uint8_t, 256> make_digits() {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = make_digits();

}  // namespace

void PackedJson::begin() {
  reader_.reset();
  depth_ = 0;
  inside_ = false;
  done_ = false;
  bits_ = 0;
  bit_count_ = 0;
}

void PackedJson::on_key(std::string_view key) {
  inside_ = depth_ == 1 && !done_ && key == member_;
}

void PackedJson::on_text(std::string_view part, bool last) {
  if (!inside_) return;
  if (!done_) done_ = !decode(part);
  if (!last) return;
  reader_.finish();
  done_ = true;
  inside_ = false;
}

bool PackedJson::decode(std::string_view digits) {
  std::array<char, kPieceBytes> bytes;
  size_t size = 0;
  bool more = true;
  for (const char c : digits) {
    const uint8_t digit = kDigits[static_cast<unsigned char>(c)];
    more = digit != kNoDigit;
    if (!more) break;
    bits_ = bits_ << 6U | digit;
    bit_count_ += 6;
    if (bit_count_ < 8) continue;
    bit_count_ -= 8;
    bytes[size++] = static_cast<char>(bits_ >> bit_count_);
    bits_ &= (1U << bit_count_) - 1U;
    if (size < bytes.size()) continue;
    reader_.feed({bytes.data(), size});
    size = 0;
  }
  reader_.feed({bytes.data(), size});
  return more;
}

}  // namespace sidespan::semconv::genai
