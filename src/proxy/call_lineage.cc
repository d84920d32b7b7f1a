#include "call_lineage.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/lineage/session.h"

namespace sidespan::proxy {
namespace {

using lineage::Gleaned;
using lineage::Voice;

// A gleaner with what it is in the middle of; values count by themselves.
constexpr size_t kGleanerBytes = size_t{4} * 1024;

std::string_view media_type(const http::Headers& headers) {
  const std::string_view value = headers.find(http::FieldName::kContentType).value_or("");
  return text::trim(value.substr(0, value.find(';')));
}

bool is_form(std::string_view type) {
  return text::equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

// Pages and the like; JSON has readers of its own.
bool is_text(std::string_view type) {
  constexpr std::string_view kText = "text/";
  constexpr std::array<std::string_view, 3> kOthers = {"application/xml", "application/xhtml+xml",
                                                       "application/yaml"};
  return text::equal_ignoring_case(type.substr(0, kText.size()), kText) ||
         std::ranges::any_of(kOthers, [&](std::string_view other) {
           return text::equal_ignoring_case(type, other);
         });
}

size_t bytes_of(const Gleaned& gleaned) {
  return gleaned.values.capacity() * sizeof(lineage::Value) +
         gleaned.prefixes.capacity() * sizeof(lineage::Prefix) +
         gleaned.asked.capacity() * sizeof(lineage::Asked);
}

}  // namespace

struct CallLineage::Documents final : semconv::BodySink {
  Documents(semconv::DocumentWatcher& its_watcher, bool its_request)
      : watcher(its_watcher), request(its_request) {}
  json::Handler* begin_document(std::string_view) override {
    return request ? watcher.begin_request_document() : watcher.begin_response_document();
  }
  void end_document(bool) override {
    request ? watcher.end_request_document() : watcher.end_response_document();
  }

  semconv::DocumentWatcher& watcher;
  const bool request;
  std::unique_ptr<semconv::BodyReader> reader;
};

struct CallLineage::Texts final : http::PlainSink {
  Texts(const lineage::HashKey& key, lineage::Overflow& overflow, const http::Codings& codings)
      : gleaner(key, overflow) {
    if (codings.count > 0) inflater.emplace(codings, http::InflateLimits{}, *this);
  }
  void on_plain(std::string_view part) override { gleaner.feed(part); }
  bool is_reading() const {
    return !inflater || inflater->state() == http::Inflater::State::kReading;
  }
  void feed(std::string_view bytes) { inflater ? inflater->feed(bytes) : gleaner.feed(bytes); }

