#include "h1_parser.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "head_rules.h"
#include "shown.h"
#include "sidespan/base/text.h"
#include "start_lines.h"

namespace sidespan::http {
namespace {

// Whether a terminated string is that text, which has no NUL.
bool is_text(const char* string, std::string_view text) {
  return std::strncmp(string, text.data(), text.size()) == 0 && string[text.size()] == '\0';
}

}  // namespace

const llhttp_settings_t& H1Parser::settings() {
  static constexpr llhttp_settings_t kSettings = [] {
    llhttp_settings_t s{};
    // A section is read in one piece, so that each text comes in one.
    s.on_url = s.on_status = [](llhttp_t* p, const char* at, size_t n) {
      self(p).second_.see_start({at, n});
      return 0;
    };
    s.on_header_field = [](llhttp_t* p, const char* at, size_t n) {
      self(p).second_.see_name({at, n});
      return 0;
    };
    s.on_header_value = [](llhttp_t* p, const char* at, size_t n) {
      self(p).second_.see_value({at, n});
      return 0;
    };
    s.on_headers_complete = [](llhttp_t* p) { return self(p).on_headers_complete(); };
    s.on_chunk_header = [](llhttp_t* p) {
      self(p).last_chunk_ = p->content_length == 0;
      return 0;
    };
    s.on_body = [](llhttp_t* p, const char* at, size_t n) {
      self(p).content_bytes_ += n;
      self(p).sink_.on_body({at, n});
      return 0;
    };
    s.on_message_complete = [](llhttp_t* p) {
      self(p).message_ended_ = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return s;
  }();
  return kSettings;
}

H1Parser::H1Parser(Kind kind, Side side, const CodecLimits& limits, MessageSink& sink)
    : guard_(kind == Kind::kRequest ? HeadGuard::Section::kRequest : HeadGuard::Section::kResponse,
             side, limits, head_.headers),
      chunks_(side),
      limits_(limits),
      sink_(sink),
      kind_(kind),
      side_(side) {
  llhttp_init(&parser_, kind == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  parser_.data = this;
}

[[gnu::always_inline]] inline size_t H1Parser::run(std::string_view bytes) {
  const llhttp_errno_t code = llhttp_execute(&parser_, bytes.data(), bytes.size());
  if (code == HPE_OK) return bytes.size();
  if (code != HPE_PAUSED) [[unlikely]]
    refuse(code);
  return static_cast<size_t>(llhttp_get_error_pos(&parser_) - bytes.data());
}

size_t H1Parser::feed(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && phase_ != Phase::kComplete && !failed()) {
    const std::string_view rest(bytes.data() + used, bytes.size() - used);
    const bool section = phase_ == Phase::kHead || phase_ == Phase::kTrailers;
    used += section                    ? feed_section(rest)
            : phase_ == Phase::kChunks ? feed_chunks(rest)
                                       : feed_body(rest);
  }
  return used;
}

// The guard reads a head or a trailer section as it comes, llhttp all of it at its end.
size_t H1Parser::feed_section(std::string_view bytes) {
  const Guarded guarded = guard_.feed(bytes);
  if (guarded.faulty) {
    error_ = guard_.error();
    return 0;
  }
  fields_->append_block(std::string_view(bytes.data(), guarded.used));
  if (!guarded.complete) return guarded.used;
  if (phase_ == Phase::kHead) name_start();
  if (guard_.in_pieces()) fields_->classify();
  const bool same = is_read_the_same();
  if (has_foreign_method()) refuse(HPE_INVALID_METHOD);
  fail_unless(same);
  if (failed()) return 0;
  phase_ == Phase::kHead ? finish_head() : finish_trailers();
  return guarded.used;
}

bool H1Parser::is_read_the_same() {
  const std::string_view block = fields_->block();
  const auto start = [this](std::string_view line) { return read_start(line); };
  const auto read = [this](std::string_view piece) { return run(piece) == piece.size(); };
  const auto pass = [this](size_t lines) { return second_.pass(lines); };
  second_.begin(*fields_, kind_ == Kind::kRequest ? head_.target() : head_.reason());
  const bool read_all =
      phase_ == Phase::kHead ? show_head(block, fields_->table(), start, read, pass) : read(block);
  return read_all && second_.holds();
}

bool H1Parser::read_start(std::string_view line) {
  constinit thread_local StartLines requests;
  constinit thread_local StartLines answers;
  StartLines& known = kind_ == Kind::kRequest ? requests : answers;
  if (const StartLines::Reading* reading = known.find(line, parser_)) {
    reading->resume(parser_);
    const Range text = reading->text();
    second_.see_start({line.data() + text.begin, text.size});
    return true;
  }
  if (run(line) != line.size()) return false;
  const auto& start = guard_.start_line();
  if (second_.holds_so_far())
    known.keep(line, kind_ == Kind::kRequest ? start.target : start.reason, parser_);
  return true;
}

size_t H1Parser::feed_body(std::string_view bytes) {
  if (!until_close_) {
    bytes = bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(bytes.size(), body_left_)));
    body_left_ -= bytes.size();
    if (body_left_ == 0) phase_ = Phase::kComplete;
  }
  sink_.on_body(bytes);
  return bytes.size();
}

