#!/usr/bin/env bash
# Runs the fleet: in containers, or with --local as processes of this machine with a Redis of their own.
#
#   ./deploy.sh up [--build]                start, wait until everything is ready (the first time: builds)
#   ./deploy.sh down                        stop; orders, passwords and token stay
#   ./deploy.sh status                      what runs and whether it is ready; non-zero when something is not
#   ./deploy.sh logs [SERVICE]              the last 100 lines of each service
#   ./deploy.sh scale riskquant-agent=3     more or fewer of an agent that only computes
#   ./deploy.sh restart [SERVICE]           stop and start again, one or all
#   ./deploy.sh clean                       down, then DELETE orders, passwords, token and logs
#   ./deploy.sh test                        ./test-agents.sh --quick against the running fleet
#
# Services: coordinator, riskquant-agent, exchangespec-agent, redis (and postgres in containers).
# Options, with any command:
#   --local                   processes instead of containers; state in .bot4/
#   --build                   build anew first
# Only with --local:
#   --dir DIR                 state elsewhere than in .bot4/
#   --listen ADDRESS:PORT     where the coordinator listens [127.0.0.1:3000]
#   --redis-port PORT         where the fleet's Redis listens [a free port]
#   --database-url-file FILE  the journal in PostgreSQL, by a file that holds its address
#                             [SQLite in the state folder]
#   --bin-dir DIR             programs that were built elsewhere
# In containers BOT4_PORT is the coordinator's port on this machine's loopback [3000].
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly home
cd "$home"

# What depends on nothing starts first and stops last.
readonly agents=(riskquant-agent exchangespec-agent)
readonly packages=(-p cli -p coordinator -p riskquant -p exchangespec -p paper-venue)
readonly ready_seconds=60
readonly stop_seconds=10

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,25p' "$home/deploy.sh" | sed 's/^# \{0,1\}//'; }

# need PROGRAM HOW-TO-GET-IT
need() { command -v "$1" >/dev/null || die "$1 is not installed: $2"; }

is_service() {
  local service
  for service in redis paper-venue coordinator "${agents[@]}" "${@:2}"; do
    [ "$1" != "$service" ] || return 0
  done
  die "there is no service $1: coordinator, ${agents[*]}, paper-venue, redis"
}

# Sets `service` and `count` from SERVICE=N.
read_scale() {
  service=${1%%=*}
  count=${1#*=}
  [[ $1 == *=* && $count =~ ^[1-9][0-9]?$ ]] || die "scale wants SERVICE=N with N from 1 to 99, not $1"
  # A second owner of the account stands by and is never ready.
  [ "$service" = riskquant-agent ] || die "$service runs once; riskquant-agent can be scaled"
}

# === in containers ===

compose() { "${compose[@]}" "$@"; }

compose_open() {
  if command -v docker-compose >/dev/null; then compose=(docker-compose)
  elif docker compose version >/dev/null 2>&1; then compose=(docker compose)
  else die "neither docker-compose nor docker compose is installed: install one, or use --local"
  fi
  docker info >/dev/null 2>&1 || die "docker does not answer: start it, or use --local"
}

# One line a container: service, state, health, exit code.
compose_states() {
  local ids
  ids=$(compose ps -q -a)
  [ -n "$ids" ] || return 0
  # shellcheck disable=SC2086 # one id a word
  docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}}' $ids
}

# Succeeds when every service is healthy; says in `waits_for` what is not, and fails for good when
# that cannot change any more.
compose_is_healthy() {
  local states service state health code seen=' '
  states=$(compose_states) || return 1
  waits_for=
  while read -r service state health code; do
    [ -n "$service" ] || continue
    seen+="$service "
    if [ "$service" = secrets ]; then
      [ "$state" != exited ] || [ "$code" = 0 ] || broken=$service
      [ "$state" = exited ] || waits_for+=" secrets"
    else
      [ "$state" = running ] && [ "$health" = healthy ] || waits_for+=" $service"
    fi
  done <<<"$states"
  for service in redis postgres paper-venue coordinator "${agents[@]}"; do
    [[ $seen == *" $service "* ]] || waits_for+=" $service"
  done
  [ -z "$waits_for" ]
}

