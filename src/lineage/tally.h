// What one call carried, counted for each execution that had to do with it. Made for one call; used
// by the judge.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lineage/execution_table.h"
#include "lineage/pending_calls.h"
#include "lineage/value_table.h"
#include "sidespan/lineage/registry.h"

namespace sidespan::lineage {

class Tally {
 public:
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
    uint32_t prefix = 0;  // length of the conversation that this goes on from
    // The conversation began so, and went on with a model's words that are not its model's.
    bool answered_otherwise = false;
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

  Tally(const HashKey& key, ValueTable& values, PendingCalls& pending, ExecutionTable& executions,
        const Call& call, MonoTime now, bool all_scopes);

  // Each once, in this order, as far as it is wanted.
  void count_prefixes();  // of the conversation
  void count_ids();
  void find_waiting();  // for just this call
  void count_texts();

  // Pointers to them stay.
  const std::vector<Candidate>& candidates() const { return candidates_; }
  bool more_candidates() const { return unnamed_; }  // than are kept
  bool others_wait() const { return others_wait_; }  // for just this call, and are gone otherwise
  uint32_t unheard() const { return unheard_; }      // weight of texts that nobody has carried yet
  // At least half of the texts there that are not everybody's.
  bool is_own(const Candidate& candidate, Region region) const {
    return 2 * candidate.known[region] >= told_[region];
  }
  // Of the message that is new.
  Region news() const { return history_end_ > 0 ? kNews : kHistory; }
  bool is_told_to_others(const Candidate& candidate) const;
  bool is_asked_unasked() const;
  bool claim(const Candidate& candidate);

 private:
  static constexpr size_t kCandidatesMax = 16;
  static constexpr size_t kLightMax = 64;

  Candidate* candidate(ExecutionRef execution);
  bool may_have_said(const Candidate& candidate, size_t first, size_t end) const;
  bool may_have_answered(const Candidate& candidate, size_t prefix) const;
  void find_history();
  void count_all(const Gleaned* gleaned, bool ids);
  void count(const Value& value, bool is_new);
  void share_out(const Value& value, bool is_new, const Held* held);
  void end_text();
  bool in_scope(const Standing& standing) const {
    return all_scopes_ || standing.scope == call_.scope.id;
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
  std::span<const Asked> asked() const;
  ToolName path_words() const;
  bool fetches(const ToolName& tool) const;

  const HashKey& key_;
  ValueTable& values_;
  PendingCalls& pending_;
  ExecutionTable& executions_;
  const Call& call_;
  const MonoTime now_;
  const bool all_scopes_;
  std::vector<Candidate> candidates_;
  bool unnamed_ = false;
  bool others_wait_ = false;
  // By a tool, of texts that are heavy; a light one is a part of what was passed on, if that is
  // here.
  bool told_to_unnamed_ = false;
  bool light_told_to_unnamed_ = false;
  uint32_t passed_on_ = 0;  // by whomever
  uint32_t unheard_ = 0;
  size_t history_end_ = 0;  // of the body's values: behind the model's latest words
  std::array<uint32_t, kRegions> told_ = {};  // bytes of texts that are not everybody's
  Region region_ = kHistory;                  // of the text that is being counted
  uint32_t text_bytes_ = 0;                   // of that; zero: it is not
};

}  // namespace sidespan::lineage
