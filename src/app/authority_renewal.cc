#include "app/authority_renewal.h"

#include <optional>
#include <utility>

#include "app/trust_files.h"

namespace sidespan::app {

AuthorityRenewal::AuthorityRenewal(const Settings& settings, const Environment& own,
                                   const TlsSetup& tls)
    : settings_(settings),
      own_(own),
      signing_(settings.tls.authority_certificate.empty() ? tls.authority : nullptr),
      exported_(tls.certificates_pem) {}

Result<Renewal> AuthorityRenewal::look(WallTime now) {
  if (!signing_) return Renewal::kNothing;
  Result<OpenAuthority> opened = open_authority(settings_, own_, now);
  if (!opened) return std::unexpected(opened.error());
  std::string trusted = std::move(opened->certificates_pem);
  const std::optional<WallTime> until = opened->trusted_until(*signing_);
  // Its files are gone, and another was made: agents know this one.
  if (!until) trusted += signing_->certificate_pem();
  const bool known = exported_.find(opened->current->certificate_pem()) != std::string::npos;
  Renewal done = Renewal::kNothing;
  if (trusted != exported_) {
    const Result<std::string> directory = trust_directory(settings_, own_);
    if (!directory) return std::unexpected(directory.error());
    const Result<void> exported = export_trust(trusted, *directory);
    if (!exported) return std::unexpected(exported.error());
    exported_ = std::move(trusted);
    done = Renewal::kExported;
  }
  // Another process may have rotated it before its time: agents that run do not know that one yet.
  const bool due =
      now < signing_->not_before() || until.value_or(signing_->not_after()) - now < kLastLeaves;
  if (!due || opened->current->fingerprint() == signing_->fingerprint()) return done;
  signing_->succeed(*opened->current);
  return known ? Renewal::kSwitched : Renewal::kReplaced;
}

}  // namespace sidespan::app
