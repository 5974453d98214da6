# shellcheck shell=bash
# OpenStack: what its services share, and the way up and down. Each service has a file in openstack/.

OPENSTACK_HOME=$MINI_HOME/openstack
OPENSTACK_LIB=$HERE/lib/openstack
# shellcheck disable=SC2034 # the services' files use it
OPENSTACK_RUN=(/usr/bin/python3 -I "$OPENSTACK_LIB/service.py")
# shellcheck disable=SC2034
OPENSTACK_NAMESPACE=(unshare --mount --propagation private "$OPENSTACK_LIB/private-mounts")

for part in mariadb placement glance cinder libvirt nova; do
    # shellcheck source=/dev/null
    . "$OPENSTACK_LIB/$part.sh"
done

OPENSTACK_DAEMONS=(nova-compute libvirtd nova-api nova-scheduler nova-conductor cinder-volume cinder-scheduler cinder-api
    glance-api placement-api neutron-stub mariadb)

# Before Ceph is there: the databases, and in the background their tables and the guest's image, while Ceph boots.
openstack_start() {
    local name
    if [[ $EUID != 0 ]]; then die "OpenStack's hypervisor needs root; all else of mini does not"; fi
    mkdir -p "$OPENSTACK_HOME"
    openstack_secret service-password
    openstack_secret tenant-a-password
    openstack_secret tenant-b-password
    openstack_secret encryption-key 32
    openstack_uuid nova-secret-uuid
    openstack_uuid cinder-secret-uuid
    mariadb_start
    for name in nova cinder glance placement; do "${name}_conf" | write_file "$OPENSTACK_HOME/$name.conf"; done
    nova_common_conf | write_file "$OPENSTACK_HOME/nova-compute.conf"
    # It keeps the lock: should this `up` be killed, the next one waits for its end.
    openstack_prepare &
    OPENSTACK_PREPARATION=$!
}

openstack_prepare() {
    local nova=(--config-file "$OPENSTACK_HOME/nova.conf")
    mariadb_await
    openstack_make_tables placement placement --config-file "$OPENSTACK_HOME/placement.conf" db sync
    openstack_make_tables glance glance --config-file "$OPENSTACK_HOME/glance.conf" db_sync
    openstack_make_tables cinder cinder --config-file "$OPENSTACK_HOME/cinder.conf" db sync
    openstack_make_tables nova 'nova_api nova nova_cell0' "${nova[@]}" api_db sync and "${nova[@]}" cell_v2 map_cell0 and \
        "${nova[@]}" db sync and "${nova[@]}" cell_v2 create_cell --name cell1
    if [[ ! -s $OPENSTACK_HOME/guest.img ]]; then
        "$OPENSTACK_LIB/make-guest" "$GUEST_KERNEL" "$OPENSTACK_HOME/guest.img" >>"$MINI_HOME/log/guest.out" 2>&1 ||
            die_of_daemon guest "the guest's image could not be made"
    fi
}

# When Ceph, RabbitMQ and Keystone answer.
openstack_up() {
    local since=0
    if ! wait "$OPENSTACK_PREPARATION"; then die "OpenStack could not be prepared; the reason is above"; fi
    openstack_seed catalogue
    if ! openstack_all_run; then since=$EPOCHSECONDS; fi
    if ! is_running neutron-stub; then spawn neutron-stub "$PORT_NEUTRON" /usr/bin/python3 -I "$OPENSTACK_LIB/neutron_stub.py" "$PORT_NEUTRON" "$OPENSTACK_HOME/ports" "$(openstack_bridge)"; fi
    # nova-compute takes no server for up to a minute after it lost its libvirtd.
    if ! is_running libvirtd; then stop_daemons nova-compute; fi
    libvirt_start
    placement_start
    glance_start
    cinder_start
    libvirt_await
    nova_start
    openstack_await "$since" "${OPENSTACK_DAEMONS[@]}"
    openstack_seed cloud "$OPENSTACK_HOME/guest.img"
}

openstack_all_run() {
    local name
    for name in "${OPENSTACK_DAEMONS[@]}"; do
        if ! is_running "$name"; then return 1; fi
    done
}

# openstack_await SINCE DAEMON...: until every API answers, and each of these has reported itself after that time.
openstack_await() {
    local since=$1 limit=$((SECONDS + 180)) name missing=''; shift
    until missing=$(openstack_python ready "$since" "$@" 2>&1); do
        for name; do
            if ! is_alive "$name"; then die_of_daemon "$name" "$name ended while it was to become ready"; fi
        done
        if ((SECONDS >= limit)); then die "OpenStack is not ready after three minutes: $missing; the logs are in $MINI_HOME/log"; fi
        sleep 1
    done
}

openstack_seed() { openstack_python "$@" 2>>"$MINI_HOME/log/openstack-seed.out" || die_of_daemon openstack-seed "OpenStack did not take its $1"; }

