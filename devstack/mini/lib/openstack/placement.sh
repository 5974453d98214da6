# shellcheck shell=bash
# Placement.

placement_conf() {
    cat <<CONF
[DEFAULT]
log_file = $MINI_HOME/log/placement-api.log

[placement_database]
connection = $(mariadb_url placement)

[api]
auth_strategy = keystone

$(openstack_token_conf placement)
CONF
}

placement_start() {
    if is_running placement-api; then return 0; fi
    spawn placement-api "$PORT_PLACEMENT" OS_PLACEMENT_CONFIG_DIR="$OPENSTACK_HOME" "${OPENSTACK_RUN[@]}" placement-api "$PORT_PLACEMENT"
}
