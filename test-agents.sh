#!/usr/bin/env bash
# Tests Bot4. Without arguments: everything that needs no Docker, after installing what the tests need.
#
#   ./test-agents.sh                                  formatting, lints, all tests, documentation
#   ./test-agents.sh --quick [--coordinator URL] [--state DIR]
#                                                     health and one call an agent, on a running fleet
#   ./test-agents.sh --benchmark [WHAT] [OPTION..]    measures against floors, and fails when a target
#                                                     is missed; see docs/BENCHMARKS.md. WHAT may be
#                                                     quant, which is compared with libraries for Python
#                                                     that are installed once, or accuracy, which writes
#                                                     docs/ACCURACY.md
#   ./test-agents.sh --chaos [--seeds N] [OPTION..]   loses answers, kills and freezes programs, and fails when an
#                                                     order is lost or doubled; writes docs/RELIABILITY.md (the full
#                                                     size, 50 seeds, takes about 20 minutes), or only a table
#                                                     with --only NAME
#   ./test-agents.sh --compose                        builds and drives the fleet in containers
#
# Ends with one plain line, "N passed, N failed", and non-zero when something failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

passed=0
failed=0

say() { printf '\n== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# check NAME COMMAND...: counts one test by the command's exit code
check() {
  local name=$1
  shift
  say "$name"
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$name" >&2
  fi
}

finish() {
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

# Installs Debian packages by name, when one of the programs they bring is missing.
need() {
  local packages=() root=()
  command -v redis-server >/dev/null || packages+=(redis-server)
  command -v redis-cli >/dev/null || packages+=(redis-tools)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
  command -v openssl >/dev/null || packages+=(openssl)
  command -v strace >/dev/null || packages+=(strace)
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  command -v cc >/dev/null || packages+=(gcc libc6-dev)
  ((${#packages[@]})) || return 0
  say "installing ${packages[*]}"
  command -v apt-get >/dev/null || die "install these yourself: ${packages[*]}"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo: install these yourself: ${packages[*]}"
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

# Runs all tests and adds what the runner counted.
run_tests() {
  say "tests"
  local log line
  log=$(mktemp)
  if command -v cargo-nextest >/dev/null; then
    cargo nextest run --workspace --locked --profile ci 2>&1 | tee "$log" || true
    line=$(grep -E '^ *Summary' "$log" | tail -1)
    [ -n "$line" ] || { failed=$((failed + 1)); return; }
    passed=$((passed + $(grep -oE '[0-9]+ passed' <<<"$line" | cut -d' ' -f1 || echo 0)))
    local bad
    for bad in failed 'timed out'; do
      failed=$((failed + $(grep -oE "[0-9]+ $bad" <<<"$line" | cut -d' ' -f1 | head -1 || true) + 0))
    done
  else
    cargo test --workspace --locked --lib --bins --tests 2>&1 | tee "$log" || true
    count_libtest "$log"
  fi
  say "examples in the documentation"
  cargo test --workspace --locked --doc 2>&1 | tee "$log" || true
  count_libtest "$log"
  rm -f "$log"
}

# Adds the closing lines of cargo's own runner; a build that failed counts as a failure.
count_libtest() {
  local totals
  totals=$(awk '/^test result:/ { p += $4; f += $6; n++ } END { print p + 0, f + 0, n + 0 }' "$1")
  set -- "$1" $totals
  passed=$((passed + $2))
  failed=$((failed + $3))
  if [ "$4" -eq 0 ] || grep -q '^error: could not compile' "$1"; then
    failed=$((failed + 1))
  fi
}

scripts_are_whole() {
  local script
  for script in deploy.sh test-agents.sh deploy/*.sh .ci/run; do
    [ ! -e "$script" ] || bash -n "$script" || return 1
  done
}

compose_is_whole() {
  local compose
  if command -v docker-compose >/dev/null; then compose=(docker-compose)
  elif docker compose version >/dev/null 2>&1; then compose=(docker compose)
  else
    printf 'no docker-compose here: its file is checked by the house rules only\n' >&2
    return 0
  fi
  "${compose[@]}" config -q
}

documentation() { RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps --quiet; }

all() {
  need
  # Those of other systems, too: the licences of all of them are looked at.
  check 'dependencies' cargo fetch --locked --quiet
  check 'formatting' cargo fmt --all --check
  check 'scripts' scripts_are_whole
  check 'compose file' compose_is_whole
  check 'lints' cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
  check 'programs' cargo build --workspace --locked --quiet
  run_tests
  check 'documentation' documentation
  finish
}

# The newest `bot4` that was built.
bot4() {
  local found
  found=$(ls -t "${CARGO_TARGET_DIR:-target}"/{release,debug}/bot4 2>/dev/null | head -1 || true)
  if [ -n "$found" ]; then printf '%s' "$found"; else command -v bot4 || die 'bot4 is not built'; fi
}

quick() {
  local bot4 where=("$@")
  bot4=$(bot4)
  check 'the coordinator answers' "$bot4" status "${where[@]}"
  check 'riskquant answers' "$bot4" call "${where[@]}" riskquant calculate_kelly \
    --win_probability 0.55 --win_return 0.04 --loss_return -0.02
  check 'exchangespec answers' "$bot4" call "${where[@]}" exchangespec get_exchange_status \
    --exchange paper
  finish
}

# Finds the Python with the libraries that quant is compared with, or installs it, outside of the tree.
peers() {
  local wanted=crates/bench/peers/requirements.txt home=${XDG_CACHE_HOME:-$HOME/.cache}/bot4/peers
  python=$home/bin/python
  # The list is copied there last: an installation that was cut off is begun again.
  ! cmp -s "$wanted" "$home/requirements.txt" || return 0
  say "installing what quant is compared with into $home (once, about 1.4 GB)"
  rm -rf "$home"
  mkdir -p "$(dirname "$home")"
  python3 -m venv "$home" && "$home/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" ||
    die "the libraries that quant is compared with could not be installed: is there a network?"
  cp "$wanted" "$home/requirements.txt"
}

# Runs the campaigns of faults; a page about one of them alone would be no page about all.
chaos() {
  local seeds=(--seeds 50) page=(--write docs/RELIABILITY.md) option
  for option in "$@"; do
    case $option in
      --seeds | --seeds=*) seeds=() ;;
      --only | --only=* | --write | --write=*) page=() ;;
    esac
  done
  # The agent that is killed stands beside the program that kills it.
  cargo build --locked --quiet -p chaos
  exec cargo run --locked --quiet -p chaos -- "${seeds[@]}" "${page[@]}" "$@"
}

main() {
  case ${1:-} in
    '') all ;;
    --quick) shift; quick "$@" ;;
    --benchmark)
      shift
      need
      local what=all
      case ${1:-} in [a-z]*) what=$1; shift ;; esac
      case $what in
        all | mcp | process | quant)
          # The programs that are measured stand beside the one that measures.
          cargo build --release --locked --quiet -p bench -p cli -p coordinator -p riskquant
          ;;
      esac
      local python
      case $what in
        quant) peers; set -- --check --python "$python" "$@" ;;
        accuracy) peers; set -- --python "$python" --write docs/ACCURACY.md "$@" ;;
        *) set -- --check "$@" ;;
      esac
      exec cargo run --release --locked --quiet -p bench -- "$what" "$@"
      ;;
    --chaos) shift; need; chaos "$@" ;;
    --compose) shift; exec bash deploy/test-compose.sh "$@" ;;
    -h | --help) sed -n '2,18p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' ;;
    *) die "unknown option $1; see --help" ;;
  esac
}

main "$@"