# What is made in the services, and asked of them. The passwords go by standard input.
openstack_python() {
    cat "$KEYSTONE_HOME/password" "$OPENSTACK_HOME"/{service,tenant-a,tenant-b}-password |
        /usr/bin/python3 -I "$OPENSTACK_LIB/seed.py" "$PORT_KEYSTONE" "$PORT_NOVA" "$PORT_CINDER" "$PORT_GLANCE" "$PORT_PLACEMENT" "$PORT_NEUTRON" "$@"
}

# Guests end while nova-compute does not look: it would note that their owner stopped them.
openstack_down() {
    stop_daemons nova-compute
    stop_together guest nova-{api,scheduler,conductor} cinder-{backup,volume,volume-more,scheduler,api} glance-api placement-api neutron-stub
    stop_daemons libvirtd mariadb
    if [[ -e $MINI_HOME/ports && -e /sys/class/net/$(openstack_bridge) ]]; then ip link delete "$(openstack_bridge)"; fi
}

# The bridge that Nova makes for the first guest with a network card. Nothing but such cards is ever in it, and it has no address.
openstack_bridge() {
    load_ports
    echo "mini$PORT_BASE"
}

# openstack_secret NAME [BYTES]: made once, kept in a file.
openstack_secret() {
    if [[ ! -s $OPENSTACK_HOME/$1 ]]; then { random_hex "${2-16}"; echo; } | write_file "$OPENSTACK_HOME/$1"; fi
}

openstack_uuid() {
    if [[ ! -s $OPENSTACK_HOME/$1 ]]; then write_file "$OPENSTACK_HOME/$1" </proc/sys/kernel/random/uuid; fi
}

openstack_common_conf() { echo "transport_url = rabbit://mini:$(<"$RABBITMQ_HOME/password")@127.0.0.1:$PORT_AMQP/"; }

# Ceilometer's topic, and one of our own beside it.
openstack_notification_conf() {
    cat <<CONF
[oslo_messaging_notifications]
driver = messagingv2
topics = notifications,rbdbackup

[oslo_messaging_rabbit]
heartbeat_timeout_threshold = 0
CONF
}

# openstack_user_conf SECTION USER: how a service logs in as a user of project service.
openstack_user_conf() {
    cat <<CONF
[$1]
auth_type = password
auth_url = http://127.0.0.1:$PORT_KEYSTONE/v3
project_domain_id = default
user_domain_id = default
project_name = service
username = $2
password = $(<"$OPENSTACK_HOME/service-password")
region_name = RegionOne
CONF
}

openstack_token_conf() {
    openstack_user_conf keystone_authtoken "$1"
    cat <<CONF
www_authenticate_uri = http://127.0.0.1:$PORT_KEYSTONE/v3
service_token_roles = service
service_token_roles_required = true
CONF
}

# openstack_privsep_conf SERVICE CONFIGURATION SECTION...: all run as root, so nobody needs sudo or rootwrap.
openstack_privsep_conf() {
    local section
    for section in "${@:3}"; do printf '[%s]\nhelper_command = privsep-helper --config-file %s\n\n' "$section" "$2"; done
}

# One key for all encrypted volumes, in place of a Barbican.
openstack_key_manager_conf() {
    printf '[key_manager]\nbackend = %s.keymgr.conf_key_mgr.ConfKeyManager\nfixed_key = %s\n' "$1" "$(<"$OPENSTACK_HOME/encryption-key")"
}

openstack_env() {
    local tenant
    if [[ ! -e $OPENSTACK_HOME/nova.made ]]; then return 0; fi
    print_export OS_AUTH_URL "http://127.0.0.1:$PORT_KEYSTONE/v3"
    print_export OS_IDENTITY_API_VERSION 3
    print_export OS_REGION_NAME RegionOne
    print_export OS_USER_DOMAIN_ID default
    print_export OS_PROJECT_DOMAIN_ID default
    print_export OS_PROJECT_NAME admin
    print_export OS_USERNAME admin
    print_export OS_PASSWORD "$(<"$KEYSTONE_HOME/password")"
    for tenant in a b; do
        print_export "RBDBACKUP_TEST_TENANT_${tenant^^}_PROJECT" "tenant-$tenant"
        print_export "RBDBACKUP_TEST_TENANT_${tenant^^}_USER" "tenant-$tenant"
        print_export "RBDBACKUP_TEST_TENANT_${tenant^^}_PASSWORD" "$(<"$OPENSTACK_HOME/tenant-$tenant-password")"
    done
    print_export RBDBACKUP_TEST_SERVICE_PROJECT service
    print_export RBDBACKUP_TEST_SERVICE_USER rbdbackup-service
    print_export RBDBACKUP_TEST_SERVICE_PASSWORD "$(<"$OPENSTACK_HOME/service-password")"
    print_export RBDBACKUP_TEST_NOVA_URL "http://127.0.0.1:$PORT_NOVA/v2.1"
    print_export RBDBACKUP_TEST_CINDER_URL "http://127.0.0.1:$PORT_CINDER/v3"
    print_export RBDBACKUP_TEST_GLANCE_URL "http://127.0.0.1:$PORT_GLANCE"
    print_export RBDBACKUP_TEST_LIBVIRT_URI "$LIBVIRT_URI"
    print_export RBDBACKUP_TEST_NETWORK 00000000-0000-0000-0000-0000000000e0
}
