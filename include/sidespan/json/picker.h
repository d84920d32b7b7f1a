// Takes a few values out of a JSON text by their paths while a Reader goes over it: a table of
// paths is made once, and what no path leads to costs next to nothing. Bounded: a value is kept up
// to a length, one at a time. Who reads the body of a model or tool call says with a table what it
// wants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/json/reader.h"
#include "sidespan/json/writer.h"

namespace sidespan::json {

// One value that a path led to. Views are for the call.
struct Picked {
  enum class Kind : uint8_t { kText, kInteger, kNumber, kBool, kNull, kJson, kObject, kEnd };

  int id = 0;
  // The places in the arrays that the path goes through, outermost first.
  std::span<const uint32_t> places = {};
  Kind kind = Kind::kNull;
  std::string_view text = {};  // kText: unescaped; kJson: written anew, without blanks
  bool cut = false;            // `text` is the beginning of it
  int64_t integer = 0;         // kInteger
  double number = 0;           // kInteger, kNumber
  bool truth = false;          // kBool
};

// Paths, as a tree. "usage.prompt_tokens"; "choices[].message.role" goes through every element;
// "[].x" begins at an array; "a.'b.c'" is a member b.c. What stands at the end of a path decides
// what is picked:
//   a.b     a text, a number, true, false or null; of an array or object nothing
//   a.b{}   kObject where the object begins, and kEnd where it ends
//   a.b*    any value, as JSON; no path goes on behind it
// A path that goes on may also be picked itself: "a" beside "a.b". Made once; immutable.
class PickTable {
 public:
  struct Row {
    std::string_view path;
    int id;
  };
  // All rows behind each prefix: {"", "[]."} finds the same in one object and in an array of such.
  // Rows are written by us: a malformed one is an assert.
  PickTable(std::initializer_list<Row> rows,
            std::initializer_list<std::string_view> prefixes = {""});
  // The same of several lists, each behind prefixes of its own.
  struct Part {
    std::span<const Row> rows;
    std::span<const std::string_view> prefixes;
  };
  explicit PickTable(std::span<const Part> parts);

 private:
  friend class Picker;
  using NodeId = uint16_t;
  static constexpr NodeId kNone = 0xffff;
  static constexpr NodeId kRoot = 0;
  struct Node {
    std::string key;  // of a member
    std::vector<NodeId> members;
    NodeId element = kNone;  // of an array
    // What is picked here.
    std::optional<int> value;
    std::optional<int> object;
    std::optional<int> json;
  };

  void add(std::string_view path, int id);
  NodeId make(std::string_view key);
  NodeId member(NodeId node, std::string_view key);
  NodeId element(NodeId node);
  NodeId find(NodeId node, std::string_view key) const;

  std::vector<Node> nodes_;
};

struct PickerLimits {
  size_t value_bytes_max = 1024;  // of a text or of JSON; what is beyond is cut
};

class PickSink {
 public:
  virtual void on_pick(const Picked& picked) = 0;

 protected:
  ~PickSink() = default;
};

// One value, written anew into a text of limited length.
class JsonCopy final : public Handler {
 public:
  void begin(size_t bytes_max);
  // The value is whole.
  bool done() const { return begun_ && depth_ == 0 && !in_text_; }
  std::string_view text() const { return std::string_view(text_).substr(0, bytes_max_); }
  bool cut() const { return text_.size() > bytes_max_ || text_cut_; }

  void on_object() override;
  void on_object_end() override;
  void on_array() override;
  void on_array_end() override;
  void on_key(std::string_view key) override;
  void on_text(std::string_view part, bool last) override;
  void on_integer(int64_t number) override;
  void on_number(double number) override;
  void on_natural(uint64_t number) override;
  void on_bool(bool truth) override;
  void on_null() override;

 private:
  // Null once there is more than is wanted.
  Writer* writer() { return text_.size() > bytes_max_ ? nullptr : &*writer_; }

  size_t bytes_max_ = 0;
  std::string text_;
  std::optional<Writer> writer_;
  std::string part_;  // of a text inside
  bool text_cut_ = false;
  bool in_text_ = false;
  bool begun_ = false;
  size_t depth_ = 0;
};

class Picker final : public Handler {
 public:
  static constexpr size_t kPlacesMax = 8;  // arrays that a path goes through
  static constexpr size_t kDepthMax = 64;  // what Reader tells of

  // All outlive this.
  Picker(const PickTable& table, PickSink& sink, const PickerLimits& limits = {});

  // For the next text.
  void reset();

  void on_object() override;
  void on_object_end() override;
  void on_array() override;
  void on_array_end() override;
  void on_key(std::string_view key) override;
  void on_text(std::string_view part, bool last) override;
  void on_integer(int64_t number) override;
  void on_number(double number) override;
  void on_natural(uint64_t number) override;
  void on_bool(bool truth) override;
  void on_null() override;

 private:
  struct Level {
    PickTable::NodeId node;
    bool array;
  };

  const PickTable::Node& node(PickTable::NodeId id) const { return table_.nodes_[id]; }
  PickTable::NodeId arrive();
  bool begin_copy(PickTable::NodeId id);
  void end_copy_if_done();
  bool open(bool array);
  std::optional<Level> close();
  void pick(int id, Picked picked);
  // `copy` writes the same value to copy_.
  template <class Copy>
  void scalar(const Picked& picked, Copy copy);

  const PickTable& table_;
  PickSink& sink_;
  const PickerLimits limits_;
  std::array<Level, kDepthMax + 1> levels_;
  size_t depth_ = 0;
  size_t skipped_ = 0;                         // levels that nobody wants, inside the last
  PickTable::NodeId next_ = PickTable::kNone;  // of the member whose key was read
  std::array<uint32_t, kPlacesMax> places_{};
  size_t place_count_ = 0;  // arrays that are open
  // A text that comes in pieces.
  bool in_text_ = false;
  std::optional<int> text_id_;
  std::string text_;
  // A value that is picked as JSON.
  std::optional<int> copy_id_;
  JsonCopy copy_;
};

}  // namespace sidespan::json
