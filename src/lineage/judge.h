// Whose a call is, by what it carried and what each execution did: registry.h's rule.
#pragma once

#include <cstdint>
#include <optional>
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

// What counts as evidence.
struct Admitted {
  bool ids = true;
  bool prefixes = true;  // of conversations
  bool texts = true;
  bool all_scopes = false;  // whoever it is, of whatever scope
};

// One of several equal calls that a model waits for is taken.
Judgement judge(const HashKey& key, ValueTable& values, PendingCalls& pending,
                ExecutionTable& executions, const Call& call, MonoTime now,
                const Admitted& admitted);

}  // namespace sidespan::lineage
