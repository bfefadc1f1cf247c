#!/usr/bin/env bash
# Drives the fleet in containers of its own: builds, starts, scales, breaks and restarts it.
#
# It uses a project name, a port and volumes of its own and removes them at the end, so a fleet that
# runs on this machine is left alone. Ends with "N passed, N failed", non-zero when one failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0
failed=0
calls=1000
order=test-order-1

if command -v docker-compose >/dev/null; then compose=(docker-compose); else compose=(docker compose); fi
compose() { "${compose[@]}" "$@"; }

say() { printf '%s\n' "$*" >&2; }

# check NAME COMMAND...: counts one test by the command's exit code
check() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    passed=$((passed + 1))
    say "ok      $name ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    say "FAILED  $name"
  fi
}

# A port that nothing listens on.
free_port() {
  local port tries
  for ((tries = 0; tries < 100; tries++)); do
    port=$((20000 + RANDOM))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
  done
  return 1
}

in_service() { compose exec -T "$@"; }
bot4() { in_service coordinator bot4 "$@"; }
kelly() { bot4 call riskquant calculate_kelly '{"win_probability":0.55,"win_return":0.04,"loss_return":-0.02}'; }
paper() { bot4 --json call exchangespec "$1" "$2"; }
containers() { compose ps -q "$@"; }

# What it says does not matter when it works.
quietly() { local said; said=$("$@" 2>&1) || { say "$said"; return 1; }; }

# is NAME WANTED FOUND
is() { [ "$2" = "$3" ] || { say "$1: $3, not $2"; return 1; }; }

# === what the containers are ===

hardened() {
  local id service facts bad=0
  for id in $(containers); do
    service=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}' "$id")
    facts=$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}} {{.HostConfig.SecurityOpt}}' "$id")
    is "$service" 'true [ALL] false [no-new-privileges:true]' "$facts" || bad=1
    for facts in Memory NanoCpus PidsLimit; do
      [[ $(docker inspect -f "{{json .HostConfig.$facts}}" "$id") =~ ^[1-9] ]] ||
        { say "$service has no limit $facts"; bad=1; }
    done
    facts=$(docker inspect -f '{{.Config.User}}' "$id")
    [[ $facts =~ ^(bot4|redis|postgres)$ ]] || { say "$service runs as ${facts:-root}"; bad=1; }
  done
  ! in_service coordinator sh -c 'touch /x || touch /usr/local/bin/x' 2>/dev/null ||
    { say 'the root file system is writable'; bad=1; }
  [ $bad = 0 ]
}

no_compiler() { ! in_service exchangespec-agent sh -c 'command -v cc gcc ld rustc cargo' >/dev/null; }

only_the_coordinator_has_a_port() {
  local id ports all=''
  for id in $(containers); do
    ports=$(docker inspect -f '{{range $p, $b := .HostConfig.PortBindings}}{{range $b}}{{.HostIp}}:{{.HostPort}} {{end}}{{end}}' "$id")
    all+=$ports
  done
  is 'ports on the host' "127.0.0.1:$BOT4_PORT " "$all"
}

the_host_reaches_the_coordinator() {
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$BOT4_PORT"
  printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
  read -r line <&3
  exec 3>&-
  [[ $line == *' 200 '* ]]
}

a_service_sees_its_own_secrets_only() {
  is riskquant 'redis_url' "$(in_service riskquant-agent ls /secrets)" &&
    is exchangespec $'journal_url\npaper_key\npaper_secret\nredis_url' "$(in_service exchangespec-agent ls /secrets)" &&
    is coordinator $'redis_url\ntoken' "$(in_service coordinator ls /secrets)"
}

# === access rules ===

