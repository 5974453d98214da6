# shellcheck shell=bash
# What all servers of mini share: where things are, and how a daemon is started, found, awaited and stopped.

MINI_HOME=$(realpath -m -- "${MINI_HOME:-$HERE/../../.mini}")
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
# Run by root, ceph and ceph-mgr would leave compiled Python in /usr, readable by root alone.
export PYTHONPYCACHEPREFIX=$MINI_HOME/run/python
# The user's own settings for another Ceph or a proxy must not reach our tools.
unset CEPH_ARGS CEPH_KEYRING http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY PYTHONHOME PYTHONPATH

declare -A LAUNCHED=()

say() { printf 'mini: %s\n' "$*"; }
die() { printf 'mini: %s\n' "$*" >&2; exit 1; }

# Ends with the last lines of a daemon's logs, and says where the rest is.
die_of_daemon() {
    local name=$1 log; shift
    printf 'mini: %s\n' "$*" >&2
    for log in "$MINI_HOME/log/$name.out" "$MINI_HOME/log/$name.log"; do
        if [[ -s $log ]]; then printf -- '--- the end of %s\n' "$log" >&2; tail -n 15 "$log" >&2; fi
    done
    exit 1
}

print_export() { printf 'export %s=%q\n' "$1" "$2"; }

# Replaces a file as a whole: a reader, or a run that was killed, never sees half of it.
write_file() { cat >"$1.new" && mv "$1.new" "$1"; }

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# One `up` or `down` at a time in one MINI_HOME.
lock_home() {
    if [[ $MINI_HOME =~ [^A-Za-z0-9_./+-] ]]; then die "MINI_HOME=$MINI_HOME has a character that Ceph's or Erlang's configuration can't take"; fi
    mkdir -p "$MINI_HOME"/{log,run}
    exec 9>"$MINI_HOME/lock"
    flock -w 300 9 || die "another mini has been at work in $MINI_HOME for five minutes"
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Chosen once, kept for good: clients remember them. A block of 64, below the range that the kernel gives to clients.
load_ports() {
    if [[ ! -e $MINI_HOME/ports ]]; then choose_ports; fi
    # shellcheck source=/dev/null
    . "$MINI_HOME/ports"
    # shellcheck disable=SC2034 # the services' files use them
    PORT_MON=$PORT_BASE PORT_AMQP=$((PORT_BASE + 1)) PORT_ERLANG=$((PORT_BASE + 2)) PORT_EPMD=$((PORT_BASE + 3))
    # shellcheck disable=SC2034
    PORT_RGW=$((PORT_BASE + 4)) PORT_CEPH_FIRST=$((PORT_BASE + 8)) PORT_CEPH_LAST=$((PORT_BASE + 47))
    # shellcheck disable=SC2034
    PORT_MARIADB=$((PORT_BASE + 48)) PORT_PLACEMENT=$((PORT_BASE + 49)) PORT_GLANCE=$((PORT_BASE + 50))
    # shellcheck disable=SC2034
    PORT_CINDER=$((PORT_BASE + 51)) PORT_NOVA=$((PORT_BASE + 52)) PORT_NEUTRON=$((PORT_BASE + 53))
    # shellcheck disable=SC2034
    PORT_KEYSTONE=$((PORT_BASE + 56)) PORT_MEMCACHED=$((PORT_BASE + 57)) PORT_SWIFT=$((PORT_BASE + 58)) PORT_SWIFT_KEYSTONE=$((PORT_BASE + 59))
    # shellcheck disable=SC2034
    PORT_SWIFT_ACCOUNT=$((PORT_BASE + 60)) PORT_SWIFT_CONTAINER=$((PORT_BASE + 61)) PORT_SWIFT_OBJECT=$((PORT_BASE + 62))
}

choose_ports() {
    local base port taken
    while :; do
        base=$((16384 + RANDOM % 250 * 64)) taken=''
        for port in {0..63}; do if port_is_taken $((base + port)); then taken=yes; break; fi; done
        if [[ ! $taken ]]; then break; fi
    done
    echo "PORT_BASE=$base" | write_file "$MINI_HOME/ports"
}

# The processes of a daemon, by the mark that spawn left in their environment: it can't go stale as a pid file does.
pids_of() { grep -lszxF -- "MINI_DAEMON=$MINI_HOME:$1" /proc/[0-9]*/environ | cut -d/ -f3 || true; }

is_running() { [[ -n $(pids_of "$1") ]]; }

# True also between fork and exec, when a daemon that was just launched has no mark yet.
is_alive() { { [[ ${LAUNCHED[$1]-} ]] && kill -0 "${LAUNCHED[$1]}" 2>/dev/null; } || is_running "$1"; }

# spawn NAME PORT|- [VAR=VALUE...] COMMAND...: a session of its own, a clean environment, no file of ours left open
# (an inherited pipe would keep the caller's reader waiting for its end; the inherited lock would lock out the next mini).
spawn() {
    local name=$1 port=$2 fd; shift 2
    if [[ $port != - ]] && port_is_taken "$port"; then
        die "port $port, which $name has had since the first up, is taken by another program; stop that, or run: $0 down --wipe"
    fi
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
        done
        exec setsid env -i PATH="$PATH" LC_ALL=C HOME="$MINI_HOME/run" PYTHONPYCACHEPREFIX="$PYTHONPYCACHEPREFIX" \
            MINI_DAEMON="$MINI_HOME:$name" "$@" </dev/null >>"$MINI_HOME/log/$name.out" 2>&1
    ) &
    LAUNCHED[$name]=$!
}

# await SECONDS NAME WHAT COMMAND...: until the command succeeds; fails at once if the daemon is gone.
await() {
    local limit=$((SECONDS + $1)) name=$2 what=$3; shift 3
    until "$@" >/dev/null 2>&1; do
        if ! is_alive "$name"; then die_of_daemon "$name" "$name ended while it was to $what"; fi
        if ((SECONDS >= limit)); then die_of_daemon "$name" "$name did not $what in time"; fi
        sleep 0.2
    done
}

# One after the other, in the order given: TERM, and KILL for what is left after ten seconds.
stop_daemons() {
    local name
    for name; do
        signal_daemon TERM "$name"
        if ! await_gone "$name"; then
            signal_daemon KILL "$name"
            await_gone "$name" || die "$name (pid $(pids_of "$name" | tr '\n' ' ')) does not end, not even by kill -9"
        fi
    done
}

# All at once: they do not depend on each other's end.
stop_together() {
    local name
    for name; do signal_daemon TERM "$name"; done
    for name; do
        if ! await_gone "$name"; then stop_daemons "$name"; fi
    done
}

signal_daemon() {
    local pid
    for pid in $(pids_of "$2"); do kill "-$1" "$pid" 2>/dev/null || true; done
}

await_gone() {
    for _ in {1..100}; do
        if ! is_running "$1"; then return 0; fi
        sleep 0.1
    done
    return 1
}

# Only what mini made: MINI_HOME may be a folder that holds other things too.
wipe_home() {
    rm -rf "$MINI_HOME"/{ceph,rabbitmq,rgw,keystone,swift,openstack,log,run,ports,ports.new,lock}
    rmdir --ignore-fail-on-non-empty "$MINI_HOME"
}
