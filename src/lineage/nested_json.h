// A JSON text inside the texts of another: a tool's arguments, which come in pieces, or an answer
// of a tool that is JSON written as a text. Its values are gleaned like others; what is no JSON is
// left.
#pragma once

#include <string_view>

#include "lineage/bundle.h"
#include "lineage/text_scan.h"
#include "lineage/value_list.h"
#include "sidespan/json/reader.h"

namespace sidespan::lineage {

// A number of JSON, as it stands in a URL. `tells`: it is no id that outlives a turn.
void scan_integer(int64_t number, bool tells, ValueList& values, Bundle& bundle);
void scan_number(double number, bool tells, ValueList& values, Bundle& bundle);

class NestedJson final : public json::Handler {
 public:
  // `arguments`: it is all that a tool is asked for.
  NestedJson(ValueList& values, bool arguments)
      : values_(values),
        scan_(values),
        bundle_(values),
        arguments_(arguments),
        reader_(*this, {.depth_max = json::Reader::kNestingMax}) {}

  // The next text: what is left of the one before is none.
  void restart();
  void feed(std::string_view part);
  // A text of a number alone ends here.
  void end() { restart(); }

  void on_object() override { begin_bundle(); }
  void on_object_end() override;
  void on_array() override { numbers_ = 0; }
  void on_key(std::string_view key) override;
  void on_text(std::string_view part, bool last) override;
  void on_integer(int64_t number) override;
  void on_number(double number) override;

 private:
  void begin_bundle();

  ValueList& values_;
  TextScan scan_;
  Bundle bundle_;
  const bool arguments_;
  size_t depth_ = 0;  // of objects
  json::Reader reader_;
  size_t numbers_ = 0;  // in an array so far
  bool tells_ = true;   // what is at this key
};

// Of the numbers of an array so many are looked at: what is equal in two vectors is so at once.
inline constexpr size_t kArrayNumbersMax = 4;

}  // namespace sidespan::lineage