# as USER COMMAND...: what the running Redis answers one of its users
as() {
  local user=$1 service=$1-agent url
  shift
  [ "$user" != coordinator ] || service=coordinator
  url=$(in_service "$service" cat /secrets/redis_url)
  url=${url#*:*:}
  in_service -e "REDISCLI_AUTH=${url%@*}" redis timeout 5 redis-cli --user "$user" "$@" 2>&1
}

may_not() { local said; said=$(as "$@") || true; [[ $said == NOPERM* ]] || { say "$*: $said"; return 1; }; }

no_agent_reaches_another() {
  is 'riskquant pings' PONG "$(as riskquant ping)" &&
    may_not riskquant publish bot4:rpc:exchangespec:1 x &&
    may_not riskquant subscribe bot4:rpc:exchangespec:1 &&
    may_not riskquant subscribe bot4:reply:coordinator:1 &&
    may_not riskquant psubscribe '*' &&
    may_not riskquant set bot4:presence:exchangespec:1 x &&
    may_not riskquant get bot4:presence:exchangespec:1 &&
    may_not riskquant config get '*' &&
    may_not exchangespec publish bot4:rpc:riskquant:1 x &&
    may_not coordinator subscribe bot4:rpc:exchangespec:1
}

# === load ===

# Distinct arguments have distinct answers: so many lines that differ are so many right answers.
spread() {
  local args='{"win_probability":0.5{},"win_return":1.0,"loss_return":-1.0}'
  in_service coordinator sh -c "seq -w $1 | xargs -P 4 -I{} bot4 --json call riskquant calculate_kelly '$args'"
}

# How many calls a replica has run.
ran() {
  in_service --index="$1" riskquant-agent riskquant-agent metrics |
    awk '/^tool_calls_total\{.*"calculate_kelly".*\}/ { n += $NF } END { print n + 0 }'
}

every_call_runs_once() {
  local answers before=(0) i now sum=0 share bad=0
  for i in 1 2 3; do before[i]=$(ran $i); done
  answers=$(spread $calls | sort -u | wc -l)
  is 'distinct answers' $calls "$answers" || bad=1
  for i in 1 2 3; do
    now=$(ran $i)
    share=$((now - before[i]))
    say "        replica $i ran $share of $calls"
    [ $share -gt 0 ] || bad=1
    sum=$((sum + share))
  done
  is 'calls that ran' $calls $sum && [ $bad = 0 ]
}

no_read_fails_while_a_replica_dies() {
  local answers file load
  file=$(mktemp)
  spread 400 >"$file" &
  load=$!
  while [ "$(wc -l <"$file")" -lt 40 ]; do
    kill -0 $load 2>/dev/null || break
    sleep 0.1
  done
  docker kill "$(containers riskquant-agent | sed -n 2p)" >/dev/null
  wait $load || { say 'a call failed'; rm -f "$file"; return 1; }
  answers=$(sort -u "$file" | wc -l)
  rm -f "$file"
  is 'distinct answers' 400 "$answers"
}

# === orders ===

# An order that rests: 2 % under the best price at which somebody buys.
place() {
  local book bid
  book=$(paper get_orderbook '{"exchange":"paper","symbol":"BTCUSDT","depth":1}') || return
  [[ $book =~ \"bids\":\[[^0-9]*([0-9]+) ]] || { say "no bids in $book"; return 1; }
  bid=$((BASH_REMATCH[1] * 98 / 100))
  paper place_order "{\"exchange\":\"paper\",\"symbol\":\"BTCUSDT\",\"side\":\"buy\",\"order_type\":\"limit\",\"quantity\":\"0.001\",\"price\":\"$bid\",\"client_order_id\":\"$1\",\"command_id\":\"$1\"}"
}

order_is_there() {
  local orders
  orders=$(paper list_orders '{"exchange":"paper","limit":50}') && [[ $orders == *"\"$order\""* ]] ||
    { say "$order is not in ${orders:-no answer}"; return 1; }
}

halted_means_refused() {
  local said code=0
  in_service exchangespec-agent bot4 halt --reason test >/dev/null || return
  said=$(place halted-order 2>&1) || code=$?
  # 4: refused by a rule.
  is 'exit code' 4 $code && [[ $said == *HALTED* ]] || { say "$said"; return 1; }
}

resumed_means_placed() {
  in_service exchangespec-agent bot4 resume >/dev/null && place $order >/dev/null && order_is_there
}

# === what breaks ===

# Tries for a while: what was restarted is back when its callers say so.
heals() {
  local tries
  for ((tries = 0; tries < 60; tries++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.5
  done
  "$@" >/dev/null
}

redis_comes_back() { compose restart redis >/dev/null 2>&1 && heals kelly && ./deploy.sh status >/dev/null; }
postgres_comes_back() { compose restart postgres >/dev/null 2>&1 && heals order_is_there; }
all_restart() { ./deploy.sh restart >/dev/null 2>&1 && heals kelly && heals order_is_there; }

# Down removes the containers, not what is kept.
down_keeps() {
  local before after
  before=$(bot4 connect) || return
  compose down >/dev/null 2>&1 && ./deploy.sh up >/dev/null 2>&1 || return
  after=$(bot4 connect)
  is 'the line that connects' "$before" "$after" && heals order_is_there
}

logs_are_json_without_secrets() {
  local file id secret bad=0
  file=$(mktemp)
  for id in $(containers coordinator riskquant-agent exchangespec-agent); do
    docker logs "$id" >>"$file" 2>&1
  done
  [ -s "$file" ] || { say 'no logs'; bad=1; }
  if grep -v '^{.*}$' "$file" | head -3 >&2 && grep -qv '^{.*}$' "$file"; then bad=1; fi
  for secret in $(in_service coordinator cat /secrets/token) \
    $(in_service exchangespec-agent cat /secrets/redis_url /secrets/journal_url |
      grep -o ':[0-9a-f]\{48\}@' | tr -d ':@'); do
    ! grep -q -- "$secret" "$file" || { say 'a secret is in a log'; bad=1; }
  done
  rm -f "$file"
  [ $bad = 0 ]
}

doctor_is_content() { quietly in_service coordinator bot4 doctor; }

nothing_is_left() {
  compose down -v --remove-orphans >/dev/null 2>&1
  is volumes '' "$(docker volume ls -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")"
}

tear_down() { compose down -v --remove-orphans >/dev/null 2>&1 || true; }

finish() {
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}

main() {
  export COMPOSE_PROJECT_NAME=bot4test$$ BOT4_PORT
  BOT4_PORT=$(free_port)
  docker info >/dev/null 2>&1 || { say 'error: docker does not answer'; exit 1; }
  trap tear_down EXIT
  check 'the images build' compose build --quiet
  check 'it starts with nothing prepared' quietly compose up -d
  check 'everything becomes healthy' quietly ./deploy.sh up
  [ "$failed" -eq 0 ] || { finish; return; }
  compose ps >&2
  check 'containers are hardened' hardened
  check 'images have no compiler' no_compiler
  check 'only the coordinator has a port, on loopback' only_the_coordinator_has_a_port
  check 'the host reaches the coordinator' the_host_reaches_the_coordinator
  check 'a service sees its own secrets only' a_service_sees_its_own_secrets_only
  check 'no agent reaches another through Redis' no_agent_reaches_another
  check 'riskquant answers' quietly kelly
  check 'exchangespec answers' quietly paper get_exchange_status '{"exchange":"paper"}'
  check 'doctor finds nothing' doctor_is_content
  check 'an order is refused while halted' halted_means_refused
  check 'an order rests after resume' resumed_means_placed
  check 'riskquant scales to three' quietly ./deploy.sh scale riskquant-agent=3
  check "$calls calls run once each, on all three" every_call_runs_once
  check 'no read fails while a replica dies' no_read_fails_while_a_replica_dies
  check 'the dead replica comes back' quietly ./deploy.sh scale riskquant-agent=3
  check 'all heal after Redis restarts' redis_comes_back
  check 'all heal after PostgreSQL restarts' postgres_comes_back
  check 'a restart of everything keeps the order' all_restart
  check 'down and up keep order and token' down_keeps
  check 'logs are JSON without secrets' logs_are_json_without_secrets
  check 'down -v leaves nothing' nothing_is_left
  finish
}

main "$@"
