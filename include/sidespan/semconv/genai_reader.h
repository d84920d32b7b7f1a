// Reads what the documents of one call of a model say: JSON texts of the request and of the answer,
// of which the latter are many where it is streamed. Whoever taps the exchange takes framing and
// packing off and tells where a document begins and ends; each provider has its table of paths
// (src/semconv/genai). Bounded: 64 KiB at most, whatever the bodies hold; where more of a text is
// captured than by default, in proportion. It keeps nothing of content unless it is captured.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/http/message.h"
#include "sidespan/json/reader.h"
#include "sidespan/semconv/genai_call.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::semconv::genai {

struct ReaderOptions {
  Capture capture = Capture::kOff;
  size_t content_bytes_max = 1024;  // capture.max_bytes: of each text that is captured
};

// What is kept of content, at most.
size_t content_room(const ReaderOptions& options);

class CallReader {
 public:
  explicit CallReader(const Endpoint& endpoint, const ReaderOptions& options = {});
  ~CallReader();
  CallReader(CallReader&&) noexcept;
  CallReader& operator=(CallReader&&) noexcept;

  // Where the events of the document that begins go, until it ends. One of each side at a time.
  json::Handler& begin_request_document();
  void end_request_document(bool whole);
  // `event`: its name, where the framing has one (SSE, event stream); else empty.
  json::Handler& begin_response_document(std::string_view event = {});
  void end_response_document(bool whole);

  // The answer's head, before its documents.
  void on_response_head(const http::Head& head);
  // Between documents: the stream itself says that it failed, and how.
  void on_stream_error(std::string_view code, std::string_view text);
  // The answer is a stream of documents, whatever the request said.
  void on_stream();
  // The first document of a streamed answer came so long after the request was sent.
  void on_first_chunk(Nanoseconds after);
  // What `answer` was told by documents of an answer counts here, too.
  void take_answer(const CallReader& answer);
  // Nothing more comes. `broken`: the answer ended before it was whole. Once.
  void finish(bool broken);
  // The same where the agent wanted no more, which is no error.
  void cancel();

  // Whether this is a call of a model: by its host, or since its bodies name one.
  bool known() const;
  // What is known by now.
  const Call& call() const;
  // Nothing where that is not known().
  void describe(trace::Span& span, const DescribeOptions& options = {}) const;

 private:
  void end(bool broken, bool cancelled);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sidespan::semconv::genai