compose_wait() {
  local tries broken='' waits_for=''
  for ((tries = 0; tries < ready_seconds * 2; tries++)); do
    if compose_is_healthy; then return 0; fi
    [ -z "$broken" ] || break
    sleep 0.5
  done
  # shellcheck disable=SC2086 # one service a word
  compose logs --tail=20 ${broken:-$waits_for} >&2 || true
  die "not healthy after $ready_seconds s:${broken:- }${waits_for}"
}

compose_main() {
  local command=$1 service count waits_for
  shift
  compose_open
  case $command in
    up)
      if [ "$build" = yes ]; then compose build || die 'the images cannot be built'; fi
      compose up -d || die 'the containers do not start'
      compose_wait
      say 'up; connect Claude by the line of: docker-compose exec coordinator bot4 connect'
      ;;
    down) compose down || die 'the containers do not stop' ;;
    status)
      compose ps
      compose exec -T coordinator bot4 status || die 'the coordinator does not answer'
      compose_is_healthy || die "not healthy:$waits_for"
      ;;
    logs) compose logs --tail=100 "$@" ;;
    scale)
      read_scale "${1:-}"
      compose up -d --no-recreate --scale "$service=$count" || die "$service cannot be scaled"
      compose_wait
      ;;
    restart)
      compose restart "$@" || die 'the containers do not restart'
      compose_wait
      ;;
    clean) compose down --volumes --remove-orphans || die 'the containers and volumes stay' ;;
    test) compose_test ;;
  esac
}

# The token leaves its volume for as long as the test takes, in a file of our own.
compose_test() {
  local file
  file=$(mktemp)
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$file'" EXIT
  compose exec -T coordinator cat /secrets/token >"$file" || die 'the coordinator does not run'
  BOT4_HTTP_TOKEN_FILE=$file ./test-agents.sh --quick --coordinator \
    "http://127.0.0.1:${BOT4_PORT:-3000}"
}

# === as processes ===

# What this run started, to be stopped when the rest does not start.
started=()

local_open() {
  need setsid 'it comes with util-linux'
  (umask 077 && mkdir -p "$dir/run" "$dir/logs" "$dir/data" "$dir/redis")
  dir=$(cd "$dir" && pwd)
  exec 9>"$dir/lock"
  if command -v flock >/dev/null; then
    flock -n 9 || die "another deploy.sh works on $dir"
  fi
}

# setting NAME [DEFAULT]: what an earlier run kept, or a default.
setting() {
  if [ -s "$dir/run/$1.setting" ]; then cat "$dir/run/$1.setting"; else printf '%s' "${2:-}"; fi
}

keep() { printf '%s' "$2" >"$dir/run/$1.setting"; }

# When a process started, in ticks since boot: with it a process number is not mistaken for another.
start_time() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  # shellcheck disable=SC2086 # fields are words
  set -- ${stat##*) }
  # One that ended and was not waited for yet still has its number.
  [ "$1" != Z ] || return 1
  printf '%s' "${20}"
}

# Sets `pid` when the process runs.
is_alive() {
  local since now
  read -r pid since 2>/dev/null <"$dir/run/$1.pid" || return 1
  now=$(start_time "$pid") || return 1
  [ "$now" = "$since" ]
}

# launch NAME COMMAND...: starts a process that outlives this script.
launch() {
  local name=$1 log=$dir/logs/$1.log since
  shift
  [ ! -e "$log" ] || mv -f "$log" "$log.1"
  setsid "$@" </dev/null >"$log" 2>&1 9>&- &
  since=$(start_time $!) || since=gone
  printf '%s %s\n' "$!" "$since" >"$dir/run/$name.pid"
  started+=("$name")
}

