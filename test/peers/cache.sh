# Where the real peers live between runs, and how one is made once. Sourced by the scripts beside it.
#
# A peer is a directory of the cache named by what it was made from, so a changed pin is a new directory and an old
# one never has to be trusted. It appears by a rename when it is complete: a run that is interrupted leaves nothing
# that looks finished. What a build says goes to a log that is shown only when the build fails.

set -euo pipefail

peer_cache=${SIDESPAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sidespan-test}

# fingerprint FILE...: twelve digits that change with the files' content.
fingerprint() { cat -- "$@" | sha256sum | cut -c1-12; }

# need PROGRAM HINT: exit 3 says "this machine cannot make the peer", which the tests take as a missing peer.
need() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "test/peers: needs $1 ($2)" >&2
  exit 3
}

# need_go: a Go that can fetch the toolchain a module asks for.
need_go() {
  need go "golang 1.21 or newer"
  local minor
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 21 ] && return
  echo "test/peers: needs Go 1.21 or newer, this is $(go env GOVERSION)" >&2
  exit 3
}

# make_peer NAME FUNCTION: sets peer_dir to the peer's directory; when it is not there yet, calls FUNCTION in a
# fresh directory whose final path is peer_dir. Two callers at once make it once.
make_peer() {
  peer_dir=$peer_cache/$1
  [ -e "$peer_dir/.complete" ] && return
  mkdir -p "$peer_cache"
  exec 9>"$peer_cache/$1.lock"
  flock 9
  if [ ! -e "$peer_dir/.complete" ]; then
    echo "test/peers: making $1 (once)" >&2
    # An unfinished directory of an earlier run would be in the way; only the lock's holder may say it is unfinished.
    rm -rf -- "$peer_dir"
    mkdir -p "$peer_dir"
    # Not `( … ) || failed=$?`: inside a tested subshell bash ignores `set -e`, and a failed step would pass unseen.
    set +e
    ( set -e; cd "$peer_dir"; "$2" ) >"$peer_cache/$1.log" 2>&1 9>&-
    local failed=$?
    set -e
    if [ "$failed" != 0 ]; then
      tail -n 40 -- "$peer_cache/$1.log" >&2
      rm -rf -- "$peer_dir"
      echo "test/peers: could not make $1, see $peer_cache/$1.log" >&2
      exit 1
    fi
    touch "$peer_dir/.complete"
    rm -f -- "$peer_cache/$1.log"
  fi
  exec 9>&-
}
