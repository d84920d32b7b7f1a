// The agent's trace context in formats that we do not write ourselves: seen once as the request
// comes, and settled when its head is sent, so that the next hop reads no other span's id than
// ours. CallTrace asks; what each format looks like is trace's.
#pragma once

#include <string_view>

#include "sidespan/http/message.h"
#include "sidespan/proxy/options.h"
#include "sidespan/semconv/field_beginnings.h"
#include "sidespan/trace/carrier.h"
#include "sidespan/trace/formats.h"

namespace sidespan::proxy {

class ForeignContext {
 public:
  explicit ForeignContext(const http::Headers& headers);

  const semconv::FieldBeginnings& beginnings() const { return beginnings_; }
  // Nothing of the kind was seen.
  bool empty() const { return (contexts_ | baggage_) == 0; }
  // `b3: 0` and nothing else: who sends it, a Zipkin reporter, wants no trace of this request.
  bool denies() const { return denies_; }
  // There is a context in that one of trace::kVendorFormats.
  bool has(std::string_view format) const;

  // Removes what `parts` withholds and, where the call is `ours`, a span of this proxy, does with
  // the rest as `others` say. Fields that the injected formats write are left to them.
  // `some_baggage`: not every key may go on, and these fields are not looked into.
  void settle(const OtherFormats& others, const trace::Context& context, trace::Parts parts,
              bool some_baggage, bool ours, trace::CarrierWriter& writer) const;

 private:
  void look_at(const http::Headers& headers);

  semconv::FieldBeginnings beginnings_;  // of names that http::FieldName does not know
  trace::VendorFormats contexts_ = 0;
  trace::VendorFormats baggage_ = 0;
  bool denies_ = false;
};

}  // namespace sidespan::proxy
