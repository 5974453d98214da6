#!/usr/bin/env bash
# The DevStack plugin: source plugin.sh <mode> [phase]. See settings beside it for how to enable it and what may be set.

RBDBACKUP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RBDBACKUP_CONF=$RBDBACKUP_CONF_DIR/rbdbackup.conf
# shellcheck source=devstack/cephx.sh
source "$RBDBACKUP_DIR/devstack/cephx.sh"

function install_rbdbackup_packages {
    install_package ceph-common libzstd1 make
    if ! command -v dotnet >/dev/null; then
        install_package dotnet-sdk-10.0 || die $LINENO "RbdBackup needs the .NET 10 SDK; this distribution has no package of it, so install it before stack.sh"
    fi
}

function build_rbdbackup {
    make -C "$RBDBACKUP_DIR" build
}

# rbdbackup_cephx_user NAME MON_CAPS: creates it, or corrects its capabilities, and writes its keyring where Ceph's clients look.
function rbdbackup_cephx_user {
    local name=$1 mon_caps=$2 keyring=/etc/ceph/ceph.$1.keyring osd_caps
    osd_caps=$(rbdbackup_osd_caps "${NOVA_CEPH_POOL:-vms}" "${CINDER_CEPH_POOL:-volumes}" "${GLANCE_CEPH_POOL:-images}" "$RBDBACKUP_STATE_POOL")
    sudo ceph auth get-or-create "$name" >/dev/null
    sudo ceph auth caps "$name" mon "$mon_caps" osd "$osd_caps"
    sudo install -m 0640 -o root -g "$(id -gn "$STACK_USER")" /dev/null "$keyring"
    sudo ceph auth get "$name" 2>/dev/null | sudo tee "$keyring" >/dev/null
}

function configure_rbdbackup_ceph {
    sudo ceph osd pool create "$RBDBACKUP_STATE_POOL" 8
    sudo rbd pool init "$RBDBACKUP_STATE_POOL"
    rbdbackup_cephx_user client.rbdbackup "$RBDBACKUP_MON_CAPS"
    rbdbackup_cephx_user client.rbdbackup-restore "$RBDBACKUP_RESTORE_MON_CAPS"
}

# The services' exchanges may be read, and made where they are missing; nothing of the services' may be written.
function configure_rbdbackup_rabbit {
    local password=${RBDBACKUP_RABBIT_PASSWORD:-$RABBIT_PASSWORD} own='rbdbackup\..*' services='nova|cinder|openstack'
    rabbit_setuser "$RBDBACKUP_RABBIT_USER" "$password"
    sudo rabbitmqctl set_permissions "$RBDBACKUP_RABBIT_USER" "^($own|$services)\$" "^($own|amq\.default)\$" "^($own|$services)\$"
    if [[ -n "$RBDBACKUP_UNREAD_LIMIT" ]] && ! is_service_enabled ceilometer-anotification; then
        sudo rabbitmqctl set_policy --apply-to queues rbdbackup-unread "^($RBDBACKUP_TOPIC|$RBDBACKUP_VERSIONED_TOPIC)\." \
            "{\"max-length\": $RBDBACKUP_UNREAD_LIMIT, \"overflow\": \"drop-head\"}"
    fi
}

# rbdbackup_add_topic FILE SECTION OPTION DEFAULT TOPIC: adds to a comma-separated list of topics what is not in it.
function rbdbackup_add_topic {
    local topics
    topics=$(iniget "$1" "$2" "$3")
    topics=${topics:-$4}
    if [[ ",${topics// /}," != *",$5,"* ]]; then
        topics+=",$5"
    fi
    iniset "$1" "$2" "$3" "$topics"
}

# Turns notifications on in one configuration file. Both services leave them off unless Ceilometer is there.
function rbdbackup_enable_notifications {
    iniset "$1" oslo_messaging_notifications driver messagingv2
    iniset "$1" oslo_messaging_notifications transport_url "$(get_notification_url)"
    rbdbackup_add_topic "$1" oslo_messaging_notifications topics notifications "$RBDBACKUP_TOPIC"
}