  lineage::TextGleaner gleaner;
  std::optional<http::Inflater> inflater;
};

CallLineage::CallLineage(lineage::Registry& registry, bool of_nobody)
    : registry_(registry), of_nobody_(of_nobody) {}

CallLineage::~CallLineage() = default;

void CallLineage::begin(const http::Head& request, const http::Url& url,
                        const semconv::Observer* observer) {
  observed_ = observer != nullptr && observer->reads_documents();
  converses_ = observer != nullptr && observer->is_conversation();
  // The address of a model is a constant of those who ask it.
  if (!converses_) {
    lineage::glean_url(registry_.key(), url.authority.host, url.path, request.asks("GET"), head_);
    lineage::add_words(registry_.key(), url.path.substr(0, url.path.find('?')), head_.path);
  }
  const bool has_body =
      request.body.kind != http::BodyLength::Kind::kNone &&
      !(request.body.kind == http::BodyLength::Kind::kKnown && request.body.bytes == 0);
  if (has_body) {
    read_request(request.headers);
  } else if (!converses_) {
    lineage::glean_asked(registry_.key(), url.path, head_);
  }
}

void CallLineage::read_request(const http::Headers& headers) {
  const std::string_view type = media_type(headers);
  if (semconv::framing_of(type)) {
    reads_request_ = true;
    if (observed_) return;
    own_request_ = std::make_unique<Documents>(*this, true);
    own_request_->reader = semconv::make_body_reader(headers, {}, *own_request_);
    reads_request_ = own_request_->reader != nullptr;
  } else if (is_form(type) && !headers.contains("content-encoding")) {
    form_ = std::make_unique<lineage::FormGleaner>(registry_.key(), registry_);
    reads_request_ = true;
  }
}

void CallLineage::serve(lineage::ExecutionRef execution, MonoTime now) {
  serves_ = true;
  joined_ = lineage::Joined{.execution = execution};
  registry_.publish(execution, Voice::kGiven, 0, head_, now);
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
  constexpr int kSwitchingProtocols = 101;
  if (!silent_ && !serves_ && !observed_ && head.status != kSwitchingProtocols)
    read_answer(head.headers);
}

void CallLineage::read_answer(const http::Headers& headers) {
  const std::string_view type = media_type(headers);
  const std::optional<semconv::BodyFraming> framing = semconv::framing_of(type);
  if (framing) {
    begin_answer(*framing != semconv::BodyFraming::kJson);
    own_answer_ = std::make_unique<Documents>(*this, false);
    own_answer_->reader = semconv::make_body_reader(headers, {}, *own_answer_);
  } else if (is_text(type)) {
    const std::optional<http::Codings> codings =
        http::parse_codings(headers.find("content-encoding").value_or(""));
    if (codings) texts_ = std::make_unique<Texts>(registry_.key(), registry_, *codings);
  }
}

void CallLineage::on_response_bytes(std::string_view bytes, MonoTime now) {
  if (texts_) texts_->feed(bytes);
  if (own_answer_ && own_answer_->reader) own_answer_->reader->feed(bytes);
  publish_answer(now);
  const bool documents_end = own_answer_ && own_answer_->reader &&
                             own_answer_->reader->state() != semconv::BodyReader::State::kReading;
  const bool texts_end = texts_ && !texts_->is_reading();
  if (!documents_end && !texts_end) return;
  // What is read no further may say what others are believed to be alone with.
  own_answer_.reset();
  texts_.reset();
  registry_.lose_sight(now);
}

void CallLineage::on_response_end(bool whole, MonoTime now) {
  if (own_answer_ && own_answer_->reader) own_answer_->reader->finish(whole);
  if (texts_) texts_->gleaner.finish();
  if (answer_) answer_->finish();
  publish_answer(now);
}

json::Handler* CallLineage::begin_request_document() {
  if (silent_) return nullptr;
  if (!request_) {
    request_ =
        std::make_unique<lineage::Gleaner>(registry_.key(), request_voice(), false, registry_);
    charge_.set(charge_.bytes() + kGleanerBytes);
  }
  request_->begin_document();
  return request_.get();
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
    answer_ = std::make_unique<lineage::Gleaner>(registry_.key(), answer_voice(),
                                                 pieces_ && converses_, registry_);
    charge_.set(kGleanerBytes);
  }
  answer_->begin_document();
  return answer_.get();
}

void CallLineage::end_response_document() {
  if (answer_) answer_->end_document();
}

const lineage::Joined& CallLineage::join(lineage::Call call, const Moment& now, Random& random) {
  call.head = &head_;
  if (form_) {
    call.body = &form_->gleaned();
  } else if (request_) {
    call.body = &request_->gleaned();
  }
  joined_ = registry_.join(call, now, random);
  request_.reset();
  form_.reset();
  own_request_.reset();
  charge_.set(0);
  return *joined_;
}

void CallLineage::pass(MonoTime now) {
  if (joined_) return;
  joined_.emplace();
  const Voice voice = request_voice();
  registry_.publish({}, voice, 0, head_, now);
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
  const Voice voice = answer_voice();
  if (answer_ && !(answer_->gleaned().values.empty() && answer_->gleaned().asked.empty())) {
    registry_.publish(joined_->execution, voice, joined_->step, answer_->take(), now);
  }
  if (texts_) {
    const Gleaned gleaned = texts_->gleaner.take();
    if (!gleaned.values.empty()) {
      registry_.publish(joined_->execution, voice, joined_->step, gleaned, now);
    }
  }
}

void CallLineage::silence() {
  own_request_.reset();
  own_answer_.reset();
  texts_.reset();
  form_.reset();
  request_.reset();
  answer_.reset();
  silent_ = true;
  charge_.set(0);
}

void CallLineage::end(lineage::CallEnd how, MonoTime now, const lineage::TokenSum& tokens) {
  if (serves_) return registry_.close_given(joined_->execution, now);
  publish_answer(now);
  if (joined_) registry_.call_ended(joined_->execution, how, now, tokens);
}

}  // namespace sidespan::proxy
