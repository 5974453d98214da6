# shellcheck shell=bash
# Nova with one hypervisor: QEMU under software emulation, root disks in pool vms.

NOVA_DAEMONS=(nova-api nova-conductor nova-scheduler nova-compute)

# nova_conf: for the services with a database.
nova_conf() {
    nova_common_conf
    cat <<CONF

[api_database]
connection = $(mariadb_url nova_api)

[database]
connection = $(mariadb_url nova)
CONF
}

# nova_common_conf: for nova-compute, which refuses to see a database.
nova_common_conf() {
    cat <<CONF
[DEFAULT]
$(openstack_common_conf)
host = mini
my_ip = 127.0.0.1
state_path = $OPENSTACK_HOME/nova
instances_path = $OPENSTACK_HOME/nova/instances
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $PORT_NOVA
osapi_compute_workers = 1
compute_driver = libvirt.LibvirtDriver
allow_resize_to_same_host = true
report_interval = 5
service_down_time = 30
# A guest has this many seconds to shut itself down.
shutdown_timeout = 10
# After a down and an up the servers run that ran before.
resume_guests_state_on_host_boot = true
reserved_host_memory_mb = 0
# Without it: vfat, where an image says no os_type. mkfs.vfat is a package more, and what is left where it is missing is an empty disk that later servers get.
default_ephemeral_format = ext4

[api]
auth_strategy = keystone

[wsgi]
api_paste_config = $OPENSTACK_LIB/nova-paste.ini

[conductor]
workers = 1

[scheduler]
workers = 1
discover_hosts_in_cells_interval = 5

[vnc]
enabled = false

[glance]
api_servers = http://127.0.0.1:$PORT_GLANCE

[cinder]
catalog_info = volumev3::publicURL
os_region_name = RegionOne

$(openstack_user_conf placement placement)

$(openstack_user_conf neutron neutron)

$(openstack_user_conf service_user nova)
send_service_user_token = true

[notifications]
notification_format = both
notify_on_state_change = vm_and_task_state
bdms_in_notifications = true
versioned_notifications_topics = versioned_notifications,rbdbackup_versioned

$(openstack_notification_conf)

[oslo_concurrency]
lock_path = $OPENSTACK_HOME/nova/lock

$(openstack_privsep_conf nova "$OPENSTACK_HOME/nova-compute.conf" nova_sys_admin privsep_osbrick vif_plug_linux_bridge_privileged vif_plug_ovs_privileged)

$(openstack_key_manager_conf nova)

[libvirt]
connection_uri = $LIBVIRT_URI
virt_type = qemu
cpu_mode = none
images_type = rbd
images_rbd_pool = vms
images_rbd_ceph_conf = $CEPH_CONF
rbd_user = nova
rbd_secret_uuid = $(<"$OPENSTACK_HOME/nova-secret-uuid")
wait_soft_reboot_seconds = 10

$(openstack_token_conf nova)
CONF
}

nova_start() {
    local name port conf
    mkdir -p "$OPENSTACK_HOME"/nova/{instances,lock}
    for name in "${NOVA_DAEMONS[@]}"; do
        port=- conf=nova.conf
        case $name in
        nova-api) port=$PORT_NOVA ;;
        nova-compute) conf=nova-compute.conf ;;
        esac
        if is_running "$name"; then continue; fi
        spawn "$name" "$port" "${OPENSTACK_RUN[@]}" "$name" --config-file "$OPENSTACK_HOME/$conf" --log-file "$MINI_HOME/log/$name.log"
    done
}
