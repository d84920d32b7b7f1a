// What each provider's API has of its own: which values of its documents are wanted, and what they
// say of the call. CallReader drives it, and knows the rest. One for each call: it may keep what
// belongs together until it is whole, in bounds.
#pragma once

#include <memory>
#include <string_view>

#include "semconv/genai/call_draft.h"
#include "sidespan/http/message.h"
#include "sidespan/json/picker.h"
#include "sidespan/semconv/genai_recognize.h"

namespace sidespan::semconv::genai {

class ApiReader {
 public:
  virtual ~ApiReader() = default;

  // Made once for the program. They may depend on what is captured: paths to content are in them
  // only where it is wanted, since what no path leads to costs least.
  virtual const json::PickTable& request_table() const = 0;
  virtual const json::PickTable& response_table() const = 0;

  virtual void begin_request() {}
  virtual void on_request(const json::Picked& picked) = 0;
  virtual void on_response_head(const http::Head& /*head*/) {}
  // `event`: its name where the framing has one. Values of the document before may have been cut
  // off in the middle.
  virtual void begin_response(std::string_view /*event*/) {}
  // Who is to be told of the document that begins: `picker`, where it is not packed in another.
  virtual json::Handler& response_handler(json::Picker& picker) { return picker; }
  virtual void on_response(const json::Picked& picked) = 0;
  virtual void end_response(bool /*whole*/) {}
};

class Tables;

// One that only picks what all providers share. All outlive what is made.
std::unique_ptr<ApiReader> make_plain_reader(CallDraft& draft, const Tables& request,
                                             const Tables& response);

// `draft` outlives what is made.
std::unique_ptr<ApiReader> make_openai_chat_reader(CallDraft& draft);  // completions, too
// The same as models speak it that Bedrock invokes.
std::unique_ptr<ApiReader> make_invoked_chat_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_openai_responses_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_openai_embeddings_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_anthropic_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_gemini_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_gemini_embed_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_bedrock_converse_reader(CallDraft& draft);
// The request's model is known by then.
std::unique_ptr<ApiReader> make_bedrock_invoke_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_ollama_reader(CallDraft& draft);  // chat and generate
std::unique_ptr<ApiReader> make_ollama_embed_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_cohere_reader(CallDraft& draft);
std::unique_ptr<ApiReader> make_cohere_embed_reader(CallDraft& draft);

// Null: nobody reads these documents; host and path still tell what the call is.
std::unique_ptr<ApiReader> make_api_reader(Api api, CallDraft& draft);

}  // namespace sidespan::semconv::genai
