#include "call_lineage.h"

#include <algorithm>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/lineage/session.h"

namespace sidespan::proxy {
namespace {

using lineage::Gleaned;
using lineage::Voice;

// A gleaner with what it is in the middle of; values count by themselves.
constexpr size_t kGleanerBytes = size_t{4} * 1024;
// Of a request that is told from others by all that it says; longer ones are seldom sent again.
constexpr size_t kRepeatedBytesMax = size_t{256} * 1024;

bool is_form(std::string_view type) {
  return text::equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

// Of a form in parts (RFC 7578, RFC 2046 section 5.1.1); empty: it is none.
std::string_view boundary_of(const http::Headers& headers, std::string_view type) {
  constexpr std::string_view kParameter = "boundary=";
  constexpr size_t kBytesMax = 70;
  if (!text::equal_ignoring_case(type, "multipart/form-data")) return {};
  const std::string_view value = headers.find(http::FieldName::kContentType).value_or("");
  const size_t at = value.find(kParameter);
  if (at == value.npos) return {};
  std::string_view boundary = value.substr(at + kParameter.size());
  const bool quoted = boundary.starts_with('"');
  if (quoted) boundary.remove_prefix(1);
  boundary = text::trim(boundary.substr(0, boundary.find(quoted ? '"' : ';')));
  return boundary.size() > kBytesMax ? std::string_view() : boundary;
}

// They read documents and nothing else.
bool is_read_by_observers(const http::Headers& answer) {
  return semconv::framing_of(http::media_type(answer)).has_value() &&
         http::parse_codings(answer.find(http::FieldName::kContentEncoding).value_or(""))
             .has_value();
}

size_t bytes_of(const Gleaned& gleaned) {
  return gleaned.values.capacity() * sizeof(lineage::Value) +
         gleaned.prefixes.capacity() * sizeof(lineage::Prefix) +
         gleaned.asked.capacity() * sizeof(lineage::Asked);
}

}  // namespace

bool has_failed(const semconv::genai::Call* call, bool complete, int status) {
  constexpr int kFirstErrorStatus = 400;
  return !complete || status >= kFirstErrorStatus || (call != nullptr && call->error.known());
}

lineage::CallEnd end_of(const semconv::genai::Call& call, bool complete, int status) {
  if (has_failed(&call, complete, status)) return lineage::CallEnd::kFailed;
  if (!call.tool_calls.empty()) return lineage::CallEnd::kAsked;
  // Anthropic: the model has not said its last word, and is to be asked again.
  const bool pauses =
      std::ranges::find(call.finish_reasons, "pause_turn") != call.finish_reasons.end();
  return pauses ? lineage::CallEnd::kOther : lineage::CallEnd::kAnswered;
}

struct CallLineage::Documents final : semconv::BodySink {
  explicit Documents(semconv::DocumentWatcher& its_watcher) : watcher(its_watcher) {}
  json::Handler* begin_document(std::string_view) override {
    return watcher.begin_request_document();
  }
  void end_document(bool) override { watcher.end_request_document(); }

