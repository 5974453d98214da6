#!/usr/bin/env bash
# The DevStack plugin: source plugin.sh <mode> [phase]. See settings beside it for how to enable it and what may be set.
# stack.sh runs with errexit and prints each command, so a secret is never a command's argument: it goes through rbdbackup_secret, into a file or a pipe.

RBDBACKUP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=devstack/cephx.sh
source "$RBDBACKUP_DIR/devstack/cephx.sh"
RBDBACKUP_CEPH_CONF=${CEPH_CONF_FILE:-${CEPH_CONF_DIR:-/etc/ceph}/ceph.conf}

function install_rbdbackup_packages {
    install_package ceph-common libzstd1 curl
    if [[ -z "$RBDBACKUP_BIN" ]]; then
        install_package make gcc libc6-dev
        command -v dotnet >/dev/null || install_package dotnet-sdk-10.0 || die $LINENO "RbdBackup needs the .NET 10 SDK; this distribution has no package of it, so install it before stack.sh"
    fi
}

function build_rbdbackup {
    if [[ -z "$RBDBACKUP_BIN" ]]; then
        make -C "$RBDBACKUP_DIR" build
    elif [[ ! -x "$RBDBACKUP_BIN" ]]; then
        die $LINENO "RBDBACKUP_BIN is $RBDBACKUP_BIN, which is no program"
    fi
}

function rbdbackup_command {
    "${RBDBACKUP_BIN:-$RBDBACKUP_DIR/bin/rbdbackup}" --config-dir "$RBDBACKUP_CONF_DIR" "$@"
}

# rbdbackup_secret NAME: prints it, and shows nothing of it where commands are printed.
function rbdbackup_secret {
    (
        set +o xtrace
        rabbit=${RBDBACKUP_RABBIT_PASSWORD:-$RABBIT_PASSWORD}
        case "$1" in
        rabbit) printf '%s\n' "$rabbit" ;;
        transport_url) printf '%s\n' "rabbit://$RBDBACKUP_RABBIT_USER:$rabbit@$RABBIT_HOST:$RBDBACKUP_RABBIT_PORT/" ;;
        notification_url) get_notification_url ;;
        keystone) printf '%s\n' "$SERVICE_PASSWORD" ;;
        s3) printf '%s\n' "$RBDBACKUP_S3_SECRET_KEY" ;;
        curl_user) printf 'user = "%s:%s"\n' "$RBDBACKUP_S3_ACCESS_KEY" "$RBDBACKUP_S3_SECRET_KEY" ;;
        esac
    )
}

# write_rbdbackup_secret NAME: a file of that name in our folder, which only STACK_USER's group may read.
function write_rbdbackup_secret {
    install -m 0640 /dev/null "$RBDBACKUP_CONF_DIR/$1"
    rbdbackup_secret "$1" >"$RBDBACKUP_CONF_DIR/$1"
}