stop() {
  local name=$1 pid tries
  if is_alive "$name"; then
    kill -TERM "$pid" 2>/dev/null || true
    for ((tries = 0; tries < stop_seconds * 10; tries++)); do
      is_alive "$name" || break
      sleep 0.1
    done
    if is_alive "$name"; then
      say "$name did not stop within $stop_seconds s and is killed"
      kill -KILL "$pid" 2>/dev/null || true
      sleep 0.2
    fi
    say "$name stopped"
  fi
  rm -f "$dir/run/$name.pid"
}

# The log ends with the reason for which a process ended.
tell_end_of() {
  printf '%s: the end of %s:\n' "$1" "$dir/logs/$1.log" >&2
  tail -n 5 "$dir/logs/$1.log" >&2 2>/dev/null || true
}

undo() {
  local i
  trap - EXIT
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do stop "${started[i]}"; done
  printf 'error: what this run had started is stopped again\n' >&2
}

program() { printf '%s/%s' "$bin_dir" "$1"; }

local_build() {
  local missing=no name
  for name in bot4 coordinator paper-venue "${agents[@]}"; do
    [ -x "$(program "$name")" ] || missing=yes
  done
  if [ "$build" = yes ] || [ $missing = yes ]; then
    [ "$bin_dir_given" = no ] || die "$bin_dir has not all of bot4, coordinator, paper-venue, ${agents[*]}"
    need cargo 'see https://rustup.rs'
    say 'building'
    cargo build --release --locked --bins "${packages[@]}" || die 'the programs cannot be built'
  fi
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Whether the Redis on a port is this fleet's: it knows the password of the health check.
is_our_redis() {
  local line password
  password=$(cat "$dir/secrets/redis/health") || return 1
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'AUTH health %s\r\nPING\r\n' "$password" >&3
    read -r -t 2 line <&3 && [[ $line == +OK* ]] || exit 1
    read -r -t 2 line <&3 && [[ $line == +PONG* ]]
  ) 2>/dev/null
}

# Sets `port` to a free one: $1 if it is. Below the ports that the machine gives to outgoing
# connections, which would not be seen as taken and could not be listened on.
free_port() {
  local tries
  port=$1
  if [ -n "$port" ] && ! is_taken "$port"; then return; fi
  for ((tries = 0; tries < 100; tries++)); do
    port=$((20000 + RANDOM % 12000))
    is_taken "$port" || return 0
  done
  die 'no free port'
}

# Sets `port`: the one that was asked for, the last one, or a free one.
choose_redis_port() {
  if [ -n "$redis_port" ] && is_taken "$redis_port"; then
    die "port $redis_port is taken: give another --redis-port"
  fi
  free_port "${redis_port:-$(setting redis-port)}"
}

make_secrets() {
  "$(program bot4)" secrets --dir "$dir/secrets" --agents riskquant,exchangespec \
    --journal exchangespec --paper exchangespec --ask riskquant=exchangespec --redis "127.0.0.1:$1" >/dev/null || die "the secrets in $dir/secrets cannot be made"
}

start_redis() {
  local port pid tries
  if is_alive redis; then
    port=$(setting redis-port)
    [ -z "$redis_port" ] || [ "$redis_port" = "$port" ] ||
      die "Redis runs on port $port: deploy.sh --local down, then up --redis-port $redis_port"
    is_our_redis "$port" || die "Redis (process $pid) does not answer on port $port: deploy.sh --local restart redis"
    return
  fi
  need redis-server 'apt-get install redis-server'
  choose_redis_port
  if [ "$port" != "$(setting redis-port "$port")" ]; then
    # What runs knows the old address only.
    for_each_instance stop
  fi
  make_secrets "$port"
  keep redis-port "$port"
  launch redis redis-server --port "$port" --bind 127.0.0.1 --aclfile "$dir/secrets/redis/users.acl" \
    --dir "$dir/redis" --save '' --appendonly no --client-output-buffer-limit 'pubsub 32mb 8mb 60'
  for ((tries = 0; tries < 100; tries++)); do
    is_alive redis || break
    ! is_our_redis "$port" || { say "redis runs on port $port"; return 0; }
    sleep 0.1
  done
  tell_end_of redis
  die "Redis does not start on port $port"
}

