// Everything that a reader tells, told to two handlers: for who reads a document beside somebody
// else. Used by the observers of semconv.
#pragma once

#include <cstdint>
#include <string_view>

#include "sidespan/json/reader.h"

namespace sidespan::json {

class Tee final : public Handler {
 public:
  // Before the document's first event. `second` may be null; both live until its end.
  void set(Handler& first, Handler* second) {
    first_ = &first;
    second_ = second;
  }
  void forget_second() { second_ = nullptr; }

  void on_object() override { both(&Handler::on_object); }
  void on_object_end() override { both(&Handler::on_object_end); }
  void on_array() override { both(&Handler::on_array); }
  void on_array_end() override { both(&Handler::on_array_end); }
  void on_key(std::string_view key) override { both(&Handler::on_key, key); }
  void on_text(std::string_view part, bool last) override { both(&Handler::on_text, part, last); }
  void on_integer(int64_t number) override { both(&Handler::on_integer, number); }
  void on_number(double number) override { both(&Handler::on_number, number); }
  void on_natural(uint64_t number) override { both(&Handler::on_natural, number); }
  void on_bool(bool truth) override { both(&Handler::on_bool, truth); }
  void on_null() override { both(&Handler::on_null); }
  // At most one of them cares.
  Handler* deep() override {
    Handler* const one = first_->deep();
    return one != nullptr || second_ == nullptr ? one : second_->deep();
  }

 private:
  template <class Method, class... Values>
  void both(Method method, Values... values) {
    (first_->*method)(values...);
    if (second_ != nullptr) (second_->*method)(values...);
  }

  Handler* first_ = nullptr;
  Handler* second_ = nullptr;
};

}  // namespace sidespan::json
