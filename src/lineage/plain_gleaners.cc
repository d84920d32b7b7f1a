#include <algorithm>
#include <string>
#include <utility>

#include "lineage/bundle.h"
#include "lineage/member_names.h"
#include "lineage/text_scan.h"
#include "lineage/value_list.h"
#include "sidespan/base/text.h"
#include "sidespan/lineage/gleaner.h"

namespace sidespan::lineage {
namespace {

// Of a field; a longer one is taken for several.
constexpr size_t kFieldBytesMax = size_t{16} * 1024;
constexpr size_t kNameBytesMax = 64;
// Of a part's header; a longer one is cut.
constexpr size_t kLineBytesMax = 256;

// The value of `name="..."` in a Content-Disposition.
std::string_view quoted_after(std::string_view line, std::string_view begin) {
  const size_t at = line.find(begin);
  if (at == line.npos) return {};
  const std::string_view rest = line.substr(at + begin.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

struct FormGleaner::Impl {
  // Where in the parts of a form it is: behind a delimiter, in a part's header, or anywhere else.
  enum class At : uint8_t { kDelimiter, kHeader, kContent };

  Impl(const HashKey& key, Overflow& overflow, const GleanLimits& limits, std::string_view boundary)
      : values(key, out, &overflow, limits.values_max), all(values) {
    all.begin();
    if (!boundary.empty()) delimiter = "\r\n--" + std::string(boundary);
  }

  void end_field() {
    const std::string plain = delimiter.empty() ? form_decode(value) : value;
    const bool tells = member_of(name) != Member::kLasting;
    if (tells) scan_text(plain, values);
    all.add(plain, tells);
    value.clear();
  }

  void finish() {
    if (in_value) end_field();
    in_value = false;
    all.end();
  }

  void feed_fields(std::string_view bytes);
  void feed_parts(std::string_view bytes);
  void feed_line(char c);
  void end_line();
  void add(char c) {
    value += c;
    if (value.size() == kFieldBytesMax) end_field();
  }

  Gleaned out;
  ValueList values;
  Bundle all;
  std::string name;
  std::string value;
  bool in_value = false;

  std::string delimiter;  // between parts; empty: it has none
  size_t matched = 2;     // bytes of it: the first one stands at the beginning of a line, too
  At at = At::kContent;
  std::string line;
  bool is_field = false;
  bool met_file = false;
  bool over = false;
};

FormGleaner::FormGleaner(const HashKey& key, Overflow& overflow, const GleanLimits& limits,
                         std::string_view boundary)
    : impl_(std::make_unique<Impl>(key, overflow, limits, boundary)) {}

FormGleaner::~FormGleaner() = default;

void FormGleaner::feed(std::string_view bytes) {
  impl_->delimiter.empty() ? impl_->feed_fields(bytes) : impl_->feed_parts(bytes);
}

void FormGleaner::Impl::feed_fields(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '&') {
      if (in_value) end_field();
      in_value = false;
      name.clear();
    } else if (!in_value) {
      in_value = c == '=';
      if (!in_value && name.size() < kNameBytesMax) name += c;
    } else {
      add(c);
    }
  }
}

// A delimiter has no other CR than its first byte, so that nothing of it can be another's
// beginning.
void FormGleaner::Impl::feed_parts(std::string_view bytes) {
  for (const char c : bytes) {
    if (at != At::kContent) {
      feed_line(c);
      continue;
    }
    if (c == delimiter[matched]) {
      if (++matched < delimiter.size()) continue;
      if (in_value) end_field();
      in_value = false;
      at = At::kDelimiter;
      matched = 0;
      continue;
    }
    if (in_value) {
      for (const char one : std::string_view(delimiter).substr(0, matched)) add(one);
    }
    matched = c == '\r' ? 1 : 0;
    if (in_value && matched == 0) add(c);
  }
}

void FormGleaner::Impl::feed_line(char c) {
  if (c == '\n') return end_line();
  if (c != '\r' && line.size() < kLineBytesMax) line += c;
}

void FormGleaner::Impl::end_line() {
  const bool last = at == At::kDelimiter && line.starts_with("--");
  if (last) {
    at = At::kContent;
    over = true;
    finish();
  } else if (at == At::kDelimiter) {
    at = At::kHeader;
    is_field = false;
  } else if (line.empty()) {
    at = At::kContent;
    in_value = is_field;
    if (is_field) return line.clear();
    met_file = true;
    all.drop();  // there is more to it than is read
  } else if (text::lower(line).starts_with("content-disposition:")) {
    name = quoted_after(line, " name=\"").substr(0, kNameBytesMax);
    is_field = !name.empty() && line.find("filename") == line.npos;
  }
  line.clear();
}

void FormGleaner::finish() {
  impl_->finish();
}

const Gleaned& FormGleaner::gleaned() const {
  return impl_->out;
}

bool FormGleaner::met_file() const {
  return impl_->met_file;
}

bool FormGleaner::over() const {
  return impl_->over;
}

struct TextGleaner::Impl {
  Impl(const HashKey& key, Overflow& overflow, const GleanLimits& limits)
      : values(key, out, &overflow, limits.values_max), scan(values) {
    values.set_place(Place::kContent);
  }

  Gleaned out;
  ValueList values;
  TextScan scan;
};

TextGleaner::TextGleaner(const HashKey& key, Overflow& overflow, const GleanLimits& limits)
    : impl_(std::make_unique<Impl>(key, overflow, limits)) {}

TextGleaner::~TextGleaner() = default;

void TextGleaner::feed(std::string_view bytes) {
  impl_->scan.feed(bytes);
}

void TextGleaner::finish() {
  impl_->scan.end();
}

Gleaned TextGleaner::take() {
  return std::exchange(impl_->out, {});
}

}  // namespace sidespan::lineage