# Its account's key was made with the other secrets; orders and balances stay in the state folder.
start_paper_venue() {
  local port pid
  if is_alive paper-venue; then return; fi
  free_port "$(setting paper-port)"
  if [ "$port" != "$(setting paper-port "$port")" ]; then stop exchangespec-agent-1; fi
  keep paper-port "$port"
  (umask 077 && mkdir -p "$dir/data/paper-venue")
  launch paper-venue "$(program paper-venue)" --listen "127.0.0.1:$port" --history-minutes 10 \
    --state "$dir/data/paper-venue" --deposit USDT=100000 \
    --account-key-file "$dir/secrets/paper-venue/paper_key" \
    --account-secret-file "$dir/secrets/paper-venue/paper_secret"
}

# The environment of a service: what it needs and the secrets that are its own.
environment_of() {
  environment=(BOT4_LOG_FORMAT=json "BOT4_STATE_DIR=$dir/data")
  case $1 in
    coordinator)
      environment+=("BOT4_BUS_REDIS_FILE=$dir/secrets/coordinator/redis_url"
        "BOT4_HTTP_TOKEN_FILE=$dir/secrets/coordinator/token"
        "BOT4_HTTP_LISTEN=$(setting listen)")
      ;;
    riskquant-agent)
      environment+=("BOT4_BUS_REDIS_FILE=$dir/secrets/riskquant/redis_url"
        BOT4_HTTP_LISTEN=127.0.0.1:0)
      ;;
    exchangespec-agent)
      environment+=("BOT4_BUS_REDIS_FILE=$dir/secrets/exchangespec/redis_url"
        BOT4_HTTP_LISTEN=127.0.0.1:0)
      local file
      file=$(setting database-url-file)
      [ -z "$file" ] || environment+=("BOT4_JOURNAL_URL_FILE=$file")
      environment+=(BOT4_VENUES_PAPER_DIALECT=binance
        "BOT4_VENUES_PAPER_URL=http://127.0.0.1:$(setting paper-port)"
        "BOT4_VENUES_PAPER_API_KEY_FILE=$dir/secrets/exchangespec/paper_key"
        "BOT4_VENUES_PAPER_API_SECRET_FILE=$dir/secrets/exchangespec/paper_secret"
        'BOT4_VENUES_PAPER_SYMBOLS=["BTCUSDT", "ETHUSDT", "SOLUSDT"]')
      ;;
  esac
}

