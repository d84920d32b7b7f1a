// From a Node to a typed value: the readers that the rows of the setting table are made of. A
// reader returns nothing after it has complained; complaints say what is wrong and, for small
// things, what would be right. Readers never quote what may be a secret: those of such rows are in
// setting_types.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config_tree.h"
#include "app/setting_value.h"
#include "app/settings.h"

namespace sidespan::app {

using Complaints = std::vector<Complaint>;

inline std::nullopt_t complain(const Node& node, std::string what, Complaints& complaints) {
  complaints.push_back({node.line, "", std::move(what)});
  return std::nullopt;
}

// Runs `read(part, complaints)` and puts `at` before what it complains about.
template <class Read>
auto read_part(const Node& part, const std::string& at, Complaints& complaints, Read&& read) {
  const size_t before = complaints.size();
  auto value = std::forward<Read>(read)(part, complaints);
  for (size_t i = before; i < complaints.size(); ++i) complaints[i].at.insert(0, at);
  return value;
}

// "'abc' is not ...": the common form of a complaint. Long values are cut.
std::string quote(std::string_view text);

// One text, also an empty one.
std::optional<std::string> read_text(const Node& node, Complaints& complaints);
// One text that is not empty and has no control characters.
std::optional<std::string> read_name(const Node& node, Complaints& complaints);
// A name that stands for itself alone.
std::optional<std::string> read_plain_name(const Node& node, Complaints& complaints);
std::optional<bool> read_switch(const Node& node, Complaints& complaints);
std::optional<size_t> read_size(const Node& node, size_t least, size_t most,
                                Complaints& complaints);
std::optional<size_t> read_count(const Node& node, size_t least, size_t most,
                                 Complaints& complaints);
std::optional<Milliseconds> read_duration(const Node& node, Milliseconds least, Milliseconds most,
                                          Complaints& complaints);
std::optional<double> read_ratio(const Node& node, Complaints& complaints);
// US dollars.
std::optional<double> read_amount(const Node& node, Complaints& complaints);

// The same with their bounds as part of the type, so that a table row can name them.
template <size_t Least, size_t Most>
std::optional<size_t> size_between(const Node& node, Complaints& complaints) {
  return read_size(node, Least, Most, complaints);
}
template <size_t Least, size_t Most>
std::optional<size_t> count_between(const Node& node, Complaints& complaints) {
  return read_count(node, Least, Most, complaints);
}
template <Milliseconds::rep Least, Milliseconds::rep Most>
std::optional<Milliseconds> time_between(const Node& node, Complaints& complaints) {
  return read_duration(node, Milliseconds{Least}, Milliseconds{Most}, complaints);
}

template <class Value>
struct Word {
  std::string_view text;
  Value value;
};

// One of `words`.
template <class Value, size_t N>
std::optional<Value> read_word(const Node& node, const std::array<Word<Value>, N>& words,
                               Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  std::string known;
  for (const Word<Value>& word : words) {
    if (word.text == *text) return word.value;
    known.append(known.empty() ? "" : ", ").append(word.text);
  }
  return complain(node, quote(*text) + " is not one of " + known, complaints);
}

// One of `Words`, for rows of the table.
template <const auto& Words>
auto word_of(const Node& node, Complaints& complaints) {
  return read_word(node, Words, complaints);
}

// A list of whatever `read_one` reads. All bad items are told.
template <class ReadOne>
auto read_list(const Node& node, Complaints& complaints, ReadOne read_one)
    -> std::optional<std::vector<typename decltype(read_one(node, complaints))::value_type>> {
  if (node.kind != Node::Kind::kList) {
    return complain(node, "takes a list, like [a, b]", complaints);
  }
  std::vector<typename decltype(read_one(node, complaints))::value_type> values;
  for (size_t i = 0; i < node.items.size(); ++i) {
    auto value = read_part(node.items[i], "[" + std::to_string(i) + "]", complaints, read_one);
    if (value) values.push_back(*std::move(value));
  }
  if (values.size() != node.items.size()) return std::nullopt;
  return values;
}
template <auto ReadOne>
auto list_of(const Node& node, Complaints& complaints) {
  return read_list(node, complaints, ReadOne);
}

// A map of texts, in the order written.
std::optional<Pairs> read_pairs(const Node& node, Complaints& complaints);

// For a map that stands for one thing, like a route: complains about keys other than these and
// about those missing. True when all are there.
bool has_keys(const Node& node, std::initializer_list<std::string_view> keys,
              Complaints& complaints);
// The same for one whose keys may all be left out.
bool has_only_keys(const Node& node, std::initializer_list<std::string_view> keys,
                   Complaints& complaints);

// A key of a map that may be left out; `value` stays as it is then.
template <class Read, class Value>
bool read_optional(const Node& node, std::string_view key, Complaints& complaints, Read&& read,
                   Value& value) {
  const Node* const part = node.find(key);
  if (part == nullptr) return true;
  auto found = read_part(*part, "." + std::string(key), complaints, std::forward<Read>(read));
  if (!found) return false;
  auto& read_value = *found;
  value = std::move(read_value);
  return true;
}

// One of whatever `ReadOne` reads, or a list of them.
template <auto ReadOne>
auto one_or_list_of(const Node& node, Complaints& complaints)
    -> decltype(list_of<ReadOne>(node, complaints)) {
  if (node.kind == Node::Kind::kList) return list_of<ReadOne>(node, complaints);
  auto one = ReadOne(node, complaints);
  if (!one) return std::nullopt;
  typename decltype(list_of<ReadOne>(node, complaints))::value_type values;
  values.push_back(*std::move(one));
  return values;
}

}  // namespace sidespan::app
