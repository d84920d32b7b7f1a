#include "app/setting_reader.h"

#include <algorithm>

#include "app/terminal_text.h"
#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

std::string between(const std::string& least, const std::string& most) {
  return "; it must be from " + least + " to " + most;
}

}  // namespace

std::string quote(std::string_view text) {
  constexpr size_t kShownMax = 60;
  const std::string_view cut = text.substr(0, kShownMax);
  std::string out = "'";
  for (const char c : cut)
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
  return printable(out.append(cut.size() < text.size() ? "..." : ""), false) + "'";
}

std::optional<std::string> read_text(const Node& node, Complaints& complaints) {
  if (node.kind == Node::Kind::kText) return node.text;
  return complain(node, "takes one value, not a list or a map", complaints);
}

std::optional<std::string> read_name(const Node& node, Complaints& complaints) {
  std::optional<std::string> text = read_text(node, complaints);
  if (!text) return text;
  if (text->empty()) return complain(node, "is empty", complaints);
  const bool printable = std::ranges::none_of(
      *text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!printable) return complain(node, "has control characters in it", complaints);
  return text;
}

std::optional<std::string> read_plain_name(const Node& node, Complaints& complaints) {
  std::optional<std::string> name = read_name(node, complaints);
  if (!name || name->find('*') == std::string::npos) return name;
  return complain(node, quote(*name) + " is a wildcard, and only whole names count here",
                  complaints);
}

std::optional<bool> read_switch(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<bool> value = parse_switch(*text);
  if (!value) return complain(node, quote(*text) + " is neither on nor off", complaints);
  return value;
}

std::optional<size_t> read_size(const Node& node, size_t least, size_t most,
                                Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<size_t> bytes = parse_size(*text);
  if (!bytes) {
    return complain(node, quote(*text) + " is no size; write it like 64KiB or 1MiB", complaints);
  }
  if (*bytes < least || *bytes > most) {
    return complain(node, "is " + *text + between(write_size(least), write_size(most)), complaints);
  }
  return bytes;
}

std::optional<size_t> read_count(const Node& node, size_t least, size_t most,
                                 Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<uint64_t> number = text::parse_unsigned(*text);
  if (!number) return complain(node, quote(*text) + " is no whole number", complaints);
  if (*number < least || *number > most) {
    return complain(node, "is " + *text + between(std::to_string(least), std::to_string(most)),
                    complaints);
  }
  return number;
}

std::optional<Milliseconds> read_duration(const Node& node, Milliseconds least, Milliseconds most,
                                          Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<Milliseconds> duration = parse_duration(*text);
  if (!duration) {
    return complain(node, quote(*text) + " is no duration; write it like 500ms, 2s or 1m",
                    complaints);
  }
  if (*duration < least || *duration > most) {
    return complain(node, "is " + *text + between(write_duration(least), write_duration(most)),
                    complaints);
  }
  return duration;
}

std::optional<double> read_ratio(const Node& node, Complaints& complaints) {
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<double> ratio = parse_decimal(*text);
  if (!ratio || *ratio < 0 || *ratio > 1) {
    return complain(node, quote(*text) + " is no number from 0 to 1", complaints);
  }
  return ratio;
}

std::optional<double> read_amount(const Node& node, Complaints& complaints) {
  constexpr double kMost = 1e6;
  const std::optional<std::string> text = read_text(node, complaints);
  if (!text) return std::nullopt;
  const std::optional<double> amount = parse_decimal(*text);
  if (!amount || *amount < 0 || *amount > kMost) {
    return complain(node, quote(*text) + " is no amount of dollars, like 1.25", complaints);
  }
  return amount;
}

std::optional<Pairs> read_pairs(const Node& node, Complaints& complaints) {
  if (node.kind != Node::Kind::kMap) {
    return complain(node, "takes a map, like {name: value}", complaints);
  }
  Pairs pairs;
  for (const Node::Member& member : node.members) {
    if (member.key.empty()) {
      complain(member.value, "has an empty name in it", complaints);
      continue;
    }
    if (!text::is_valid_utf8(member.key)) {
      complain(member.value, "has a name in it that is no UTF-8", complaints);
      continue;
    }
    std::optional<std::string> value =
        read_part(member.value, "." + member.key, complaints, read_text);
    if (value) pairs.emplace_back(member.key, *std::move(value));
  }
  if (pairs.size() != node.members.size()) return std::nullopt;
  return pairs;
}

bool has_only_keys(const Node& node, std::initializer_list<std::string_view> keys,
                   Complaints& complaints) {
  std::string all_of_them;
  for (const std::string_view& key : keys) {
    const bool last = &key == keys.end() - 1;
    all_of_them.append(all_of_them.empty() ? "" : last ? " and " : ", ").append(key);
  }
  if (node.kind != Node::Kind::kMap) {
    complain(node, "takes a map with " + all_of_them, complaints);
    return false;
  }
  const size_t before = complaints.size();
  for (const Node::Member& member : node.members) {
    if (std::ranges::find(keys, member.key) != keys.end()) continue;
    complaints.push_back({member.line, "." + member.key, "is not known here, only " + all_of_them});
  }
  return complaints.size() == before;
}

bool has_keys(const Node& node, std::initializer_list<std::string_view> keys,
              Complaints& complaints) {
  has_only_keys(node, keys, complaints);
  if (node.kind != Node::Kind::kMap) return false;
  bool all = true;
  for (const std::string_view key : keys) {
    if (node.find(key) != nullptr) continue;
    complain(node, std::string(key) + " is missing", complaints);
    all = false;
  }
  return all;
}

}  // namespace sidespan::app
