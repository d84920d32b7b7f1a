#include "answer_reader.h"

#include <algorithm>
#include <array>

#include "sidespan/base/text.h"

namespace sidespan::proxy {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool begins_with(std::string_view type, std::string_view name) {
  return text::equal_ignoring_case(type.substr(0, name.size()), name);
}

bool says_nothing(std::string_view type) {
  constexpr std::array<std::string_view, 4> kKinds = {"image/", "audio/", "video/", "font/"};
  return std::ranges::any_of(kKinds,
                             [&](std::string_view kind) { return begins_with(type, kind); });
}

// In whatever character set.
bool is_text(std::string_view type) {
  constexpr std::array<std::string_view, 3> kOthers = {"application/xml", "application/xhtml+xml",
                                                       "application/yaml"};
  return begins_with(type, "text/") || std::ranges::any_of(kOthers, [&](std::string_view other) {
           return text::equal_ignoring_case(type, other);
         });
}

// The last character may go on in the next piece.
bool begins_as_text(std::string_view part) {
  constexpr size_t kLooksMax = 512;
  constexpr size_t kCutMax = 3;
  part = part.substr(0, kLooksMax);
  if (part.starts_with("%PDF-") || part.find('\0') != std::string_view::npos) return false;
  for (size_t cut = 0; cut <= std::min(kCutMax, part.size()); ++cut) {
    if (text::is_valid_utf8(part.substr(0, part.size() - cut))) return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<AnswerReader> AnswerReader::make(const http::Headers& headers,
                                                 semconv::DocumentWatcher& watcher,
                                                 const lineage::HashKey& key,
                                                 lineage::Overflow& overflow) {
  using semconv::BodyFraming;
  const std::string_view type = http::media_type(headers);
  const std::optional<BodyFraming> framing = semconv::framing_of(type);
  if (!framing && says_nothing(type)) return nullptr;
  const std::optional<http::Codings> codings =
      http::parse_codings(headers.find(http::FieldName::kContentEncoding).value_or(""));
  As as = As::kUnknown;
  if (framing) {
    as = *framing == BodyFraming::kJson ? As::kJson : As::kStream;
  } else if (is_text(type)) {
    as = As::kWords;
  }
  if (!codings) as = As::kPacked;
  std::unique_ptr<AnswerReader> made(
      new AnswerReader(as, codings.value_or(http::Codings{}), watcher, key, overflow));
  if (framing) watcher.begin_answer(as == As::kStream);
  if (as == As::kStream) made->read_documents(*framing);
  if (as == As::kJson) made->read_documents(BodyFraming::kTexts);
  return made;
}

AnswerReader::AnswerReader(As as, const http::Codings& codings, semconv::DocumentWatcher& watcher,
                           const lineage::HashKey& key, lineage::Overflow& overflow)
    : as_(as), watcher_(watcher), key_(key), overflow_(overflow) {
  if (codings.count > 0) inflater_.emplace(codings, http::InflateLimits{}, *this);
}

void AnswerReader::feed(std::string_view bytes) {
  if (as_ == As::kNothing) return inflater_.reset();
  inflater_ ? inflater_->feed(bytes) : on_plain(bytes);
}

// What is packed is plain here.
void AnswerReader::read_documents(semconv::BodyFraming framing) {
  documents_.emplace(framing, http::Codings{}, semconv::BodyLimits{}, *this);
}

void AnswerReader::on_plain(std::string_view part) {
  if (as_ == As::kUnknown || as_ == As::kWords) {
    // Blanks before it say nothing, in whatever pieces they come.
    part.remove_prefix(std::min(part.find_first_not_of(kBlanks), part.size()));
    if (part.empty()) return;
    judge(part);
  }
  if (documents_) documents_->feed(part);
  if (as_ == As::kJson && broke_) {
    documents_.reset();
    as_ = As::kText;
  }
  // Where in a stream it is that is no JSON nobody says, and what follows may belong to it.
  if (as_ == As::kText || broke_) read_text(part);
}

void AnswerReader::judge(std::string_view part) {
  if (as_ == As::kUnknown && !begins_as_text(part)) {
    as_ = As::kNothing;
  } else {
    as_ = part.front() == '{' || part.front() == '[' ? As::kJson : As::kText;
    if (as_ == As::kJson) read_documents(semconv::BodyFraming::kTexts);
  }
}

void AnswerReader::read_text(std::string_view part) {
  if (!text_) text_.emplace(key_, overflow_);
  text_->feed(part);
}

void AnswerReader::end_document(bool whole) {
  broke_ |= !whole;
  watcher_.end_response_document();
}

void AnswerReader::finish(bool whole) {
  if (documents_) documents_->finish(whole);
  if (text_) text_->finish();
}

bool AnswerReader::lost() const {
  if (as_ == As::kNothing) return false;
  return as_ == As::kPacked ||
         (inflater_ && inflater_->state() != http::Inflater::State::kReading) ||
         (documents_ && documents_->state() != semconv::BodyReader::State::kReading);
}

lineage::Gleaned AnswerReader::take_text() {
  return text_ ? text_->take() : lineage::Gleaned{};
}

}  // namespace sidespan::proxy