size_t H1Parser::feed_chunks(std::string_view bytes) {
  const Guarded guarded = chunks_.feed(bytes);
  const size_t parsed = run(bytes.substr(0, guarded.used));
  if (failed()) return 0;
  if (guarded.faulty) {
    error_ = chunks_.error();
    return 0;
  }
  fail_unless(parsed == guarded.used && last_chunk_ == guarded.complete &&
              content_bytes_ == chunks_.content_bytes());
  if (guarded.complete) {
    guard_ = HeadGuard(HeadGuard::Section::kTrailers, side_, limits_, trailers_);
    fields_ = &trailers_;
    phase_ = Phase::kTrailers;
  }
  return guarded.used;
}

void H1Parser::refuse(llhttp_errno_t code) {
  error_ = error_of(code);
}

void H1Parser::fail_for_two_readings() {
  if (failed()) return;
  error_ = Error{Code::kMalformed, side_, false, "the message can be read in more than one way"};
}

Result<void> H1Parser::eof(InputEnd how) {
  if (phase_ == Phase::kBody && how == InputEnd::kClean && until_close_) phase_ = Phase::kComplete;
  if (phase_ == Phase::kComplete) return {};
  return fail(Code::kTruncated, side_,
              "the " + std::string(name_of(side_)) + " closed the connection within a message");
}

void H1Parser::name_start() {
  const StartLine& start = guard_.start_line();
  head_.minor_version = start.minor_version;
  head_.status = start.status;
  if (kind_ == Kind::kRequest) {
    head_.name_request(start.method, start.target);
  } else {
    head_.name_reason(start.reason);
  }
}

int H1Parser::on_headers_complete() {
  const bool request = kind_ == Kind::kRequest;
  const bool same =
      parser_.http_major == 1 && parser_.http_minor == head_.minor_version &&
      (request ? is_text(llhttp_method_name(static_cast<llhttp_method_t>(parser_.method)),
                         head_.method())
               : parser_.status_code == head_.status);
  second_.see(same);
  // RFC 9110 section 7.8: HTTP/1.0 knows no Upgrade.
  head_.upgrade =
      request && (head_.asks("CONNECT") ||
                  (head_.minor_version > 0 && head_.headers.contains(FieldName::kUpgrade) &&
                   head_.headers.lists(FieldName::kConnection, "upgrade")));
  // Until an answer says otherwise a request is an ordinary one, with the body its fields say.
  parser_.upgrade = 0;
  return bodyless() ? 1 : 0;
}

// llhttp knows two methods of other protocols and those of RTSP, some versions take them in HTTP/1.
bool H1Parser::has_foreign_method() const {
  const uint8_t method = parser_.method;
  return kind_ == Kind::kRequest && (method == HTTP_PRI || method == HTTP_SOURCE ||
                                     (method >= HTTP_DESCRIBE && method <= HTTP_FLUSH));
}

bool H1Parser::bodyless() const {
  const int status = head_.status;
  switch (kind_) {
    case Kind::kRequest:
      return head_.asks("CONNECT");
    case Kind::kAnswerToHead:
      return true;
    case Kind::kAnswerToConnect:
      if (status / 100 == 2) return true;
      [[fallthrough]];
    case Kind::kAnswer:
      return status < 200 || status == 204 || status == 304;
  }
  return false;
}

void H1Parser::finish_head() {
  Result<BodyLength> body = kind_ == Kind::kRequest ? judge_request(head_) : judge_answer(head_);
  if (!body) {
    error_ = std::move(body).error();
    return;
  }
  head_.body = bodyless() ? BodyLength::none() : *body;
  const bool empty = !head_.body.may_have_bytes();
  const bool chunked = !empty && head_.headers.contains(FieldName::kTransferEncoding);
  fail_unless(empty == message_ended_ && (empty || agrees_on_body(chunked)));
  if (failed()) return;
  phase_ = empty ? Phase::kComplete : chunked ? Phase::kChunks : Phase::kBody;
  body_left_ = head_.body.bytes;
  until_close_ = !chunked && head_.body.kind == BodyLength::Kind::kUnknown;
  sink_.on_head(std::move(head_));
}

bool H1Parser::agrees_on_body(bool chunked) const {
  if (chunked != ((parser_.flags & F_CHUNKED) != 0)) return false;
  if (chunked) return true;
  if (head_.body.kind == BodyLength::Kind::kUnknown) return llhttp_message_needs_eof(&parser_) == 1;
  return (parser_.flags & F_CONTENT_LENGTH) != 0 && parser_.content_length == head_.body.bytes;
}

void H1Parser::finish_trailers() {
  fail_unless(message_ended_);
  if (!failed()) error_ = judge_trailers(trailers_, side_);
  if (failed()) return;
  phase_ = Phase::kComplete;
  if (!trailers_.empty()) sink_.on_trailers(std::move(trailers_));
}

Error H1Parser::error_of(llhttp_errno_t code) const {
  // The guard has seen "HTTP/1.", so only the method can be the wrong constant for it.
  const bool request = kind_ == Kind::kRequest;
  const bool constant = code == HPE_INVALID_METHOD || code == HPE_INVALID_CONSTANT;
  if (has_foreign_method() || (request && constant)) {
    return {Code::kUnsupported, side_, false, "the request method is not one this proxy knows"};
  }
  std::string what = "the ";
  what += request ? "request" : "answer";
  what += " is not well-formed HTTP/1";
  const char* reason = llhttp_get_error_reason(&parser_);
  if (reason != nullptr && *reason != '\0') what.append(": ").append(reason);
  return {Code::kMalformed, side_, false, std::move(what)};
}

}  // namespace sidespan::http
