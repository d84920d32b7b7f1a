// What an AWS signature of a request covers (Signature Version 4, "SignedHeaders"), in its
// Authorization field or in the query of a presigned URL, and a carrier that changes none of it:
// the origin would refuse a request whose signed fields are not as they were. CallTrace uses it.
#pragma once

#include <string>
#include <string_view>

#include "header_carrier.h"
#include "sidespan/http/message.h"
#include "sidespan/trace/carrier.h"
#include "sidespan/trace/formats.h"

namespace sidespan::proxy {

class SignedFields {
 public:
  // False for most requests, of which nothing is signed.
  static bool may_be(std::string_view authorization, bool has_query) {
    return has_query || authorization.starts_with(kScheme);
  }
  // `authorization`: that field's value; empty: there is none. `path` with its query.
  SignedFields(std::string_view authorization, std::string_view path);

  explicit operator bool() const { return signed_; }
  bool covers(std::string_view name) const;
  // Whether the field belongs to a context of which a field is covered: half of it written anew
  // would be a context of nobody.
  bool covers_context_of(std::string_view name) const;

 private:
  static constexpr std::string_view kScheme = "AWS4-";
  static std::string names_in(std::string_view authorization, std::string_view path);

  bool signed_ = false;
  bool covers_traceparent_ = false;
  trace::VendorFormats formats_ = 0;
  std::string names_;  // lower case, each between semicolons
};

// Leaves what is covered as it is, and adds nothing under `x-amz-`, which AWS expects to be signed.
class SignedWriter final : public trace::CarrierWriter {
 public:
  SignedWriter(http::Headers& headers, const SignedFields& covered)
      : headers_(headers), inner_(headers), covered_(covered) {}

  // Something that should have been written was not.
  bool blocked() const { return blocked_; }

  void set(std::string_view name, std::string_view value) override {
    if (may_set(name)) inner_.set(name, value);
  }
  void set_lines(std::string_view name, std::span<const std::string_view> values) override {
    if (may_set(name)) inner_.set_lines(name, values);
  }
  void remove(std::string_view name) override {
    if (!covered_.covers(name)) inner_.remove(name);
  }
  void remove_prefix(std::string_view prefix) override;

 private:
  bool may_set(std::string_view name);

  http::Headers& headers_;
  HeaderWriter inner_;
  const SignedFields& covered_;
  bool blocked_ = false;
};

}  // namespace sidespan::proxy
