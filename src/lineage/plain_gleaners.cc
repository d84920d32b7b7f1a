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

}  // namespace

struct FormGleaner::Impl {
  Impl(const HashKey& key, Overflow& overflow, const GleanLimits& limits)
      : values(key, out, &overflow, limits.values_max), all(values, true) {
    all.begin();
  }

  void end_field() {
    const std::string plain = form_decode(value);
    const bool tells = member_of(name) != Member::kLasting;
    if (tells) scan_text(plain, values);
    all.add(plain, tells);
    value.clear();
  }

  Gleaned out;
  ValueList values;
  Bundle all;
  std::string name;
  std::string value;
  bool in_value = false;
};

FormGleaner::FormGleaner(const HashKey& key, Overflow& overflow, const GleanLimits& limits)
    : impl_(std::make_unique<Impl>(key, overflow, limits)) {}

FormGleaner::~FormGleaner() = default;

void FormGleaner::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  for (const char c : bytes) {
    if (c == '&') {
      if (impl.in_value) impl.end_field();
      impl.in_value = false;
      impl.name.clear();
    } else if (!impl.in_value) {
      impl.in_value = c == '=';
      if (!impl.in_value && impl.name.size() < kNameBytesMax) impl.name += c;
    } else {
      impl.value += c;
      if (impl.value.size() == kFieldBytesMax) impl.end_field();
    }
  }
}

void FormGleaner::finish() {
  if (impl_->in_value) impl_->end_field();
  impl_->in_value = false;
  impl_->all.end();
}

const Gleaned& FormGleaner::gleaned() const {
  return impl_->out;
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