# Where an instance listens; an agent takes a free port and says it in its log.
address_of() {
  local line
  if [ "$1" = coordinator ]; then setting listen; return; fi
  [ -e "$dir/logs/$1.log" ] || return 1
  while read -r line; do
    if [[ $line =~ \"http\":\"([0-9.]+:[0-9]+)\" ]]; then
      printf '%s' "${BASH_REMATCH[1]}"
      return
    fi
  done <"$dir/logs/$1.log"
  return 1
}

# `riskquant-agent-2` is an instance of the service `riskquant-agent`.
service_of() { if [[ $1 =~ ^(.*-agent)-[0-9]+$ ]]; then printf '%s' "${BASH_REMATCH[1]}"; else printf '%s' "$1"; fi; }

is_ready() {
  local address
  if [ "$1" = redis ]; then is_our_redis "$(setting redis-port)"; return; fi
  if [ "$1" = paper-venue ]; then is_taken "$(setting paper-port)"; return; fi
  address=$(address_of "$1") || { why='it does not listen yet'; return 1; }
  why=$("$(program "$(service_of "$1")")" --listen "$address" health 2>&1)
}

# Starts an instance that does not run.
start() {
  local service environment pid
  service=$(service_of "$1")
  if [ "$service" = redis ]; then start_redis; return; fi
  if [ "$service" = paper-venue ]; then start_paper_venue; return; fi
  if is_alive "$1"; then return; fi
  environment_of "$service"
  launch "$1" env "${environment[@]}" "$(program "$service")"
}

wait_ready() {
  local pid why='' tries
  for ((tries = 0; tries < ready_seconds * 10; tries++)); do
    is_alive "$1" || { tell_end_of "$1"; die "$1 ended"; }
    ! is_ready "$1" || { say "$1 is ready (process $pid)"; return 0; }
    sleep 0.1
  done
  tell_end_of "$1"
  die "$1 is not ready after $ready_seconds s: $why"
}

# for_each_instance COMMAND: of everything but Redis and the venue, callers before those they call.
for_each_instance() {
  local command=$1 file name
  if [ -e "$dir/run/coordinator.pid" ]; then "$command" coordinator; fi
  for file in "$dir"/run/*-agent-*.pid; do
    [ -e "$file" ] || continue
    name=${file##*/}
    "$command" "${name%.pid}"
  done
}

local_up() {
  local i name names=(paper-venue coordinator)
  local_build
  trap undo EXIT
  start_redis
  for ((i = 1; i <= $(setting riskquant-agent 1); i++)); do names+=("riskquant-agent-$i"); done
  names+=(exchangespec-agent-1)
  for name in "${names[@]}"; do start "$name"; done
  for name in "${names[@]}"; do wait_ready "$name"; done
  local_fleet_is_whole
  trap - EXIT
  say "up on http://$(setting listen); connect Claude by the line of:"
  say "  $(program bot4) connect ${where[*]}"
  say "stop all new orders: $(program bot4) halt --reason WHY $(journal_flags)"
}

# Ready processes are a fleet once the coordinator has heard of every agent.
local_fleet_is_whole() {
  local tries said='' agent whole
  for ((tries = 0; tries < ready_seconds * 5; tries++)); do
    whole=yes
    said=$("$(program bot4)" status "${where[@]}" 2>&1) || whole=no
    for agent in "${agents[@]}"; do
      [[ $said =~ ${agent%-agent}' ('[1-9] ]] || whole=no
    done
    [ $whole = no ] || return 0
    sleep 0.2
  done
  die "the coordinator does not know all agents: $said"
}

# change NAME VALUE INSTANCE: keeps a setting; an instance that runs with another one is stopped.
change() {
  [ "$(setting "$1")" != "$2" ] || return 0
  stop "$3"
  keep "$1" "$2"
}

# What was asked for now or earlier; sets how `bot4` reaches the fleet.
local_settings() {
  local file=$database_url_file
  change listen "${listen:-$(setting listen 127.0.0.1:3000)}" coordinator
  if [ -n "$file" ]; then
    [ -r "$file" ] || die "--database-url-file $file cannot be read"
    change database-url-file "$(cd "$(dirname "$file")" && pwd)/${file##*/}" exchangespec-agent-1
  fi
  where=(--coordinator "http://$(setting listen)" --token-file "$dir/secrets/coordinator/token")
}

journal_flags() {
  local file
  file=$(setting database-url-file)
  if [ -n "$file" ]; then printf -- '--set journal.url_file=%s' "$file"
  else printf -- '--state %s' "$dir/data"
  fi
}

local_down() {
  for_each_instance stop
  stop paper-venue
  stop redis
  rm -f "$dir"/run/riskquant-agent.setting
}

local_status() {
  local file name pid why whole=yes found=no
  for file in "$dir"/run/*.pid; do
    [ -e "$file" ] || continue
    found=yes
    name=${file##*/} name=${name%.pid}
    if ! is_alive "$name"; then
      printf '%-22s dead: see %s\n' "$name" "$dir/logs/$name.log"
      whole=no
    elif why='' && is_ready "$name"; then
      printf '%-22s ready, process %s\n' "$name" "$pid"
    else
      printf '%-22s NOT READY, process %s: %s\n' "$name" "$pid" "$why"
      whole=no
    fi
  done
  [ $found = yes ] || die 'nothing runs: deploy.sh --local up'
  for name in redis paper-venue coordinator riskquant-agent-1 exchangespec-agent-1; do
    [ -e "$dir/run/$name.pid" ] || { printf '%-22s not started\n' "$name"; whole=no; }
  done
  "$(program bot4)" status "${where[@]}" || whole=no
  [ $whole = yes ] || die 'the fleet is not whole'
}

