// HTTP fields as the carrier of context: what propagators read from and write to.
#pragma once

#include "sidespan/http/message.h"
#include "sidespan/trace/carrier.h"

namespace sidespan::proxy {

// Those of W3C's formats.
inline constexpr http::FieldNames kW3cFields = http::bit_of(http::FieldName::kTraceparent) |
                                               http::bit_of(http::FieldName::kTracestate) |
                                               http::bit_of(http::FieldName::kBaggage);

class HeaderReader final : public trace::CarrierReader {
 public:
  explicit HeaderReader(const http::Headers& headers) : headers_(headers) {}

  void visit(std::string_view name, OnValue on_value) const override {
    headers_.for_each(name, on_value);
  }
  void visit_prefix(std::string_view prefix, OnPair on_pair) const override {
    for (size_t i = 0; i < headers_.size(); ++i) {
      const http::Field field = headers_.at(i);
      if (trace::starts_with_ignoring_case(field.name, prefix)) on_pair(field.name, field.value);
    }
  }

 private:
  const http::Headers& headers_;
};

// A value that HTTP forbids cannot get in: Headers refuses it, and the field is then absent.
class HeaderWriter final : public trace::CarrierWriter {
 public:
  explicit HeaderWriter(http::Headers& headers) : headers_(headers) {}

  void set(std::string_view name, std::string_view value) override { headers_.set(name, value); }
  void set_lines(std::string_view name, std::span<const std::string_view> values) override {
    headers_.remove(name);
    for (const std::string_view value : values) headers_.add(name, value);
  }
  void remove(std::string_view name) override { headers_.remove(name); }
  void remove_prefix(std::string_view prefix) override {
    headers_.remove_if(
        [&](http::Field field) { return trace::starts_with_ignoring_case(field.name, prefix); });
  }

 private:
  http::Headers& headers_;
};

}  // namespace sidespan::proxy
