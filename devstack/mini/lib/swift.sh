# shellcheck shell=bash
# Swift: three replicas on three folders, and two proxies: one with Swift's own authentication (TempAuth), one with Keystone's.

SWIFT_HOME=$MINI_HOME/swift
SWIFT_CONTAINER=rbdbackup-test
SWIFT_DAEMONS=(swift-keystone-proxy swift-proxy swift-object swift-container swift-account memcached)

# Everything starts in the background; swift_await waits for it.
swift_start() {
    mkdir -p "$SWIFT_HOME"/d{1,2,3}
    swift_check_xattr
    if [[ ! -s $SWIFT_HOME/password ]]; then random_hex 16 | write_file "$SWIFT_HOME/password"; fi
    swift_write_conf
    if [[ ! -s $SWIFT_HOME/object.ring.gz ]]; then
        /usr/bin/python3 -I "$HERE/lib/swift_rings.py" "$SWIFT_HOME" "$PORT_SWIFT_ACCOUNT" "$PORT_SWIFT_CONTAINER" "$PORT_SWIFT_OBJECT" ||
            die "Swift's rings could not be made"
    fi
    if ! is_running memcached; then spawn memcached "$PORT_MEMCACHED" memcached -u "$(id -un)" -l 127.0.0.1 -p "$PORT_MEMCACHED" -U 0 -m 32 -t 1; fi
    swift_spawn account "$PORT_SWIFT_ACCOUNT"
    swift_spawn container "$PORT_SWIFT_CONTAINER"
    swift_spawn object "$PORT_SWIFT_OBJECT"
    swift_spawn proxy "$PORT_SWIFT"
    swift_spawn keystone-proxy "$PORT_SWIFT_KEYSTONE"
}

# Objects carry their metadata in extended attributes.
swift_check_xattr() {
    /usr/bin/python3 -I -c 'import os, sys; os.setxattr(sys.argv[1], "user.rbdbackup", b"x" * 1000)' "$SWIFT_HOME/d1" 2>/dev/null ||
        die "the filesystem of $SWIFT_HOME takes no extended attributes, which Swift needs; set MINI_HOME to a folder on ext4 or xfs"
}

# swift_spawn NAME PORT: NAME.conf says what it is.
swift_spawn() {
    if is_running "swift-$1"; then return 0; fi
    spawn "swift-$1" "$2" /usr/bin/python3 -I "$HERE/lib/swift_server.py" "${1##*-}" "$SWIFT_HOME/$1.conf"
}

swift_write_conf() {
    local name
    if [[ ! -s $SWIFT_HOME/swift.conf ]]; then
        # Names are hashed with this: another one would not find what is stored.
        write_file "$SWIFT_HOME/swift.conf" <<CONF
[swift-hash]
swift_hash_path_prefix = $(random_hex 16)
swift_hash_path_suffix = $(random_hex 16)

[swift-constraints]
# Short pages, so that a test need not store ten thousand objects.
container_listing_limit = 100
CONF
    fi
    for name in account container object; do swift_backend_conf "$name" | write_file "$SWIFT_HOME/$name.conf"; done
    swift_proxy_conf "$PORT_SWIFT" tempauth | write_file "$SWIFT_HOME/proxy.conf"
    swift_proxy_conf "$PORT_SWIFT_KEYSTONE" 'authtoken keystoneauth' | write_file "$SWIFT_HOME/keystone-proxy.conf"
}

# swift_default_conf PORT: what all servers share. Their log goes to standard error, and not to the machine's syslog.
swift_default_conf() {
    cat <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
workers = 0
user = $(id -un)
swift_dir = $SWIFT_HOME
log_address = /dev/null
log_level = WARNING
CONF
}

swift_backend_conf() {
    local port=PORT_SWIFT_${1^^}
    swift_default_conf "${!port}"
    cat <<CONF
devices = $SWIFT_HOME
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
container_update_timeout = 20

[pipeline:main]
pipeline = $1-server

[app:$1-server]
use = egg:swift#$1
node_timeout = 30
conn_timeout = 5
CONF
}

swift_proxy_conf() {
    swift_default_conf "$1"
    cat <<CONF

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats $2 container-quotas proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 30
conn_timeout = 5

[filter:catch_errors]
use = egg:swift#catch_errors

# A client's X-Timestamp is taken: a test needs an object from a proxy whose clock runs ahead.
[filter:gatekeeper]
use = egg:swift#gatekeeper
shunt_inbound_x_timestamp = false

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$PORT_MEMCACHED

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:container-quotas]
use = egg:swift#container_quotas

[filter:tempauth]
use = egg:swift#tempauth
user_mini_rbdbackup = $(<"$SWIFT_HOME/password") .admin

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = http://127.0.0.1:$PORT_KEYSTONE
auth_url = http://127.0.0.1:$PORT_KEYSTONE/v3
auth_type = password
username = admin
password = $(<"$KEYSTONE_HOME/password")
project_name = admin
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
service_token_roles_required = true
# A revoked token is refused at once.
token_cache_time = -1

[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
CONF
}

swift_await() {
    await 60 swift-proxy "take a container" swift_make_container "http://127.0.0.1:$PORT_SWIFT/auth/v1.0" mini:rbdbackup "$SWIFT_HOME/password"
    await 60 swift-keystone-proxy "take a container" swift_make_container "http://127.0.0.1:$PORT_KEYSTONE/v3" rbdbackup "$KEYSTONE_HOME/user-password"
}

swift_make_container() { /usr/bin/python3 -I "$HERE/lib/swift_make_container.py" "$1" "$2" "$SWIFT_CONTAINER" <"$3"; }

swift_env() {
    if [[ ! -s $SWIFT_HOME/object.ring.gz ]]; then return 0; fi
    print_export RBDBACKUP_TEST_SWIFT_AUTH_URL "http://127.0.0.1:$PORT_SWIFT/auth/v1.0"
    print_export RBDBACKUP_TEST_SWIFT_USER mini:rbdbackup
    print_export RBDBACKUP_TEST_SWIFT_KEY "$(<"$SWIFT_HOME/password")"
    print_export RBDBACKUP_TEST_SWIFT_CONTAINER "$SWIFT_CONTAINER"
}
