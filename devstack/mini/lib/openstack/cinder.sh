# shellcheck shell=bash
# Cinder on RBD, pool volumes. Its own backup service, on pool backups, only when it is asked for.

CINDER_DAEMONS=(cinder-api cinder-scheduler cinder-volume)

cinder_conf() {
    cat <<CONF
[DEFAULT]
$(openstack_common_conf)
control_exchange = cinder
host = mini
my_ip = 127.0.0.1
state_path = $OPENSTACK_HOME/cinder
image_conversion_dir = $OPENSTACK_HOME/cinder/conversion
api_paste_config = $OPENSTACK_LIB/cinder-paste.ini
resource_query_filters_file = $OPENSTACK_LIB/cinder-filters.json
auth_strategy = keystone
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = $PORT_CINDER
osapi_volume_workers = 1
enabled_backends = rbd
glance_api_servers = http://127.0.0.1:$PORT_GLANCE
report_interval = 5
service_down_time = 30
# The scheduler hears of the pool as often as this.
periodic_interval = 10
backup_driver = cinder.backup.drivers.ceph.CephBackupDriver
backup_ceph_conf = $CEPH_CONF
backup_ceph_user = cinder-backup
backup_ceph_pool = backups
backup_workers = 1

[rbd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = rbd
rbd_pool = volumes
rbd_ceph_conf = $CEPH_CONF
rbd_user = cinder
rbd_secret_uuid = $(<"$OPENSTACK_HOME/cinder-secret-uuid")
report_discard_supported = true

[database]
connection = $(mariadb_url cinder)

$(openstack_notification_conf)

[oslo_concurrency]
lock_path = $OPENSTACK_HOME/cinder/lock

[coordination]
backend_url = file://$OPENSTACK_HOME/cinder/lock

$(openstack_privsep_conf cinder "$OPENSTACK_HOME/cinder.conf" cinder_sys_admin privsep_osbrick)

$(openstack_key_manager_conf cinder)

$(openstack_user_conf nova cinder)

$(openstack_user_conf service_user cinder)
send_service_user_token = true

$(openstack_token_conf cinder)
CONF
}

cinder_start() {
    local name
    mkdir -p "$OPENSTACK_HOME"/cinder/{conversion,lock}
    for name in "${CINDER_DAEMONS[@]}"; do cinder_spawn "$name"; done
}

# os-brick finds a keyring in /etc/ceph and nowhere else.
cinder_spawn() {
    local port=- namespace=("${OPENSTACK_NAMESPACE[@]}" "$CEPH_HOME" /etc/ceph --)
    if is_running "$1"; then return 0; fi
    if [[ $1 == cinder-api ]]; then port=$PORT_CINDER namespace=(); fi
    spawn "$1" "$port" "${namespace[@]}" "${OPENSTACK_RUN[@]}" "$1" \
        --config-file "$OPENSTACK_HOME/cinder.conf" --log-file "$MINI_HOME/log/$1.log"
}

cinder_backup_up() {
    if [[ ! -e $OPENSTACK_HOME/backups.made ]]; then
        ceph_do mon "create pool backups" ceph osd pool create backups
        ceph_do osd "initialise pool backups" rbd pool init backups
        touch "$OPENSTACK_HOME/backups.made"
    fi
    if is_running cinder-backup; then return 0; fi
    cinder_spawn cinder-backup
    openstack_await "$EPOCHSECONDS" cinder-backup
}
