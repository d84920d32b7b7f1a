// What an answer says that no observer reads, as its bytes pass: the JSON documents of it, in their
// framing or one after another, to a watcher; and as a text what is one, or was to be JSON and is
// none. Its media type decides, and where that is not known how it begins. Used by CallLineage,
// which must know whether something went by unread: what nobody copies into calls (images, sound,
// archives) does not count as such. Holds the decoders, a line, and what the nesting of JSON takes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "sidespan/base/spares.h"
#include "sidespan/http/inflate.h"
#include "sidespan/http/message.h"
#include "sidespan/lineage/gleaner.h"
#include "sidespan/semconv/body_reader.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::proxy {

class AnswerReader final : public Recycled<AnswerReader, 32>,
                           public http::PlainSink,
                           public semconv::BodySink {
 public:
  // Null: of a media type that says nothing. `watcher` and `overflow` outlive this.
  static std::unique_ptr<AnswerReader> make(const http::Headers& headers,
                                            semconv::DocumentWatcher& watcher,
                                            const lineage::HashKey& key,
                                            lineage::Overflow& overflow);

  void feed(std::string_view bytes);
  // Nothing more comes. `whole`: it ended as its framing says.
  void finish(bool whole);
  // What came, or comes, is not read: its coding is not known or broken, or a limit was met.
  bool lost() const;
  // What was read as a text since the last time.
  lineage::Gleaned take_text();

 private:
  enum class As : uint8_t {
    kUnknown,  // how it begins tells
    kWords,    // a text, of JSON perhaps
    kJson,     // one document, or several in a row
    kStream,   // documents in a framing
    kText,
    kNothing,  // nobody copies it
    kPacked,   // nobody can read it
  };

  AnswerReader(As as, const http::Codings& codings, semconv::DocumentWatcher& watcher,
               const lineage::HashKey& key, lineage::Overflow& overflow);

  void on_plain(std::string_view part) override;
  json::Handler* begin_document(std::string_view) override {
    return watcher_.begin_response_document();
  }
  void end_document(bool whole) override;

  void read_documents(semconv::BodyFraming framing);
  void judge(std::string_view part);
  void read_text(std::string_view part);

  As as_;
  semconv::DocumentWatcher& watcher_;
  const lineage::HashKey key_;
  lineage::Overflow& overflow_;
  std::optional<http::Inflater> inflater_;
  std::optional<semconv::BodyReader> documents_;
  bool broke_ = false;  // one of them is no JSON
  std::optional<lineage::TextGleaner> text_;
};

}  // namespace sidespan::proxy
