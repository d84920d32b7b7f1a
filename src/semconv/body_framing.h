// How the documents of a body lie in its plain bytes: one class a framing, each cut anywhere. Used
// by BodyReader, which undoes codings and minds the limits before.
#pragma once

#include <memory>
#include <string_view>

#include "semconv/json_document.h"
#include "sidespan/semconv/body_reader.h"

namespace sidespan::semconv {

class Framer {
 public:
  virtual ~Framer() = default;
  virtual void feed(std::string_view plain) = 0;
  virtual void finish(bool clean) = 0;
  // No more documents can be found.
  virtual bool broken() const { return false; }
  // Some of its events had ids.
  virtual bool has_event_ids() const { return false; }
};

std::unique_ptr<Framer> make_framer(BodyFraming framing, const json::ReaderLimits& limits,
                                    BodySink& sink);

}  // namespace sidespan::semconv
