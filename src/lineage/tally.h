// Weighs what one call carried against what each execution did: the judge of registry.h's rule.
// Made for one call; used by the registry.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lineage/execution_table.h"
#include "lineage/pending_calls.h"
#include "lineage/value_table.h"
#include "sidespan/lineage/registry.h"

namespace sidespan::lineage {

struct Judgement {
  Joined::Verdict verdict = Joined::Verdict::kNone;
  Source source = Source::kRoot;
  ExecutionRef execution = {};                // kOne
  bool goes_on = false;                       // from an answer that asked for tools
  std::vector<ExecutionRef> candidates = {};  // kSeveral
  ExecutionRef before = {};                   // a turn that is over and that this one goes on from
  std::optional<uint8_t> asked_by = {};  // the step of the model's call that said what this carries
  std::optional<uint8_t> attempt = {};   // the step of the same request before
  bool asked_for = false;                // by a model, perhaps by one of several
  bool unheard = false;                  // no execution has to do with what it carries
  // Not kOne: a request that is over alone had given it to the agent, or another turn's model alone
  // had said it.
  bool elsewhere = false;
  bool outlives = false;  // the former
};

class Tally {
 public:
  // What counts as evidence.
  struct Admitted {
    bool ids = true;
    bool prefixes = true;  // of conversations
    bool texts = true;
    bool all_scopes = false;  // whoever it is, of whatever scope
  };

  Tally(const HashKey& key, ValueTable& values, PendingCalls& pending, ExecutionTable& executions,
        const Call& call, MonoTime now, const Admitted& admitted)
      : key_(key),
        values_(values),
        pending_(pending),
        executions_(executions),
        call_(call),
        now_(now),
        admitted_(admitted) {}

  Judgement judge();

 private:
  static constexpr size_t kCandidatesMax = 16;
  static constexpr size_t kLightMax = 64;

  // Where a text stands in a call to a model.
  enum Region : uint8_t {
    kHistory,  // what was said, up to the model's latest words; all, where it has not said any
    kNews,     // what was said since
    kSet,      // instructions, definitions, fields
    kRegions,
  };

  struct Candidate {
    ExecutionRef execution;
    std::optional<Standing> standing;     // nothing: it is gone
    std::optional<Standing> parted = {};  // it is gone but for what it waits for
    uint32_t ids = 0;
    uint32_t prefix = 0;       // length of the conversation that this goes on from
    uint32_t said = 0;         // by the model, and by nobody before
    uint32_t said_in_set = 0;  // the same, among instructions
    uint32_t resent = 0;       // the same, as a model's words in a conversation
    bool said_line = false;    // of that something by itself, which may be told on
    bool handed_on = false;    // it asked a tool with that, and waits for it
    uint32_t told = 0;         // by tools
    uint32_t words = 0;        // of its user
    uint32_t copied = 0;       // of these what the model said again
    uint32_t given = 0;
    uint32_t given_now = 0;      // of that what no answer of a model followed yet
    uint32_t given_lines = 0;    // of that sentences in messages
    uint8_t given_line = 0;      // the heaviest of these
    uint8_t given_sentence = 0;  // the heaviest, wherever
    uint8_t unused = 0;          // the heaviest that no call said while it was in flight
    uint32_t shared = 0;         // what others hold, too
    std::array<uint32_t, kRegions> known = {};  // bytes that it has to do with
    uint32_t known_parts = 0;                   // of the text that is being counted
    uint32_t known_words = 0;                   // of that
    bool waits = false;                         // for just this call
    bool may_wait = false;    // or asks a tool for its URL that may do anything with it
    bool untaken = false;     // which has not come yet
    uint8_t waits_since = 0;  // the step of the model's call
    bool resembles = false;   // what it waits for has a name like this call's
    bool told_alone = false;  // by a tool, and not by its user, so that its program may use it
    uint32_t passed_on = 0;   // texts, to its model, that one alone was told: kPassedOn
    uint8_t best = 0;  // weight of the heaviest that the model said, and the call that it was in
    std::optional<uint8_t> asked_by;
    std::optional<uint8_t> attempt;
    std::vector<uint64_t> light;  // that are counted
  };

  Judgement weigh();
  Candidate* candidate(ExecutionRef execution);
  void count_prefixes();
  bool may_have_answered(const Candidate& candidate, size_t prefix);
  void find_history();
  void count_all(const Gleaned* gleaned, bool ids);
  void count(const Value& value, bool is_new);
  void share_out(const Value& value, bool is_new, const Held* held);
  void end_text();
  bool in_scope(const Standing& standing) const {
    return admitted_.all_scopes || standing.scope == call_.scope.id;
  }
  bool in_other_session(const Standing& standing) const {
    return standing.session != 0 && call_.session != 0 && standing.session != call_.session;
  }
  // Who may be meant by a value: of the holders those that the call's scope and session allow.
  // True: by the session some were left out.
  bool holders_of(const Held& held, std::vector<std::pair<Candidate*, Holder>>& out);
  bool alone(const Held& held, const std::vector<std::pair<Candidate*, Holder>>& holders);
  void support(Candidate& candidate, const Holder& holder, const Value& value, bool is_new);
  void add_said(Candidate& candidate, const Holder& holder, const Value& value, bool is_new,
                bool told_before);
  bool is_own(const Candidate& candidate, Region region) const {
    return 2 * candidate.known[region] >= told_[region];
  }
  bool may_explain_model_call(const Candidate& candidate) const;
  bool explains_model_call(const Candidate& candidate) const;
  bool is_own_conversation(const Candidate& candidate) const;
  bool brought(const Candidate& candidate) const;
  bool judge_model_texts(Judgement& out);
  template <class Score>
  bool decide(Source source, Judgement& out, Score score);
  bool judge_texts(Judgement& out);
  static void doubt(Judgement& out);
  bool is_asked_for(const Judgement& judgement) const;
  bool goes_on_from_the_past() const;
  void find_given_before(Judgement& out) const;
  std::span<const Asked> asked() const;
  ToolName path_words() const;
  bool fetches(const ToolName& tool) const;
  void find_waiting();
  bool is_asked_unasked();
  bool claim(const Candidate& candidate);
  void decide_by_waiting(Judgement& out);
  bool is_told_to_others(const Candidate& candidate) const;
  void name_before(Judgement& out);

  const HashKey& key_;
  ValueTable& values_;
  PendingCalls& pending_;
  ExecutionTable& executions_;
  const Call& call_;
  const MonoTime now_;
  const Admitted admitted_;
  std::vector<Candidate> candidates_;
  bool unnamed_ = false;      // there are more than are kept
  bool others_wait_ = false;  // for just this call, and are gone otherwise
  // By a tool, of texts that are heavy; a light one is a part of what was passed on, if that is
  // here.
  bool told_to_unnamed_ = false;
  bool light_told_to_unnamed_ = false;
  uint32_t passed_on_ = 0;  // by whomever
  uint32_t unheard_ = 0;    // weight of texts that nobody has carried yet
  size_t history_end_ = 0;  // of the body's values: behind the model's latest words
  std::array<uint32_t, kRegions> told_ = {};  // bytes of texts that are not everybody's
  Region region_ = kHistory;                  // of the text that is being counted
  uint32_t text_bytes_ = 0;                   // of that; zero: it is not
};

}  // namespace sidespan::lineage
