#include "sidespan/trace/carrier.h"

#include <unistd.h>

namespace sidespan::trace {
namespace {

std::string_view name_part(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

// Nothing for an entry without a value.
std::string_view value_part(std::string_view entry) {
  const size_t equals = entry.find('=');
  return equals == std::string_view::npos ? std::string_view() : entry.substr(equals + 1);
}

}  // namespace

void CarrierWriter::set_lines(std::string_view name, std::span<const std::string_view> values) {
  std::string joined;
  for (const std::string_view value : values) {
    if (!joined.empty()) joined.push_back(',');
    joined.append(value);
  }
  set(name, joined);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         text::equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

EnvironmentCarrier EnvironmentCarrier::of_process() {
  EnvironmentCarrier carrier;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    carrier.entries_.emplace_back(*entry);
  }
  return carrier;
}

std::string EnvironmentCarrier::name_of(std::string_view field) {
  std::string name;
  // A shell could not name a variable that starts with a digit.
  if (!field.empty() && text::is_digit(field.front())) name.push_back('_');
  for (const char c : field) {
    if (text::is_lower(c)) {
      name.push_back(static_cast<char>(c - ('a' - 'A')));
    } else {
      name.push_back(text::is_upper(c) || text::is_digit(c) ? c : '_');
    }
  }
  return name;
}

void EnvironmentCarrier::visit(std::string_view name, OnValue on_value) const {
  const std::string wanted = name_of(name);
  for (const std::string_view entry : entries_) {
    if (name_part(entry) == wanted && !value_part(entry).empty()) on_value(value_part(entry));
  }
}

void EnvironmentCarrier::visit_prefix(std::string_view prefix, OnPair on_pair) const {
  const std::string wanted = name_of(prefix);
  for (const std::string_view entry : entries_) {
    const std::string_view name = name_part(entry);
    if (name.starts_with(wanted) && !value_part(entry).empty()) on_pair(name, value_part(entry));
  }
}

void EnvironmentCarrier::set(std::string_view name, std::string_view value) {
  std::string entry = name_of(name);
  entry.append("=").append(value);
  remove(name);
  entries_.push_back(std::move(entry));
}

void EnvironmentCarrier::remove(std::string_view name) {
  const std::string unwanted = name_of(name);
  std::erase_if(entries_, [&](const std::string& entry) { return name_part(entry) == unwanted; });
}

void EnvironmentCarrier::remove_prefix(std::string_view prefix) {
  const std::string unwanted = name_of(prefix);
  std::erase_if(entries_,
                [&](const std::string& entry) { return name_part(entry).starts_with(unwanted); });
}

}  // namespace sidespan::trace
