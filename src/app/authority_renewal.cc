#include "app/authority_renewal.h"

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
  if (!signing_ || signing_->not_after() - now >= kAuthorityOverlap) return Renewal::kNothing;
  Result<OpenAuthority> opened = open_authority(settings_, own_, now);
  if (!opened) return std::unexpected(opened.error());
  Renewal done = Renewal::kNothing;
  if (opened->certificates_pem != exported_) {
    const Result<std::string> directory = trust_directory(settings_, own_);
    if (!directory) return std::unexpected(directory.error());
    const Result<void> exported = export_trust(opened->certificates_pem, *directory);
    if (!exported) return std::unexpected(exported.error());
    exported_ = std::move(opened->certificates_pem);
    done = Renewal::kExported;
  }
  // Another process may have rotated it before its time: agents that run do not know that one yet.
  const bool due = signing_->not_after() - now < kLastLeaves;
  if (!due || opened->current->fingerprint() == signing_->fingerprint()) return done;
  signing_->succeed(*opened->current);
  return Renewal::kSwitched;
}

}  // namespace sidespan::app
