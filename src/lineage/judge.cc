#include "lineage/judge.h"

#include <algorithm>

#include "lineage/tally.h"

namespace sidespan::lineage {
namespace {

using Candidate = Tally::Candidate;

class Judge {
 public:
  Judge(Tally& tally, const ExecutionTable& executions, const Call& call, const Admitted& admitted)
      : tally_(tally), executions_(executions), call_(call), admitted_(admitted) {}

  Judgement weigh();

 private:
  template <class Score>
  bool decide(Source source, Judgement& out, Score score);
  void decide_by_waiting(Judgement& out);
  bool goes_on_from_the_past() const;
  void name_before(Judgement& out) const;
  void find_given_before(Judgement& out) const;
  bool is_asked_for(const Judgement& judgement) const;
  bool judge_texts(Judgement& out);
  bool judge_model_texts(Judgement& out);
  void doubt_what_another_brought(Judgement& out);
  bool may_explain_model_call(const Candidate& one) const;
  bool explains_model_call(const Candidate& one) const;
  bool is_own_conversation(const Candidate& one) const;
  bool brought(const Candidate& one) const;
  static void doubt(Judgement& out);

  Tally& tally_;
  const ExecutionTable& executions_;
  const Call& call_;
  const Admitted admitted_;
};

// What was said by several, or tells little: by elimination, where one alone waits for it, and
// nobody is known who asks for the same by himself.
void Judge::decide_by_waiting(Judgement& out) {
  std::vector<const Candidate*> waiting;
  bool resembles = false;
  for (const Candidate& one : tally_.candidates()) {
    if (!one.waits) continue;
    waiting.push_back(&one);
    resembles |= one.resembles;
  }
  if (waiting.empty()) return;
  const Candidate& first = *waiting.front();
  const bool named = std::ranges::find(out.candidates, first.execution) != out.candidates.end();
  if (named || (out.candidates.empty() && first.resembles)) {
    const bool others_may = std::ranges::any_of(
        tally_.candidates(), [&](const Candidate& one) { return one.may_wait && &one != &first; });
    const bool only = waiting.size() == 1 && first.untaken && !tally_.more_candidates() &&
                      !tally_.others_wait() && !others_may && !tally_.is_told_to_others(first) &&
                      !tally_.is_asked_unasked();
    if (only && tally_.claim(first)) {
      out.verdict = Joined::Verdict::kOne;
      out.source = Source::kEcho;
      out.execution = first.execution;
      out.asked_by = first.waits_since;
      out.candidates.clear();
      return;
    }
  }
  if (!out.candidates.empty() || !resembles) return;
  out.verdict = Joined::Verdict::kSeveral;
  for (const Candidate* one : waiting) out.candidates.push_back(one->execution);
}

// True: by this kind of evidence it is decided.
template <class Score>
bool Judge::decide(Source source, Judgement& out, Score score) {
  std::vector<const Candidate*> found;
  for (const Candidate& one : tally_.candidates()) {
    if (one.standing && one.standing->open && score(one)) found.push_back(&one);
  }
  if (found.empty()) return false;
  if (found.size() == 1 && !tally_.more_candidates()) {
    out.verdict = Joined::Verdict::kOne;
    out.source = source;
    out.execution = found.front()->execution;
    out.asked_by = found.front()->asked_by;
    out.attempt = found.front()->attempt;
    return true;
  }
  out.verdict = Joined::Verdict::kSeveral;
  for (const Candidate* one : found) out.candidates.push_back(one->execution);
  return true;
}

void Judge::name_before(Judgement& out) const {
  const Candidate* best = nullptr;
  for (const Candidate& one : tally_.candidates()) {
    const bool over = one.standing && one.standing->turn && !one.standing->open;
    const bool said = one.said + one.resent > 0 && tally_.is_own(one, Tally::kHistory);
    if (!over || (one.ids == 0 && one.prefix == 0 && !said)) continue;
    // The latest: what was resent of those before is in it as well, but by another's answer.
    if (best == nullptr || one.prefix > best->prefix) best = &one;
  }
  if (best != nullptr) out.before = best->execution;
}

// The latest call of this conversation was in a turn that is over. One that is still open, since
// its end was not seen, may have said what stands further up; that is past, too.
bool Judge::goes_on_from_the_past() const {
  const auto longest = std::ranges::max_element(tally_.candidates(), {}, &Candidate::prefix);
  return longest != tally_.candidates().end() && longest->prefix > 0 && longest->standing &&
         longest->standing->turn && !longest->standing->open;
}

Judgement Judge::weigh() {
  Judgement out;
  if (call_.to_model && call_.body != nullptr && admitted_.prefixes) tally_.count_prefixes();
  if (admitted_.ids) tally_.count_ids();
  if (goes_on_from_the_past()) {
    name_before(out);
    return out;
  }
  const auto ids = [](const Candidate& one) { return one.ids > 0; };
  const auto by_prefix = [](const Candidate& one) { return one.prefix > 0; };
  out.goes_on = call_.to_model;
  if (!call_.to_model && admitted_.texts) tally_.find_waiting();
  if (decide(Source::kId, out, ids)) {
    out.asked_for = is_asked_for(out);
    return out;
  }
  if (call_.to_model && decide(Source::kEcho, out, by_prefix)) {
    if (admitted_.texts) doubt_what_another_brought(out);
    return out;
  }
  out.goes_on = false;
  if (!admitted_.texts) {
    if (call_.to_model) name_before(out);
    return out;
  }
  tally_.count_texts();
  const bool decided = judge_texts(out);
  if (call_.to_model) {
    if (!decided) name_before(out);
    find_given_before(out);
    return out;
  }
  if (out.verdict != Joined::Verdict::kOne) decide_by_waiting(out);
  find_given_before(out);
  out.asked_for = is_asked_for(out);
  return out;
}

// By the model of who makes this call, or of one of those who may.
bool Judge::is_asked_for(const Judgement& judgement) const {
  return std::ranges::any_of(tally_.candidates(), [&](const Candidate& one) {
    return one.waits &&
           (judgement.verdict != Joined::Verdict::kOne || judgement.execution == one.execution);
  });
}

// Where nobody is found: what a request alone had given the agent is done for it behind its answer,
// and not for another that is in flight now. As conversations go, it may be said once more for that
// one, if that brought nothing to be known by: then only what nobody said as long as the earlier
// one was in flight is done for that.
void Judge::find_given_before(Judgement& out) const {
  const bool own = std::ranges::any_of(tally_.candidates(), [](const Candidate& one) {
    return one.standing && !one.standing->turn && one.standing->open && one.given > 0;
  });
  if (out.verdict == Joined::Verdict::kOne || own) return;
  const bool may_be_said_again = executions_.telling() == 0;
  for (const Candidate& one : tally_.candidates()) {
    const bool over = one.standing && !one.standing->turn && !one.standing->open;
    const uint8_t weight = may_be_said_again ? one.unused : one.given_sentence;
    if (!over || weight < kHeavyWeight) continue;
    const bool named = std::ranges::find(out.candidates, one.execution) != out.candidates.end();
    if (!named) out.candidates.push_back(one.execution);
    out.elsewhere = out.outlives = true;
  }
}

// What a conversation has from a model proves little by itself: models say the same to many. It is
// the candidate's with what its user said before it, and unless more of it is somebody else's or
// nobody's here, as where a conversation comes from a database. What a model hands on, and waits
// for, stands in whatever words of a sub-agent's; so does what a request brought.
bool Judge::explains_model_call(const Candidate& one) const {
  return one.handed_on || brought(one) || is_own_conversation(one);
}

// It may be the candidate's, so that another's evidence decides nothing, nor does it by itself.
bool Judge::may_explain_model_call(const Candidate& one) const {
  return one.given_now >= kEvidenceWeight || one.given_lines >= kEvidenceWeight / 2 ||
         one.said_line || is_own_conversation(one);
}

bool Judge::is_own_conversation(const Candidate& one) const {
  if (one.said_in_set >= kEvidenceWeight && tally_.is_own(one, Tally::kSet)) return true;
  if (one.answered_otherwise || !tally_.is_own(one, Tally::kHistory)) return false;
  const bool asked = one.words >= kEvidenceWeight;
  return one.given >= kEvidenceWeight || one.said >= kEvidenceWeight ||
         (asked && (one.told >= kEvidenceWeight || one.resent >= kEvidenceWeight));
}

// In the message that is new. What others may say, too, has to be most of it; and so has all where
// a request is in flight that would not be known by anything, but may read what another one says.
bool Judge::brought(const Candidate& one) const {
  if (one.given_line >= kHeavyWeight && executions_.mute() == 0) return true;
  return one.given_lines >= kEvidenceWeight && tally_.is_own(one, tally_.news());
}

// Two may have begun alike, and what is said now another request in flight has brought.
void Judge::doubt_what_another_brought(Judgement& out) {
  if (out.verdict != Joined::Verdict::kOne || executions_.telling() == 0) return;
  tally_.count_texts();
  for (const Candidate& one : tally_.candidates()) {
    const bool other_request =
        one.execution != out.execution && one.standing && !one.standing->turn && one.standing->open;
    if (!other_request || !brought(one)) continue;
    doubt(out);
    out.candidates.push_back(one.execution);
    return;
  }
}

// As judge_texts(). A turn alone that may explain it is linked, and makes a request that is in
// flight no evidence; a request alone is as good as none.
bool Judge::judge_model_texts(Judgement& out) {
  const auto may = [&](const Candidate& one) { return may_explain_model_call(one); };
  if (!decide(Source::kEcho, out, may)) return false;
  if (out.verdict != Joined::Verdict::kOne) return true;
  const Candidate& only =
      *std::ranges::find(tally_.candidates(), out.execution, &Candidate::execution);
  if (explains_model_call(only)) return true;
  out.elsewhere = only.standing->turn;
  doubt(out);
  if (out.elsewhere) return true;
  out.verdict = Joined::Verdict::kNone;
  out.candidates.clear();
  return false;
}

// False: nobody is known, or several share what this carries and nothing else is known of them.
bool Judge::judge_texts(Judgement& out) {
  // Among much that nobody has heard yet, a text that somebody knows is that by chance: a new
  // question about what another is about.
  const auto to_tool = [&](const Candidate& one) {
    const uint32_t known = std::max(one.given, one.said + one.copied + one.told + one.words);
    if (2 * known < tally_.unheard()) return false;
    return one.said + one.copied + one.told >= kEvidenceWeight ||
           one.words + one.copied >= kEvidenceWeight || one.given >= kEvidenceWeight;
  };
  if (call_.to_model ? judge_model_texts(out) : decide(Source::kEcho, out, to_tool)) {
    // What somebody's model asked for long ago may be done now, though nobody knows what he said.
    if (tally_.others_wait()) doubt(out);
    return true;
  }
  const auto shared = [](const Candidate& one) { return one.shared >= kEvidenceWeight; };
  if (!decide(Source::kEcho, out, shared)) return false;
  // What several hold is no evidence for the one of them that is still open.
  doubt(out);
  return false;
}

void Judge::doubt(Judgement& out) {
  if (out.verdict == Joined::Verdict::kOne) out.candidates = {out.execution};
  out.verdict = Joined::Verdict::kSeveral;
  out.source = Source::kRoot;
  out.execution = {};
  out.asked_by.reset();
  out.attempt.reset();
}
}  // namespace

Judgement judge(const HashKey& key, ValueTable& values, PendingCalls& pending,
                ExecutionTable& executions, const Call& call, MonoTime now,
                const Admitted& admitted) {
  Tally tally(key, values, pending, executions, call, now, admitted.all_scopes);
  Judgement out = Judge(tally, executions, call, admitted).weigh();
  out.unheard = tally.candidates().empty() && !tally.more_candidates() && admitted.texts;
  return out;
}

}  // namespace sidespan::lineage