local_scale() {
  local service count i pid file name
  read_scale "${1:-}"
  is_alive redis || die 'nothing runs: deploy.sh --local up'
  for ((i = 1; i <= count; i++)); do start "$service-$i"; done
  for ((i = 1; i <= count; i++)); do wait_ready "$service-$i"; done
  for file in "$dir/run/$service"-*.pid; do
    name=${file##*/} name=${name%.pid}
    ((${name##*-} <= count)) || stop "$name"
  done
  keep "$service" "$count"
}

local_restart() {
  local name file names=()
  [ -e "$dir/run/redis.pid" ] || die 'nothing runs: deploy.sh --local up'
  if [ $# -eq 0 ]; then
    for_each_instance stop
    stop paper-venue
    stop redis
  else
    is_service "$1"
    for file in "$dir/run/$1".pid "$dir/run/$1"-*.pid; do
      name=${file##*/} name=${name%.pid}
      [ ! -e "$file" ] || names+=("$name")
    done
    for name in "${names[@]}"; do stop "$name"; done
  fi
  local_up
}

local_logs() {
  local file name
  [ $# -eq 0 ] || is_service "$1"
  for file in "$dir"/logs/*.log; do
    name=${file##*/} name=${name%.log}
    if [ -e "$file" ] && [[ $name == "${1:-}"* ]]; then
      printf '== %s\n' "$name"
      tail -n 100 "$file"
    fi
  done
}

local_clean() {
  local_down
  rm -rf "${dir:?}"/{run,logs,data,redis,secrets,lock}
  rmdir "$dir" 2>/dev/null || true
  say "removed the state in $dir"
}

local_main() {
  local command=$1 where
  shift
  local_open
  [ "$command" = up ] || [ -z "$listen$redis_port$database_url_file" ] ||
    die '--listen, --redis-port and --database-url-file go with up, which keeps them'
  local_settings
  case $command in
    up) local_up ;;
    down) local_down ;;
    status) local_status ;;
    logs) local_logs "$@" ;;
    scale) local_scale "$@" ;;
    restart) local_restart "$@" ;;
    clean) local_clean ;;
    test)
      exec 9>&-
      BOT4_HTTP_TOKEN_FILE=$dir/secrets/coordinator/token \
        ./test-agents.sh --quick --coordinator "http://$(setting listen)"
      ;;
  esac
}

main() {
  local command='' arguments=() is_local=no
  build=no dir=.bot4 listen='' redis_port='' database_url_file='' bin_dir='' bin_dir_given=no
  while [ $# -gt 0 ]; do
    case $1 in
      --local) is_local=yes ;;
      --build) build=yes ;;
      --dir | --listen | --redis-port | --database-url-file | --bin-dir)
        [ $# -ge 2 ] || die "$1 wants a value"
        case $1 in
          --dir) dir=$2 ;;
          --listen) listen=$2 ;;
          --redis-port) redis_port=$2 ;;
          --database-url-file) database_url_file=$2 ;;
          --bin-dir) bin_dir=$2 bin_dir_given=yes ;;
        esac
        shift
        ;;
      -h | --help) usage; return ;;
      -*) usage >&2; die "unknown option $1" ;;
      *) if [ -z "$command" ]; then command=$1; else arguments+=("$1"); fi ;;
    esac
    shift
  done
  [ -n "$bin_dir" ] || bin_dir=${CARGO_TARGET_DIR:-$home/target}/release
  case $command in
    up | down | status | clean | test) [ ${#arguments[@]} -eq 0 ] || die "$command takes no ${arguments[0]}" ;;
    logs | scale | restart) [ ${#arguments[@]} -le 1 ] || die "$command takes no ${arguments[1]}" ;;
    '') usage >&2; die 'no command' ;;
    *) usage >&2; die "unknown command $command" ;;
  esac
  if [ $is_local = yes ]; then local_main "$command" "${arguments[@]}"
  else compose_main "$command" "${arguments[@]}"
  fi
}

main "$@"