# rbdbackup_url_name URL: the bucket or container.
function rbdbackup_url_name {
    local name=${1#*://}
    echo "${name%%/*}"
}

# Ceph
# ----

# A cluster that was stopped before us must not hold unstack.sh or clean.sh up.
function rbdbackup_ceph {
    sudo timeout 120 ceph -c "$RBDBACKUP_CEPH_CONF" --connect-timeout 20 "$@"
}

function rbdbackup_rados {
    sudo timeout 120 rados -c "$RBDBACKUP_CEPH_CONF" -p "$RBDBACKUP_STATE_POOL" "$@"
}

function rbdbackup_keyring {
    echo "${CEPH_CONF_DIR:-/etc/ceph}/ceph.$1.keyring"
}

# rbdbackup_cephx_user NAME MON_CAPS: creates it, or corrects its capabilities, and writes its keyring where Ceph's clients look.
function rbdbackup_cephx_user {
    local name=$1 mon_caps=$2 keyring osd_caps
    keyring=$(rbdbackup_keyring "$name")
    osd_caps=$(rbdbackup_osd_caps "${NOVA_CEPH_POOL:-vms}" "${CINDER_CEPH_POOL:-volumes}" "${GLANCE_CEPH_POOL:-images}" \
        "$RBDBACKUP_STATE_POOL" "$RBDBACKUP_STATE_NAMESPACE")
    rbdbackup_ceph auth get-or-create "$name" >/dev/null
    rbdbackup_ceph auth caps "$name" mon "$mon_caps" osd "$osd_caps"
    sudo install -m 0640 -o root -g "$(id -gn "$STACK_USER")" /dev/null "$keyring"
    rbdbackup_ceph auth get "$name" 2>/dev/null | sudo tee "$keyring" >/dev/null
}

function configure_rbdbackup_ceph {
    if ! rbdbackup_ceph osd pool ls | grep -qxF "$RBDBACKUP_STATE_POOL"; then
        rbdbackup_ceph osd pool create "$RBDBACKUP_STATE_POOL" 8
        rbdbackup_ceph osd pool application enable "$RBDBACKUP_STATE_POOL" rbdbackup
    fi
    rbdbackup_cephx_user "$RBDBACKUP_CEPH_USER" "$RBDBACKUP_MON_CAPS"
    rbdbackup_cephx_user "$RBDBACKUP_CEPH_RESTORE_USER" "$RBDBACKUP_RESTORE_MON_CAPS"
}

# The pool goes too where it is ours alone: made for this, and nobody else's objects in it.
function cleanup_rbdbackup_ceph {
    local object
    sudo rm -f "$(rbdbackup_keyring "$RBDBACKUP_CEPH_USER")" "$(rbdbackup_keyring "$RBDBACKUP_CEPH_RESTORE_USER")"
    if ! rbdbackup_ceph auth rm "$RBDBACKUP_CEPH_USER" || ! rbdbackup_ceph auth rm "$RBDBACKUP_CEPH_RESTORE_USER"; then
        echo "Ceph does not answer (devstack-plugin-ceph removes its own before us). In one that stays, remove both users and pool $RBDBACKUP_STATE_POOL"
        return 0
    fi
    rbdbackup_rados --namespace "$RBDBACKUP_STATE_NAMESPACE" ls | while read -r object; do
        rbdbackup_rados --namespace "$RBDBACKUP_STATE_NAMESPACE" rm "$object" </dev/null
    done
    if [[ "$(rbdbackup_ceph osd pool application get "$RBDBACKUP_STATE_POOL" -f json)" =~ ^[[:space:]]*\{\"rbdbackup\":\{\}\}$ && -z "$(rbdbackup_rados --all ls)" ]]; then
        rbdbackup_ceph osd pool delete "$RBDBACKUP_STATE_POOL" "$RBDBACKUP_STATE_POOL" --yes-i-really-really-mean-it ||
            echo "Pool $RBDBACKUP_STATE_POOL is empty and stays"
    fi
}

# RabbitMQ
# --------

# The services' exchanges may be read, and made where they are missing; nothing of the services' may be written. Our own go with the broker.
function configure_rbdbackup_broker {
    local own="${RBDBACKUP_QUEUE_PREFIX//./\\.}\..*|${RBDBACKUP_EVENTS_EXCHANGE//./\\.}" services='nova|cinder|openstack' action=add_user topics
    if ! is_service_enabled rabbit; then
        echo "RabbitMQ is not DevStack's: its user $RBDBACKUP_RABBIT_USER must be there, see docs/operators.md"
        return 0
    fi
    if sudo rabbitmqctl --quiet list_users | grep -q "^${RBDBACKUP_RABBIT_USER}[[:space:]]"; then
        action=change_password
    fi
    rbdbackup_secret rabbit | sudo rabbitmqctl --quiet "$action" "$RBDBACKUP_RABBIT_USER"
    sudo rabbitmqctl --quiet set_permissions "$RBDBACKUP_RABBIT_USER" "^($own|$services)\$" "^($own|amq\.default)\$" "^($own|$services)\$"
    topics=$(rbdbackup_own_topics)
    if [[ -n "$RBDBACKUP_UNREAD_LIMIT" && -n "$topics" ]]; then
        sudo rabbitmqctl --quiet set_policy --apply-to queues "$RBDBACKUP_RABBIT_USER-unread" "$topics" \
            "{\"max-length\": $RBDBACKUP_UNREAD_LIMIT, \"overflow\": \"drop-head\"}"
    fi
}

# A pattern of the queues that the services make for topics which are ours alone; empty where we listen to the services' own.
# Only a priority may follow: our own queues may begin with the same word.
function rbdbackup_own_topics {
    local topic own=''
    for topic in "$RBDBACKUP_TOPIC" "$RBDBACKUP_VERSIONED_TOPIC"; do
        if [[ "$topic" != notifications && "$topic" != versioned_notifications ]]; then
            own+="${own:+|}${topic//./\\.}"
        fi
    done
    if [[ -n "$own" ]]; then
        echo "^($own)\.(audit|critical|debug|error|info|sample|warn)\$"
    fi
}

function cleanup_rbdbackup_broker {
    local queue pattern topics
    if ! is_service_enabled rabbit; then
        return 0
    fi
    topics=$(rbdbackup_own_topics)
    pattern="^${RBDBACKUP_QUEUE_PREFIX//./\\.}\.(notifications|release|jobs|dead)\$${topics:+|$topics}"
    sudo rabbitmqctl --quiet clear_policy "$RBDBACKUP_RABBIT_USER-unread" || true
    sudo rabbitmqctl --quiet delete_user "$RBDBACKUP_RABBIT_USER" || true
    for queue in $(sudo rabbitmqctl --quiet list_queues name | grep -E "$pattern"); do
        sudo rabbitmqctl --quiet delete_queue "$queue" || true
    done
}

# Nova, Cinder
# ------------

# The files of the services that send. A cell's conductor reads its own alone, and it sends what nova-compute changes. nova-compute's is a copy of Nova's,
# made when it starts.
function rbdbackup_service_files {
    local file cell
    if is_service_enabled cinder && [[ -f "$CINDER_CONF" ]]; then
        echo "cinder $CINDER_CONF"
    fi
    if is_service_enabled nova; then
        for file in "$NOVA_CONF" "${NOVA_CPU_CONF:-}" $(for cell in $(seq 1 "${NOVA_NUM_CELLS:-1}"); do conductor_conf "$cell"; done); do
            if [[ -f "$file" ]]; then
                echo "nova $file"
            fi
        done
    fi
}

# Turns notifications on, and appends our topics to those that are there; notification_options.py says how.
function configure_rbdbackup_services {
    local service file
    rbdbackup_service_files | while read -r service file; do
        rbdbackup_secret notification_url | python3 "$RBDBACKUP_DIR/devstack/notification_options.py" add "$service" "$file" \
            "$RBDBACKUP_TOPIC" "$RBDBACKUP_VERSIONED_TOPIC" "${NOVA_NOTIFICATION_FORMAT:-both}"
    done
}

function cleanup_rbdbackup_services {
    local service file
    rbdbackup_service_files | while read -r service file; do
        python3 "$RBDBACKUP_DIR/devstack/notification_options.py" remove "$service" "$file" "$RBDBACKUP_TOPIC" "$RBDBACKUP_VERSIONED_TOPIC" </dev/null
    done
}

# Keystone
# --------

function configure_rbdbackup_keystone {
    create_service_user "$RBDBACKUP_SERVICE_USER" "$RBDBACKUP_SERVICE_ROLE"
}

function cleanup_rbdbackup_keystone {
    timeout 60 openstack --os-cloud devstack-system-admin user delete --domain "$SERVICE_DOMAIN_NAME" "$RBDBACKUP_SERVICE_USER" || true
}

# RbdBackup
# ---------

# Written anew each time, as DevStack does with every service's.
function configure_rbdbackup {
    local t=$RBDBACKUP_TOPIC v=$RBDBACKUP_VERSIONED_TOPIC
    sudo install -d -o "$STACK_USER" -m 0750 "$RBDBACKUP_CONF_DIR"
    install -m 0640 /dev/null "$RBDBACKUP_CONF"
    iniset "$RBDBACKUP_CONF" ceph conf "$RBDBACKUP_CEPH_CONF"
    iniset "$RBDBACKUP_CONF" ceph user "$RBDBACKUP_CEPH_USER"
    iniset "$RBDBACKUP_CONF" ceph restore_user "$RBDBACKUP_CEPH_RESTORE_USER"
    iniset "$RBDBACKUP_CONF" ceph state_pool "$RBDBACKUP_STATE_POOL"
    iniset "$RBDBACKUP_CONF" ceph state_namespace "$RBDBACKUP_STATE_NAMESPACE"
    iniset "$RBDBACKUP_CONF" ceph vms_pool "${NOVA_CEPH_POOL:-vms}"
    iniset "$RBDBACKUP_CONF" ceph volumes_pool "${CINDER_CEPH_POOL:-volumes}"
    iniset "$RBDBACKUP_CONF" notifications transport_url_file "$RBDBACKUP_CONF_DIR/transport_url"
    iniset "$RBDBACKUP_CONF" notifications routing_keys "$t.info, $t.error, $v.info, $v.error"
    iniset "$RBDBACKUP_CONF" notifications queue_prefix "$RBDBACKUP_QUEUE_PREFIX"
    iniset "$RBDBACKUP_CONF" notifications events_exchange "$RBDBACKUP_EVENTS_EXCHANGE"
    iniset "$RBDBACKUP_CONF" http port "$RBDBACKUP_HTTP_PORT"
    write_rbdbackup_secret transport_url
    configure_rbdbackup_login
    configure_rbdbackup_store
}

function configure_rbdbackup_login {
    iniset "$RBDBACKUP_CONF" keystone auth_type password
    iniset "$RBDBACKUP_CONF" keystone auth_url "$KEYSTONE_SERVICE_URI_V3"
    iniset "$RBDBACKUP_CONF" keystone username "$RBDBACKUP_SERVICE_USER"
    iniset "$RBDBACKUP_CONF" keystone password_file "$RBDBACKUP_CONF_DIR/keystone"
    iniset "$RBDBACKUP_CONF" keystone user_domain_name "$SERVICE_DOMAIN_NAME"
    iniset "$RBDBACKUP_CONF" keystone project_name "$SERVICE_PROJECT_NAME"
    iniset "$RBDBACKUP_CONF" keystone project_domain_name "$SERVICE_DOMAIN_NAME"
    iniset "$RBDBACKUP_CONF" keystone region_name "$REGION_NAME"
    iniset "$RBDBACKUP_CONF" keystone valid_interfaces public
    if is_service_enabled tls-proxy; then
        iniset "$RBDBACKUP_CONF" keystone cafile "$SSL_BUNDLE_FILE"
    fi
    write_rbdbackup_secret keystone
}

function configure_rbdbackup_store {
    iniset "$RBDBACKUP_CONF" store url "$RBDBACKUP_STORE_URL"
    if [[ -n "$RBDBACKUP_S3_ENDPOINT_URL" ]]; then
        iniset "$RBDBACKUP_CONF" store s3_endpoint_url "$RBDBACKUP_S3_ENDPOINT_URL"
        iniset "$RBDBACKUP_CONF" store s3_region "$RBDBACKUP_S3_REGION"
    fi
    if [[ -n "$RBDBACKUP_S3_ACCESS_KEY" ]]; then
        iniset "$RBDBACKUP_CONF" store s3_access_key "$RBDBACKUP_S3_ACCESS_KEY"
        iniset "$RBDBACKUP_CONF" store s3_secret_key_file "$RBDBACKUP_CONF_DIR/s3"
        write_rbdbackup_secret s3
    fi
}

# The folder, container or bucket, as whoever will use it, and the repository in it. What is there stays. Swift answers from phase extra on.
function make_rbdbackup_store {
    case "$RBDBACKUP_STORE_URL" in
    file://*)
        sudo install -d -o "$STACK_USER" -m 0700 "${RBDBACKUP_STORE_URL#file://}"
        ;;
    swift://*)
        rbdbackup_as_service openstack container create "$(rbdbackup_url_name "$RBDBACKUP_STORE_URL")" >/dev/null
        ;;
    s3://*)
        # Amazon's buckets are for people to make.
        if [[ -n "$RBDBACKUP_S3_ENDPOINT_URL" ]]; then
            make_rbdbackup_bucket
        fi
        ;;
    esac
    rbdbackup_command repo init
}

# rbdbackup_as_service COMMAND...: with RbdBackup's own login.
function rbdbackup_as_service {
    (
        unset "${!OS_@}"
        set +o xtrace
        export OS_IDENTITY_API_VERSION=3 OS_AUTH_TYPE=password OS_AUTH_URL=$KEYSTONE_SERVICE_URI_V3 OS_REGION_NAME=$REGION_NAME OS_INTERFACE=public
        export OS_USERNAME=$RBDBACKUP_SERVICE_USER OS_PASSWORD=$SERVICE_PASSWORD OS_PROJECT_NAME=$SERVICE_PROJECT_NAME
        export OS_USER_DOMAIN_NAME=$SERVICE_DOMAIN_NAME OS_PROJECT_DOMAIN_NAME=$SERVICE_DOMAIN_NAME
        if is_service_enabled tls-proxy; then
            export OS_CACERT=$SSL_BUNDLE_FILE
        fi
        "$@"
    )
}

function make_rbdbackup_bucket {
    local status nothing
    # What S3 signs in the place of a body, which curl leaves out.
    nothing=$(sha256sum </dev/null | cut -d ' ' -f 1)
    status=$(rbdbackup_secret curl_user | curl --config - --silent --show-error --output /dev/null --write-out '%{http_code}' --request PUT \
        --aws-sigv4 "aws:amz:$RBDBACKUP_S3_REGION:s3" --header "x-amz-content-sha256: $nothing" "$RBDBACKUP_S3_ENDPOINT_URL/$(rbdbackup_url_name "$RBDBACKUP_STORE_URL")")
    # 409: it is there. Whether it is ours, the first use of it says.
    if [[ "$status" != 200 && "$status" != 409 ]]; then
        die $LINENO "bucket $(rbdbackup_url_name "$RBDBACKUP_STORE_URL") could not be made at $RBDBACKUP_S3_ENDPOINT_URL: status $status"
    fi
}

function start_rbdbackup {
    run_process rbdbackup "${RBDBACKUP_BIN:-$RBDBACKUP_DIR/bin/rbdbackup} --config-dir $RBDBACKUP_CONF_DIR worker"
}

# The configuration is right, and the worker reaches Ceph, the store and the broker.
function check_rbdbackup {
    local limit=$((SECONDS + 60))
    rbdbackup_command config check
    until curl --silent --fail --noproxy '*' "http://127.0.0.1:$RBDBACKUP_HTTP_PORT/readyz"; do
        if ((SECONDS >= limit)); then
            die $LINENO "RbdBackup's worker is not ready after a minute; see journalctl -u devstack@rbdbackup and http://127.0.0.1:$RBDBACKUP_HTTP_PORT/readyz"
        fi
        sleep 1
    done
}

if is_service_enabled rbdbackup; then
    case "$1 ${2:-}" in
        "stack pre-install")
            echo_summary "Installing RbdBackup's packages"
            install_rbdbackup_packages
            ;;
        "stack install")
            echo_summary "Building RbdBackup"
            build_rbdbackup
            ;;
        "stack post-config")
            echo_summary "Configuring RbdBackup"
            configure_rbdbackup_ceph
            configure_rbdbackup_broker
            configure_rbdbackup_services
            configure_rbdbackup_keystone
            configure_rbdbackup
            ;;
        "stack extra")
            echo_summary "Starting RbdBackup"
            make_rbdbackup_store
            start_rbdbackup
            ;;
        "stack test-config")
            echo_summary "Checking RbdBackup"
            check_rbdbackup
            ;;
        # What needs the services goes while they are there. Restore points stay, wherever they are.
        "unstack ")
            stop_process rbdbackup
            cleanup_rbdbackup_services
            cleanup_rbdbackup_keystone
            cleanup_rbdbackup_broker
            ;;
        "clean ")
            cleanup_rbdbackup_ceph
            sudo rm -rf "$RBDBACKUP_CONF_DIR"
            ;;
    esac
fi