function configure_rbdbackup_services {
    local conf cell
    if is_service_enabled cinder; then
        rbdbackup_enable_notifications "$CINDER_CONF"
    fi
    if is_service_enabled nova; then
        # A cell's conductor reads its own file alone, and it sends what nova-compute changes.
        for conf in "$NOVA_CONF" $(for cell in $(seq 1 "${NOVA_NUM_CELLS:-1}"); do conductor_conf "$cell"; done); do
            if [[ -f "$conf" ]]; then
                rbdbackup_enable_notifications "$conf"
                # Without it Nova says nothing when a server's metadata changes.
                iniset "$conf" notifications notify_on_state_change vm_and_task_state
                rbdbackup_add_topic "$conf" notifications versioned_notifications_topics versioned_notifications "$RBDBACKUP_VERSIONED_TOPIC"
            fi
        done
    fi
}

function configure_rbdbackup {
    local t=$RBDBACKUP_TOPIC v=$RBDBACKUP_VERSIONED_TOPIC password=${RBDBACKUP_RABBIT_PASSWORD:-$RABBIT_PASSWORD}
    sudo install -d -o "$STACK_USER" -m 0750 "$RBDBACKUP_CONF_DIR"
    # Empty at first, so that it never stands there readable with a secret in it.
    install -m 0640 /dev/null "$RBDBACKUP_CONF"
    iniset "$RBDBACKUP_CONF" ceph conf "${CEPH_CONF_FILE:-/etc/ceph/ceph.conf}"
    iniset "$RBDBACKUP_CONF" ceph state_pool "$RBDBACKUP_STATE_POOL"
    iniset "$RBDBACKUP_CONF" ceph vms_pool "${NOVA_CEPH_POOL:-vms}"
    iniset "$RBDBACKUP_CONF" ceph volumes_pool "${CINDER_CEPH_POOL:-volumes}"
    iniset "$RBDBACKUP_CONF" store url "$RBDBACKUP_STORE_URL"
    if [[ -n "$RBDBACKUP_S3_ENDPOINT_URL" ]]; then
        iniset "$RBDBACKUP_CONF" store s3_endpoint_url "$RBDBACKUP_S3_ENDPOINT_URL"
    fi
    if [[ -n "$RBDBACKUP_S3_ACCESS_KEY" ]]; then
        iniset "$RBDBACKUP_CONF" store s3_access_key "$RBDBACKUP_S3_ACCESS_KEY"
        iniset "$RBDBACKUP_CONF" store s3_secret_key "$RBDBACKUP_S3_SECRET_KEY"
    fi
    iniset "$RBDBACKUP_CONF" notifications transport_url "rabbit://$RBDBACKUP_RABBIT_USER:$password@$RABBIT_HOST:5672/"
    iniset "$RBDBACKUP_CONF" notifications routing_keys "$t.info, $t.error, $v.info, $v.error"
    if [[ "$RBDBACKUP_STORE_URL" == file://* ]]; then
        sudo install -d -o "$STACK_USER" -m 0700 "${RBDBACKUP_STORE_URL#file://}"
    fi
}

function start_rbdbackup {
    run_process rbdbackup "$RBDBACKUP_DIR/bin/rbdbackup --config-file $RBDBACKUP_CONF worker"
}

# The restore points stay, wherever they are: clean.sh is no reason to lose a backup.
function cleanup_rbdbackup {
    sudo rm -rf "$RBDBACKUP_CONF_DIR" /etc/ceph/ceph.client.rbdbackup.keyring /etc/ceph/ceph.client.rbdbackup-restore.keyring
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
            configure_rbdbackup_rabbit
            configure_rbdbackup_services
            configure_rbdbackup
            ;;
        "stack extra")
            echo_summary "Starting RbdBackup"
            start_rbdbackup
            ;;
        "unstack ")
            stop_process rbdbackup
            ;;
        "clean ")
            cleanup_rbdbackup
            ;;
    esac
fi
