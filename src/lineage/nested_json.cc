#include "lineage/nested_json.h"

#include <array>
#include <charconv>

#include "lineage/member_names.h"

namespace sidespan::lineage {

namespace {

template <class Number>
void scan_digits(Number number, bool tells, ValueList& values, Bundle& bundle) {
  std::array<char, 40> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  const std::string_view digits(text.data(), static_cast<size_t>(end - text.data()));
  if (bundle.active()) bundle.add(digits, tells);
  if (tells) values.add(digits, weight_of(digits));
}

}  // namespace

void scan_integer(int64_t number, bool tells, ValueList& values, Bundle& bundle) {
  if (number > -10'000 && number < 10'000 && !bundle.active()) return;
  scan_digits(number, tells, values, bundle);
}

void scan_number(double number, bool tells, ValueList& values, Bundle& bundle) {
  scan_digits(number, tells, values, bundle);
}

void NestedJson::restart() {
  reader_.reset();
  scan_.drop();
  numbers_ = 0;
  depth_ = 0;
  tells_ = true;
  bundle_.drop();
}

void NestedJson::feed(std::string_view part) {
  while (!part.empty()) {
    const size_t used = reader_.feed(part);
    if (reader_.state() == json::Reader::State::kBroken) return;
    if (reader_.state() == json::Reader::State::kComplete) {
      restart();  // a number may have ended with the part before
    } else if (used == 0) {
      return;
    }
    part.remove_prefix(used);
  }
}

void NestedJson::begin_bundle() {
  if (arguments_ && depth_ == 0) bundle_.begin();
  ++depth_;
}

void NestedJson::on_key(std::string_view key) {
  numbers_ = 0;
  tells_ = member_of(key) != Member::kLasting;
}

void NestedJson::on_object_end() {
  tells_ = true;
  if (depth_ == 0) return;
  if (--depth_ == 0) bundle_.end();
}

void NestedJson::on_text(std::string_view part, bool last) {
  if (tells_) scan_.feed(part);
  if (bundle_.active()) bundle_.feed(part);
  if (!last) return;
  if (tells_) scan_.end();
  if (bundle_.active()) bundle_.end_text(tells_);
}

void NestedJson::on_integer(int64_t number) {
  if (numbers_++ < kArrayNumbersMax) scan_integer(number, tells_, values_, bundle_);
}

void NestedJson::on_number(double number) {
  if (numbers_++ < kArrayNumbersMax) scan_number(number, tells_, values_, bundle_);
}

}  // namespace sidespan::lineage