  semconv::DocumentWatcher& watcher;
  std::unique_ptr<semconv::BodyReader> reader;
};

CallLineage::CallLineage(lineage::Registry& registry, bool of_nobody)
    : registry_(registry), of_nobody_(of_nobody), tells_(!of_nobody || !registry.idle()) {}

CallLineage::~CallLineage() = default;

void CallLineage::begin(const http::Head& request, const http::Url& url,
                        const semconv::Observer* observer, lineage::TargetMemo& targets) {
  observed_ = observer != nullptr && observer->reads_documents();
  converses_ = observer != nullptr && observer->is_conversation();
  // The address of a model is a constant of those who ask it.
  if (!converses_) {
    path_ = url.path;
    head_ = targets.glean(registry_.key(), target_of(request, url));
  }
  if (!request.body.may_have_bytes()) return;
  read_request(request.headers);
  if (!of_nobody_) return;
  said_.emplace(registry_.key());
  for (const std::string_view part :
       {request.method(), url.scheme, std::string_view(url.authority.host),
        std::string_view(url.path)}) {
    said_->add(part);
    said_->add(uint64_t{url.port()});
  }
}

void CallLineage::begin_shared() {
  observed_ = converses_ = reads_request_ = true;
  begin_answer(true);
}

void CallLineage::read_request(const http::Headers& headers) {
  if (observed_) {  // who tells of it, whatever it is sent as
    reads_request_ = true;
    return;
  }
  const std::string_view type = http::media_type(headers);
  if (semconv::framing_of(type)) {
    own_request_ = std::make_unique<Documents>(*this);
    own_request_->reader = semconv::make_body_reader(headers, {}, *own_request_);
    reads_request_ = own_request_->reader != nullptr;
    return;
  }
  const std::string_view boundary = boundary_of(headers, type);
  if ((is_form(type) || !boundary.empty()) && !headers.contains("content-encoding")) {
    form_ = std::make_unique<lineage::FormGleaner>(registry_.key(), registry_,
                                                   lineage::GleanLimits{}, boundary);
    reads_request_ = true;
  }
}

CallLineage::Rest CallLineage::rest() const {
  if (!form_) return Rest::kAtOnce;
  if (form_->over()) return Rest::kNone;
  return form_->met_file() ? Rest::kLater : Rest::kAtOnce;
}

void CallLineage::serve(lineage::ExecutionRef execution, MonoTime now) {
  serves_ = true;
  joined_ = lineage::Joined{.execution = execution};
  if (head_) registry_.publish(execution, Voice::kGiven, 0, head_->carried, now);
  publish_given(now);
}

void CallLineage::publish_given(MonoTime now) {
  if (!serves_) return;
  if (request_ && !request_->gleaned().values.empty()) {
    registry_.publish(joined_->execution, Voice::kGiven, 0, request_->take(), now);
  }
  if (!form_ || !request_ended_) return;
  registry_.publish(joined_->execution, Voice::kGiven, 0, form_->gleaned(), now);
  form_.reset();
}

void CallLineage::on_request_bytes(std::string_view bytes, MonoTime now) {
  if (said_) {
    said_->add(bytes);
    said_bytes_ += bytes.size();
    if (said_bytes_ > kRepeatedBytesMax) said_.reset();
  }
  if (form_) return form_->feed(bytes);
  if (own_request_ && own_request_->reader) own_request_->reader->feed(bytes);
  publish_given(now);
}

void CallLineage::on_request_end(MonoTime now) {
  if (form_) form_->finish();
  if (own_request_ && own_request_->reader) own_request_->reader->finish(true);
  request_ended_ = true;
  publish_given(now);
}

void CallLineage::on_response_head(const http::Head& head) {
  if (silent_ || serves_ || head.status == http::kSwitchingProtocols) return;
  if (observed_ && is_read_by_observers(head.headers)) return;
  own_answer_ = AnswerReader::make(head.headers, *this, registry_.key(), registry_);
}

void CallLineage::on_response_bytes(std::string_view bytes, MonoTime now) {
  if (own_answer_) own_answer_->feed(bytes);
  publish_answer(now);
  if (!own_answer_ || !own_answer_->lost()) return;
  // What is read no further may say what others are believed to be alone with.
  own_answer_.reset();
  registry_.lose_sight(now);
}

void CallLineage::on_response_end(bool whole, MonoTime now) {
  if (own_answer_) own_answer_->finish(whole);
  if (answer_) answer_->finish();
  publish_answer(now);
}

json::Handler* CallLineage::begin_request_document() {
  if (silent_) return nullptr;
  if (!request_) {
    request_.emplace(registry_.key(), request_voice(), false, registry_);
    charge_.set(charge_.bytes() + kGleanerBytes);
  }
  request_->begin_document();
  return &*request_;
}

void CallLineage::end_request_document() {
  if (!request_) return;
  request_->end_document();
  charge_.set(kGleanerBytes + bytes_of(request_->gleaned()));
}

void CallLineage::begin_answer(bool pieces) {
  pieces_ = pieces;
}

json::Handler* CallLineage::begin_response_document() {
  if (silent_ || serves_) return nullptr;
  if (!answer_) {
    answer_.emplace(registry_.key(), answer_voice(), pieces_ && converses_, registry_);
    charge_.set(kGleanerBytes);
  }
  answer_->begin_document();
  return &*answer_;
}

void CallLineage::end_response_document() {
  if (answer_) answer_->end_document();
}

void CallLineage::fill(lineage::Call& call) const {
  if (head_) call.head = &head_->carried;
  call.path = path_;
  if (form_) {
    call.body = &form_->gleaned();
  } else if (request_) {
    call.body = &request_->gleaned();
  }
}

const lineage::Joined& CallLineage::join(lineage::Call call, const Moment& now, Random& random) {
  fill(call);
  if (head_) {
    call.head_is_told = head_->is_told(now.mono, registry_.remembered());
    call.unheard_at = head_->unheard_at;
  }
  joined_ = registry_.join(call, now, random);
  if (head_) {
    head_->unheard_at = joined_->unheard_at;
    const bool tells = !joined_->execution && !joined_->asked_for;
    if (tells && !call.head_is_told) head_->told = now.mono;
  }
  return *joined_;
}

void CallLineage::drop_request() {
  request_.reset();
  form_.reset();
  own_request_.reset();
  charge_.set(0);
}

// Who is called a parent there is no span: what asked for this, or went before, is.
std::vector<lineage::SpanRef> CallLineage::find_within(lineage::Call call, const Moment& now,
                                                       Random& random) {
  lineage::Registry& traces = registry_.traces();
  const uint64_t trace = call.scope.id;
  if (trace == 0) return {};
  std::vector<lineage::SpanRef> found;
  if (said_ && request_ended_) {
    said_->add(trace);
    request_id_ = std::exchange(said_, {})->finish() | 1U;
    if (const auto before = traces.attempt_before(request_id_, now.mono)) found.push_back(*before);
  }
  if (!call.converses && traces.idle()) return found;
  join_traces(call, now, random);
  if (traced_.verdict != lineage::Joined::Verdict::kOne) return found;
  for (const lineage::SpanRef& link : traced_.links) {
    if (std::ranges::find(found, link.span_id, &lineage::SpanRef::span_id) == found.end()) {
      found.push_back(link);
    }
  }
  return found;
}

std::optional<lineage::SpanRef> CallLineage::find_asking(lineage::Call call, MonoTime now) const {
  if (!tells_) return std::nullopt;
  fill(call);
  return registry_.asked_by(call, now);
}

bool CallLineage::seeks_anywhere(MonoTime now) const {
  return !registry_.traces().idle() && !registry_.hears_unnamed(now);
}

std::optional<lineage::SpanRef> CallLineage::find_anywhere(lineage::Call call, const Moment& now,
                                                           Random& random) {
  join_traces(call, now, random);
  const bool found = traced_.verdict == lineage::Joined::Verdict::kOne && !traced_.links.empty();
  return found ? std::optional(traced_.links.front()) : std::nullopt;
}

void CallLineage::join_traces(lineage::Call& call, const Moment& now, Random& random) {
  fill(call);
  traced_ = registry_.traces().join(call, now, random);
  around_ = call.around;
}

void CallLineage::fail(const lineage::SpanRef& call, MonoTime now) {
  if (request_id_ != 0) registry_.traces().call_failed(request_id_, call, now);
}

void CallLineage::agent_left() {
  if (joined_) registry_.call_left(joined_->execution, joined_->step);
  if (traced_.execution) registry_.traces().call_left(traced_.execution, traced_.step);
}

void CallLineage::pass(MonoTime now) {
  if (joined_) return;
  joined_.emplace();
  if (!tells_) return;
  const Voice voice = request_voice();
  if (head_) registry_.publish({}, voice, 0, head_->carried, now);
  if (request_) registry_.publish({}, voice, 0, request_->take(), now);
  if (form_) registry_.publish({}, voice, 0, form_->gleaned(), now);
  form_.reset();
}

// An answer that begins before its call was placed waits.
void CallLineage::publish_answer(MonoTime now) {
  if (!joined_) {
    if (!of_nobody_ || silent_) return;
    pass(now);
  }
  if (answer_ && !(answer_->gleaned().values.empty() && answer_->gleaned().asked.empty())) {
    tell_answer(answer_->take(), now);
  }
  if (own_answer_) {
    const Gleaned gleaned = own_answer_->take_text();
    if (!gleaned.values.empty()) tell_answer(gleaned, now);
  }
}

void CallLineage::tell_answer(const Gleaned& gleaned, MonoTime now) {
  const Voice voice = answer_voice();
  if (tells_) registry_.publish(joined_->execution, voice, joined_->step, gleaned, now);
  if (around_) {
    registry_.traces().publish(traced_.execution, voice, traced_.step, gleaned, now, *around_);
  }
}

void CallLineage::silence() {
  own_request_.reset();
  own_answer_.reset();
  form_.reset();
  request_.reset();
  answer_.reset();
  said_.reset();
  silent_ = true;
  charge_.set(0);
}

void CallLineage::end(lineage::CallEnd how, MonoTime now, const lineage::TokenSum& tokens) {
  if (serves_) return registry_.close_given(joined_->execution, now);
  publish_answer(now);
  if (joined_) registry_.call_ended(joined_->execution, joined_->step, how, now, tokens);
  if (traced_.execution) {
    registry_.traces().call_ended(traced_.execution, traced_.step, how, now);
  }
}

}  // namespace sidespan::proxy
