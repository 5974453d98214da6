# shellcheck shell=bash
# What a plugin finds when DevStack runs it: functions of the same names, calls and effects, on devstack/mini's servers and in a folder of the check's own.
# DevStack's own need systemd, its checkout and a machine to themselves.

# All of mini's servers are this user's.
function sudo { "$@"; }

function echo_summary { echo "== $*"; }

function die {
    local line=$1
    shift
    echo "die at line $line: $*" >&2
    exit 1
}

function define_plugin { :; }
function plugin_requires { :; }

function enable_service {
    local service
    for service in "$@"; do
        if [[ ",$ENABLED_SERVICES," != *",$service,"* ]]; then ENABLED_SERVICES+=",$service"; fi
    done
}

function is_service_enabled {
    local service
    for service in "$@"; do
        case ",$ENABLED_SERVICES," in
        *",$service,"*) return 0 ;;
        *,n-*) if [[ $service == nova ]]; then return 0; fi ;;&
        *,c-*) if [[ $service == cinder ]]; then return 0; fi ;;
        esac
    done
    return 1
}

function install_package {
    local package
    for package in "$@"; do
        if ! dpkg -s "$package" >/dev/null 2>&1; then apt-get install -qq --no-install-recommends "$package"; fi
    done
}

# iniset FILE SECTION OPTION VALUE: at the head of the section, which is made at the end; every line of the option that is there gets the value.
function iniset {
    (
        set +o xtrace
        file=$1 section=$2 option=$3
        if ! grep -qxF "[$section]" "$file" 2>/dev/null; then printf '\n[%s]\n' "$section" >>"$file"; fi
        INI_LINE="$option = $4" awk -v section="[$section]" -v option="$option" '
            { copy[NR] = $0 }
            /^\[/ { here = ($0 == section); if (here) head = NR }
            here && $0 ~ "^" option "[ \t]*=" { copy[NR] = ENVIRON["INI_LINE"]; found = 1 }
            END { for (n = 1; n <= NR; n++) { print copy[n]; if (n == head && !found) print ENVIRON["INI_LINE"] } }' "$file" >"$file.new"
        cat "$file.new" >"$file" # It keeps its mode.
        rm "$file.new"
    )
}

function get_notification_url { echo "rabbit://$RABBIT_USERID:$RABBIT_PASSWORD@$RABBIT_HOST:$RBDBACKUP_RABBIT_PORT/"; }

function conductor_conf { echo "$NOVA_CONF_DIR/nova_cell$1.conf"; }

# A user of the service project with role `service`, and with another one.
function create_service_user {
    (
        set +o xtrace
        printf '%s\n' "$OS_PASSWORD" "$SERVICE_PASSWORD" |
            /usr/bin/python3 -I "$RBDBACKUP_DIR/devstack/test/create_service_user.py" "$KEYSTONE_SERVICE_URI_V3" "$1" "$SERVICE_PROJECT_NAME" service "${@:2}"
    )
}

# run_process SERVICE COMMAND GROUP USER ENVIRONMENT: as a unit of systemd's, of which there is one at a time, with nothing of the caller's environment.
function run_process {
    local service=$1 command=$2 file=$SERVICE_DIR/$1.pid
    if [[ $command != /* ]]; then die $LINENO "systemd wants a whole path, not $command"; fi
    if ! is_service_enabled "$service" || process_runs "$file"; then return 0; fi
    # shellcheck disable=SC2086 # both are lists
    setsid env -i PATH="$PATH" $5 $command </dev/null >>"$SERVICE_DIR/$service.log" 2>&1 &
    echo $! >"$file"
}

# process_runs PID-FILE: one that has ended, and that nobody has asked how, does not run.
function process_runs { [[ -s $1 && "$(ps -o stat= -p "$(<"$1")")" == [!Z]* ]]; }

function stop_process {
    local file=$SERVICE_DIR/$1.pid limit=$((SECONDS + 60))
    if process_runs "$file"; then kill "$(<"$file")"; fi
    while process_runs "$file"; do
        if ((SECONDS >= limit)); then die $LINENO "$1 does not end"; fi
        sleep 0.1
    done
    rm -f "$file"
}
