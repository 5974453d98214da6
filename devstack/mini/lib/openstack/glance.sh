# shellcheck shell=bash
# Glance on RBD, pool images.

glance_conf() {
    cat <<CONF
[DEFAULT]
bind_host = 127.0.0.1
bind_port = $PORT_GLANCE
workers = 0
log_file = $MINI_HOME/log/glance-api.log
$(openstack_common_conf)
enabled_backends = rbd:rbd
enabled_import_methods = [glance-direct]
node_staging_uri = file://$OPENSTACK_HOME/glance/staging
# Nova and Cinder clone an image where they see that it is on their own Ceph.
show_image_direct_url = true
show_multiple_locations = true

[glance_store]
default_backend = rbd

[rbd]
rbd_store_pool = images
rbd_store_user = glance
rbd_store_ceph_conf = $CEPH_CONF

[os_glance_tasks_store]
filesystem_store_datadir = $OPENSTACK_HOME/glance/tasks

[os_glance_staging_store]
filesystem_store_datadir = $OPENSTACK_HOME/glance/staging

[database]
connection = $(mariadb_url glance)

[paste_deploy]
flavor = keystone
config_file = $OPENSTACK_LIB/glance-paste.ini

$(openstack_notification_conf)

[oslo_concurrency]
lock_path = $OPENSTACK_HOME/glance/lock

$(openstack_token_conf glance)
CONF
}

glance_start() {
    if is_running glance-api; then return 0; fi
    mkdir -p "$OPENSTACK_HOME"/glance/{staging,tasks,lock}
    spawn glance-api "$PORT_GLANCE" "${OPENSTACK_RUN[@]}" glance-api --config-file "$OPENSTACK_HOME/glance.conf"
}
