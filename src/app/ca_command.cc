#include "app/ca_command.h"

#include <string>

#include "app/authority_files.h"
#include "app/authority_scope.h"
#include "app/timestamp.h"
#include "app/trust_files.h"

namespace sidespan::app {
namespace {

Outcome failed(const Error& error) {
  return {kExitFailed, "", "sidespan: " + error.what + "\n"};
}

std::string shown(const Settings& settings, const OpenAuthority& authority) {
  const tls::Authority& current = *authority.current;
  return "subject      " + current.subject() + "\nfingerprint  SHA-256 " + current.fingerprint() +
         "\nvalid        from " + timestamp(current.not_before(), 0) + "\n             until " +
         timestamp(current.not_after(), 0) + "\nsigns for    " +
         text_of(authority_scope(settings.tls)) + "\n";
}

}  // namespace

Outcome ca_command(const Settings& settings, const Environment& own, CaAction action,
                   WallTime now) {
  const bool rotate = action == CaAction::kRotate;
  const Result<OpenAuthority> authority =
      rotate ? rotate_authority(settings, own, now) : open_authority(settings, own, now);
  if (!authority) return failed(authority.error());
  if (action == CaAction::kExport) return {kExitFine, authority->certificates_pem, ""};
  if (action == CaAction::kShow) return {kExitFine, shown(settings, *authority), ""};
  // Agents are to trust it before anybody signs with it.
  const Result<std::string> directory = trust_directory(settings, own);
  if (!directory) return failed(directory.error());
  const Result<void> exported = export_trust(authority->certificates_pem, *directory);
  if (!exported) return failed(exported.error());
  return {
      kExitFine, shown(settings, *authority),
      "exported to " + *directory +
          "; running sidecars sign with it from their next start, or in three weeks, and agents "
          "are told to trust the old one, too, for a month\n"};
}

}  // namespace sidespan::app
