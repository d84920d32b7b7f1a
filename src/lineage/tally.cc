#include "lineage/tally.h"

#include <algorithm>
#include <span>
#include <utility>

namespace sidespan::lineage {
namespace {

// Shorter texts are told everywhere, as names of tools are that stand in a body.
constexpr uint8_t kToldInHeadWeightMin = 6;
constexpr uint8_t kToldInBodyWeightMin = kEvidenceWeight;
// What a tool told, and no user before.
constexpr uint8_t kToldMarks = kSaidByTool | kSaidByUser | kGivenAtBegin;

}  // namespace

Tally::Tally(const HashKey& key, ValueTable& values, PendingCalls& pending,
             ExecutionTable& executions, const Call& call, MonoTime now, bool all_scopes)
    : key_(key),
      values_(values),
      pending_(pending),
      executions_(executions),
      call_(call),
      now_(now),
      all_scopes_(all_scopes) {
  if (call_.to_model && call_.body != nullptr) find_history();
}

// Pointers into candidates_ are used: it never grows beyond what it has room for at once.
Tally::Candidate* Tally::candidate(ExecutionRef execution) {
  const auto found = std::ranges::find(candidates_, execution, &Candidate::execution);
  if (found != candidates_.end()) return &*found;
  if (candidates_.size() == kCandidatesMax) {
    unnamed_ = true;
    return nullptr;
  }
  if (candidates_.empty()) candidates_.reserve(kCandidatesMax);
  Candidate made;
  made.execution = execution;
  made.standing = executions_.standing(execution, now_);
  if (made.standing && made.standing->parted) std::swap(made.standing, made.parted);
  candidates_.push_back(std::move(made));
  return &candidates_.back();
}

bool Tally::holders_of(const Held& held, std::vector<std::pair<Candidate*, Holder>>& out) {
  out.clear();
  bool narrowed = false;
  for (const Holder& holder : held.holders) {
    if (!holder.execution) break;
    Candidate* const who = candidate(holder.execution);
    if (who != nullptr && who->standing) {
      const Standing& standing = *who->standing;
      if (!in_scope(standing)) continue;
      if (standing.late && held.holders[1].execution) continue;
      const bool other_session = in_other_session(standing);
      narrowed |= other_session;
      if (other_session) continue;
    }
    out.emplace_back(who, holder);
  }
  // A turn that another one of these went on from is over, and what it said is that one's now.
  std::erase_if(out, [&](const auto& one) {
    if (one.first == nullptr || !one.first->standing || one.first->standing->open) return false;
    return std::ranges::any_of(out, [&](const auto& other) {
      return other.first != nullptr && other.first->standing &&
             other.first->standing->before == one.second.execution;
    });
  });
  return narrowed;
}

bool Tally::alone(const Held& held, const std::vector<std::pair<Candidate*, Holder>>& holders) {
  if (held.more || held.forgotten) return false;
  size_t count = 0;
  for (const auto& [who, holder] : holders) {
    const bool gone = who != nullptr && !who->standing;
    if (!gone || held.fresh) ++count;
  }
  return count == 1;
}

// In a message to a model a word alone may be anybody's: a page, a product.
void Tally::add_said(Candidate& candidate, const Holder& holder, const Value& value, bool is_new,
                     bool told_before) {
  const bool line = value.extent != Extent::kWord && value.extent != Extent::kWhole;
  if (told_before) {
    candidate.copied += value.weight;
  } else if (!call_.to_model) {
    candidate.said += value.weight;
  } else if (value.place == Place::kResent) {
    candidate.resent += value.weight;
  } else if (line || value.id) {
    (value.place == Place::kFixed ? candidate.said_in_set : candidate.said) += value.weight;
    if (!is_new || value.weight < kHeavyWeight) return;
    candidate.said_line = true;
    const bool asked =
        value.place == Place::kWords && is_sentence(value) && (holder.marks & kAskedOfTool) != 0;
    candidate.handed_on |=
        asked && executions_.waits(holder.execution, holder.step, now_) != Waiting::kNo;
  }
}

void Tally::support(Candidate& candidate, const Holder& holder, const Value& value, bool is_new) {
  if (value.weight < kEvidenceWeight) {
    if (candidate.light.size() == kLightMax) return;
    if (std::ranges::find(candidate.light, value.hash) != candidate.light.end()) return;
    candidate.light.push_back(value.hash);
  }
  const auto has = [&](uint8_t mark) { return (holder.marks & mark) != 0; };
  const bool told_before = has(kSaidByUser) || has(kSentFixed) || has(kGivenAtBegin);
  if (has(kGivenAtBegin)) {
    candidate.given += value.weight;
    if (is_new) candidate.given_now += value.weight;
    if (is_new && is_sentence(value)) {
      candidate.given_sentence = std::max(candidate.given_sentence, value.weight);
      if (value.place == Place::kWords) {
        candidate.given_lines += value.weight;
        candidate.given_line = std::max(candidate.given_line, value.weight);
      }
    }
  }
  if (has(kSentFixed)) return;  // a constant of the agent's, whoever says it again
  if (has(kSaidByUser)) candidate.words += value.weight;
  if (has(kSaidByModel)) {
    add_said(candidate, holder, value, is_new, told_before);
    if (value.weight > candidate.best) {
      candidate.best = value.weight;
      candidate.asked_by = holder.step;
    }
    if (value.id && has(kAsId) && !told_before) {
      ++candidate.ids;
      candidate.asked_by = holder.step;
      candidate.best = 255;
    }
  }
  if (has(kSaidByTool) && !told_before) {
    candidate.told += value.weight;
    if (value.id && has(kAsId)) ++candidate.ids;
  }
}

// How much of a conversation is whose, so that one's is told from that of another who was told the
// same once: the rest of it nobody here has carried, or somebody else. What many have is nobody's.
void Tally::share_out(const Value& value, bool is_new, const Held* held) {
  if (value.id || value.extent == Extent::kWhole) return;
  if (value.extent != Extent::kPart && value.extent != Extent::kWord) {
    end_text();
    const bool said = value.place == Place::kWords || value.place == Place::kResent;
    const bool many = held != nullptr && (held->common || held->more || held->holders[2].execution);
    region_ = !said ? kSet : is_new && history_end_ > 0 ? kNews : kHistory;
    text_bytes_ = many ? 0 : value.size;
    told_[region_] += text_bytes_;
  }
  if (held == nullptr || text_bytes_ == 0) return;
  for (const Holder& holder : held->holders) {
    if (!holder.execution) break;
    Candidate* const who = candidate(holder.execution);
    if (who == nullptr) continue;
    (value.extent == Extent::kWord ? who->known_words : who->known_parts) += value.size;
  }
}

void Tally::end_text() {
  for (Candidate& one : candidates_) {
    // Sentences have their words among them.
    const uint32_t known =
        std::max(std::exchange(one.known_parts, 0), std::exchange(one.known_words, 0));
    one.known[region_] += std::min(known, text_bytes_);
  }
  text_bytes_ = 0;
}

void Tally::count(const Value& value, bool is_new) {
  const std::optional<Held> held = values_.find(value.hash, now_);
  if (call_.to_model) share_out(value, is_new, held ? &*held : nullptr);
  if (!held) {
    if (value.weight >= kHeavyWeight) unheard_ += value.weight;
    return;
  }
  const bool in_body = call_.body != nullptr && !call_.body->asked.empty();
  const bool tells = value.weight >= (in_body ? kToldInBodyWeightMin : kToldInHeadWeightMin);
  const bool heavy = value.weight >= kHeavyWeight || value.id;
  const bool passed_on = held->strays == Strays::kPassedOn;
  if (passed_on) ++passed_on_;
  const bool part = !heavy && held->strays == Strays::kOne;
  if (tells && part) light_told_to_unnamed_ = true;
  if (tells && !part && !passed_on) told_to_unnamed_ |= held->strays != Strays::kNone;
  if (!held->holders[0].execution) return;  // they belong to nobody
  std::vector<std::pair<Candidate*, Holder>> holders;
  const bool narrowed = holders_of(*held, holders);
  const bool in_flight = std::ranges::any_of(holders, [](const auto& one) {
    const Candidate* const who = one.first;
    return who != nullptr && who->standing && !who->standing->turn && who->standing->open;
  });
  for (const auto& [who, holder] : holders) {
    const bool unused = is_new && !in_flight && (holder.marks & ~kAsId) == kGivenAtBegin;
    if (unused && who != nullptr) who->unused = std::max(who->unused, value.weight);
    const bool told = (holder.marks & kToldMarks) == kSaidByTool;
    if (tells && who != nullptr) who->told_alone |= told;
    if (passed_on && who != nullptr) who->passed_on += (holder.marks & kPassedOn) != 0 ? 1U : 0U;
  }
  if (alone(*held, holders)) {
    const bool constant = held->common && value.weight < kHeavyWeight && !narrowed;
    for (const auto& [who, holder] : holders) {
      if (who != nullptr && who->standing && !constant) support(*who, holder, value, is_new);
    }
    return;
  }
  for (const auto& [who, holder] : holders) {
    const uint8_t wanted = call_.to_model ? kSaidByModel : kSaidByModel | kSaidByTool | kSaidByUser;
    const bool sent = (holder.marks & kSentFixed) != 0;
    if (who != nullptr && (holder.marks & wanted) != 0 && !sent) who->shared += value.weight;
  }
}

void Tally::count_all(const Gleaned* gleaned, bool ids) {
  if (gleaned == nullptr) return;
  for (size_t i = 0; i < gleaned->values.size(); ++i) {
    const Value& value = gleaned->values[i];
    if (value.id == ids) count(value, gleaned != call_.body || i >= history_end_);
  }
}

void Tally::count_ids() {
  count_all(call_.head, true);
  count_all(call_.body, true);
}

void Tally::count_texts() {
  count_all(call_.head, false);
  count_all(call_.body, false);
  end_text();
}

// What this call may be asking for.
std::span<const Asked> Tally::asked() const {
  if (call_.body != nullptr && !call_.body->asked.empty()) return call_.body->asked;
  return call_.head != nullptr ? std::span<const Asked>(call_.head->asked)
                               : std::span<const Asked>();
}

ToolName Tally::path_words() const {
  ToolName words = {};
  add_words(key_, call_.path.substr(0, call_.path.find('?')), words);
  return words;
}

// A tool that is asked for nothing but a URL may as well keep it, or make it shorter. By its name
// nobody knows.
bool Tally::fetches(const ToolName& tool) const {
  for (const std::string_view words :
       {"fetch get read open browse visit", "download scrape crawl load view retrieve"}) {
    ToolName name = {};
    add_words(key_, words, name);
    if (resemble(name, tool)) return true;
  }
  return false;
}

// Who waits for just that.
void Tally::find_waiting() {
  for (const Asked& asked : asked()) {
    const PendingCalls::Found found = pending_.find(asked.arguments);
    if (found.count == 0) continue;
    const ToolName name = asked.name != ToolName{} ? asked.name : path_words();
    for (const PendingCall& one : std::span(found.calls).first(found.count)) {
      const Waiting waiting = executions_.waits(one.execution, one.step, now_);
      if (waiting == Waiting::kNo) continue;
      Candidate* const who = candidate(one.execution);
      if (who == nullptr) continue;
      const bool parted = who->parted && in_scope(*who->parted) && !in_other_session(*who->parted);
      others_wait_ |= parted && !one.taken;
      if (!who->standing || !in_scope(*who->standing)) continue;
      if (asked.url && !fetches(one.name)) {
        who->may_wait = true;
        continue;
      }
      who->waits = true;
      who->untaken |= waiting == Waiting::kYes && !one.taken;
      who->waits_since = one.step;
      who->resembles |= resemble(name, one.name);
    }
  }
}

// The same, by somebody whose model did not ask for it.
bool Tally::is_asked_unasked() const {
  return std::ranges::any_of(
      asked(), [&](const Asked& one) { return values_.may_hold(one.arguments, now_); });
}

// A program may go on with what a tool told it, before its model asks for that.
bool Tally::is_told_to_others(const Candidate& candidate) const {
  const bool to_unnamed = told_to_unnamed_ || candidate.passed_on != passed_on_ ||
                          (light_told_to_unnamed_ && passed_on_ == 0);
  return to_unnamed || std::ranges::any_of(candidates_, [&](const Candidate& other) {
           return &other != &candidate && other.told_alone && other.standing &&
                  other.standing->open;
         });
}

// Another worker may have found the same at the same time: one of two equal requests is this
// execution's, and nobody knows which.
bool Tally::claim(const Candidate& candidate) {
  bool first = false;
  for (const Asked& asked : asked()) first |= pending_.take(asked.arguments, candidate.execution);
  return first;
}

void Tally::find_history() {
  const std::vector<Prefix>& prefixes = call_.body->prefixes;
  for (size_t i = prefixes.size(); i-- > 1;) {
    if (!prefixes[i - 1].answer_follows) continue;
    history_end_ = prefixes[i].values_end;
    return;
  }
}

// What stands as a model's words from `first` to before `end`: the candidate's said all ids that
// are in it, and of the rest anything; or nothing is told of it, or so many did that nobody knows.
bool Tally::may_have_said(const Candidate& candidate, size_t first, size_t end) const {
  const std::span<const Value> values(call_.body->values);
  bool tells = false;
  bool said_any = false;
  for (const Value& value : values.subspan(first, end - first)) {
    if (value.weight < kEvidenceWeight) continue;
    tells = true;
    const std::optional<Held> held = values_.find(value.hash, now_);
    const auto said_by_it = [&](const Holder& holder) {
      return holder.execution == candidate.execution && (holder.marks & kSaidByModel) != 0;
    };
    const bool said = held && (held->more || std::ranges::any_of(held->holders, said_by_it));
    if (value.id && !said) return false;
    said_any |= said;
  }
  return said_any || !tells;
}

// All that stands as a model's behind that beginning: somebody else may have begun so, too, and
// gone on differently.
bool Tally::may_have_answered(const Candidate& candidate, size_t prefix) const {
  const std::vector<Prefix>& prefixes = call_.body->prefixes;
  for (size_t i = prefix; i < prefixes.size(); ++i) {
    if (!prefixes[i].answer_follows) continue;
    const size_t first = prefixes[i].values_end;
    while (prefixes[i].answer_follows) ++i;
    if (!may_have_said(candidate, first, prefixes[i].values_end)) return false;
  }
  return true;
}

// The conversation of an earlier call, with its model's answer behind it, is that call's own; one
// that is equal to the last message is the same question, of whomever, unless that one failed and
// this is sent again.
void Tally::count_prefixes() {
  const std::vector<Prefix>& prefixes = call_.body->prefixes;
  for (size_t i = prefixes.size(); i-- > 0;) {
    const bool whole = i + 1 == prefixes.size();
    if (!whole && !prefixes[i].answer_follows) continue;
    const std::optional<Held> held = values_.find(prefixes[i].digest, now_);
    if (!held) continue;
    std::vector<std::pair<Candidate*, Holder>> holders;
    holders_of(*held, holders);
    const bool is_alone = alone(*held, holders);
    for (const auto& [who, holder] : holders) {
      if (who == nullptr || !who->standing || (holder.marks & kAllMessages) == 0) continue;
      if (whole) who->attempt = holder.step;
      if (!is_alone || who->prefix != 0 || who->answered_otherwise) continue;
      if (!whole && !may_have_answered(*who, i)) {
        who->answered_otherwise = true;
      } else if (!whole ||
                 (call_.retries && executions_.has_failed(holder.execution, holder.step))) {
        who->prefix = static_cast<uint32_t>(i + 1);
        who->asked_by = holder.step;
      }
    }
  }
}

}  // namespace sidespan::lineage
