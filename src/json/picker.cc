#include "sidespan/json/picker.h"

#include <algorithm>
#include <cassert>

namespace sidespan::json {

PickTable::PickTable(std::initializer_list<Row> rows,
                     std::initializer_list<std::string_view> prefixes) {
  make("");
  for (const std::string_view prefix : prefixes) {
    for (const Row& row : rows) add(std::string(prefix).append(row.path), row.id);
  }
}

PickTable::PickTable(std::span<const Part> parts) {
  make("");
  for (const Part& part : parts) {
    for (const std::string_view prefix : part.prefixes) {
      for (const Row& row : part.rows) add(std::string(prefix).append(row.path), row.id);
    }
  }
}

PickTable::NodeId PickTable::make(std::string_view key) {
  nodes_.emplace_back();
  nodes_.back().key = key;
  assert(nodes_.size() < kNone);
  return static_cast<NodeId>(nodes_.size() - 1);
}

PickTable::NodeId PickTable::find(NodeId node, std::string_view key) const {
  for (const NodeId member : nodes_[node].members) {
    if (nodes_[member].key == key) return member;
  }
  return kNone;
}

PickTable::NodeId PickTable::member(NodeId node, std::string_view key) {
  if (const NodeId found = find(node, key); found != kNone) return found;
  const NodeId made = make(key);
  nodes_[node].members.push_back(made);
  return made;
}

PickTable::NodeId PickTable::element(NodeId node) {
  if (nodes_[node].element == kNone) {
    const NodeId made = make("");
    nodes_[node].element = made;
  }
  return nodes_[node].element;
}

void PickTable::add(std::string_view path, int id) {
  NodeId at = kRoot;
  [[maybe_unused]] size_t places = 0;  // in an assertion
  std::string_view rest = path;
  std::optional<int> Node::* what = &Node::value;
  if (rest.ends_with("{}")) {
    what = &Node::object;
    rest.remove_suffix(2);
  } else if (rest.ends_with('*')) {
    what = &Node::json;
    rest.remove_suffix(1);
  }
  while (!rest.empty()) {
    if (rest.starts_with("[]")) {
      at = element(at);
      ++places;
      rest.remove_prefix(2);
      if (rest.starts_with('.')) rest.remove_prefix(1);
      continue;
    }
    const bool quoted = rest.starts_with('\'');
    if (quoted) rest.remove_prefix(1);
    const size_t end = std::min(quoted ? rest.find('\'') : rest.find_first_of(".["), rest.size());
    assert(end > 0);
    at = member(at, rest.substr(0, end));
    rest.remove_prefix(end + (quoted ? 1 : 0));
    if (rest.starts_with('.')) rest.remove_prefix(1);
  }
  assert(places <= Picker::kPlacesMax);
  assert(!(nodes_[at].*what));
  nodes_[at].*what = id;
}

void JsonCopy::begin(size_t bytes_max) {
  bytes_max_ = bytes_max;
  text_.clear();
  writer_.emplace(text_);
  part_.clear();
  text_cut_ = in_text_ = begun_ = false;
  depth_ = 0;
}

void JsonCopy::on_object() {
  begun_ = true;
  ++depth_;
  if (Writer* out = writer()) out->begin_object();
}

void JsonCopy::on_object_end() {
  --depth_;
  if (Writer* out = writer()) out->end_object();
}

void JsonCopy::on_array() {
  begun_ = true;
  ++depth_;
  if (Writer* out = writer()) out->begin_array();
}

void JsonCopy::on_array_end() {
  --depth_;
  if (Writer* out = writer()) out->end_array();
}

void JsonCopy::on_key(std::string_view key) {
  if (Writer* out = writer()) out->key(key);
}

void JsonCopy::on_text(std::string_view part, bool last) {
  begun_ = true;
  in_text_ = !last;
  const size_t room = bytes_max_ - std::min(part_.size(), bytes_max_);
  part_.append(part.substr(0, room));
  if (part.size() > room) text_cut_ = true;
  if (!last) return;
  if (Writer* out = writer()) out->value(part_);
  part_.clear();
}

void JsonCopy::on_integer(int64_t number) {
  begun_ = true;
  if (Writer* out = writer()) out->value(number);
}

void JsonCopy::on_number(double number) {
  begun_ = true;
  if (Writer* out = writer()) out->value(number);
}

void JsonCopy::on_natural(uint64_t number) {
  begun_ = true;
  if (Writer* out = writer()) out->value(number);
}

void JsonCopy::on_bool(bool truth) {
  begun_ = true;
  if (Writer* out = writer()) out->value(truth);
}

void JsonCopy::on_null() {
  begun_ = true;
  if (Writer* out = writer()) out->null();
}

Picker::Picker(const PickTable& table, PickSink& sink, const PickerLimits& limits)
    : table_(table), sink_(sink), limits_(limits) {}

void Picker::reset() {
  depth_ = skipped_ = place_count_ = 0;
  in_text_ = false;
  copy_id_.reset();
}

// The node of the value that begins now; kNone: nobody wants it.
PickTable::NodeId Picker::arrive() {
  if (depth_ == 0) return PickTable::kRoot;
  const Level& top = levels_[depth_ - 1];
  if (!top.array) return next_;
  ++places_[place_count_ - 1];
  return node(top.node).element;
}

void Picker::pick(int id, Picked picked) {
  picked.id = id;
  picked.places = std::span(places_).first(place_count_);
  sink_.on_pick(picked);
}

bool Picker::begin_copy(PickTable::NodeId id) {
  if (id == PickTable::kNone || !node(id).json) return false;
  copy_id_ = node(id).json;
  copy_.begin(limits_.value_bytes_max);
  return true;
}

void Picker::end_copy_if_done() {
  if (!copy_.done()) return;
  const int id = *copy_id_;
  copy_id_.reset();
  pick(id, {.kind = Picked::Kind::kJson, .text = copy_.text(), .cut = copy_.cut()});
}

// Whether what is inside is wanted; else it is skipped, or copied.
bool Picker::open(bool array) {
  if (skipped_ > 0) {
    ++skipped_;
    return false;
  }
  const PickTable::NodeId id = arrive();
  if (begin_copy(id)) return false;
  const bool room = depth_ < levels_.size() && (!array || place_count_ < kPlacesMax);
  const bool wanted =
      id != PickTable::kNone && room &&
      (array ? node(id).element != PickTable::kNone : !node(id).members.empty() || node(id).object);
  if (!wanted) {
    ++skipped_;
    return false;
  }
  levels_[depth_++] = {id, array};
  // One more with each element.
  if (array) places_[place_count_++] = static_cast<uint32_t>(-1);
  return true;
}

// The level that ends; nothing: it was one of those that are skipped.
std::optional<Picker::Level> Picker::close() {
  if (skipped_ > 0) {
    --skipped_;
    return std::nullopt;
  }
  if (depth_ == 0) return std::nullopt;
  const Level level = levels_[--depth_];
  if (level.array) --place_count_;
  return level;
}

void Picker::on_object() {
  if (copy_id_) return copy_.on_object();
  if (open(false)) {
    const std::optional<int>& id = node(levels_[depth_ - 1].node).object;
    if (id) pick(*id, {.kind = Picked::Kind::kObject});
  } else if (copy_id_) {
    copy_.on_object();
  }
}

void Picker::on_object_end() {
  if (copy_id_) {
    copy_.on_object_end();
    return end_copy_if_done();
  }
  const std::optional<Level> level = close();
  if (level && node(level->node).object) {
    pick(*node(level->node).object, {.kind = Picked::Kind::kEnd});
  }
}

void Picker::on_array() {
  if (copy_id_) return copy_.on_array();
  if (!open(true) && copy_id_) copy_.on_array();
}

void Picker::on_array_end() {
  if (copy_id_) {
    copy_.on_array_end();
    return end_copy_if_done();
  }
  close();
}

void Picker::on_key(std::string_view key) {
  if (copy_id_) return copy_.on_key(key);
  if (skipped_ == 0 && depth_ > 0) next_ = table_.find(levels_[depth_ - 1].node, key);
}

void Picker::on_text(std::string_view part, bool last) {
  if (copy_id_) {
    copy_.on_text(part, last);
    return end_copy_if_done();
  }
  if (skipped_ > 0) return;
  if (!in_text_) {
    const PickTable::NodeId id = arrive();
    if (begin_copy(id)) {
      copy_.on_text(part, last);
      return end_copy_if_done();
    }
    text_id_ = id == PickTable::kNone ? std::nullopt : node(id).value;
    text_.clear();
  }
  in_text_ = !last;
  if (!text_id_) return;
  // One byte more than is wanted shows that it is cut.
  text_.append(part.substr(0, limits_.value_bytes_max + 1 - text_.size()));
  if (!last) return;
  pick(*text_id_, {.kind = Picked::Kind::kText,
                   .text = std::string_view(text_).substr(0, limits_.value_bytes_max),
                   .cut = text_.size() > limits_.value_bytes_max});
}

template <class Copy>
void Picker::scalar(const Picked& picked, Copy copy) {
  if (copy_id_) return copy();
  if (skipped_ > 0) return;
  const PickTable::NodeId id = arrive();
  if (id == PickTable::kNone) return;
  if (begin_copy(id)) {
    copy();
    end_copy_if_done();
  } else if (node(id).value) {
    pick(*node(id).value, picked);
  }
}

void Picker::on_integer(int64_t number) {
  scalar({.kind = Picked::Kind::kInteger, .integer = number, .number = static_cast<double>(number)},
         [&] { copy_.on_integer(number); });
}

void Picker::on_number(double number) {
  scalar({.kind = Picked::Kind::kNumber, .number = number}, [&] { copy_.on_number(number); });
}

void Picker::on_natural(uint64_t number) {
  scalar({.kind = Picked::Kind::kNumber, .number = static_cast<double>(number)},
         [&] { copy_.on_natural(number); });
}

void Picker::on_bool(bool truth) {
  scalar({.kind = Picked::Kind::kBool, .truth = truth}, [&] { copy_.on_bool(truth); });
}

void Picker::on_null() {
  scalar({.kind = Picked::Kind::kNull}, [&] { copy_.on_null(); });
}

}  // namespace sidespan::json
