# shellcheck shell=bash
# Ceph: one mon, one mgr, one bluestore OSD on a sparse file.

# shellcheck source=devstack/cephx.sh
. "$HERE/../cephx.sh"

CEPH_HOME=$MINI_HOME/ceph
export CEPH_CONF=$CEPH_HOME/ceph.conf
POOLS=(vms volumes images rbdbackup)

# The users and their capabilities.
ceph_users() {
    local osd_caps
    osd_caps=$(rbdbackup_osd_caps vms volumes images rbdbackup)
    ceph_user client.admin mon 'allow *' mgr 'allow *' osd 'allow *' mds 'allow *'
    ceph_user mgr.x mon 'allow profile mgr' osd 'allow *' mds 'allow *'
    ceph_user osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
    ceph_user client.rgw mon 'allow rw' osd 'allow rwx' mgr 'allow rw'
    # As clouds have them. Nova's snapshot of a server clones into Glance's pool, so Nova may write there.
    ceph_user client.glance mon 'profile rbd' mgr 'profile rbd pool=images' osd 'profile rbd pool=images'
    ceph_user client.cinder mon 'profile rbd' mgr 'profile rbd pool=volumes, profile rbd pool=vms' \
        osd 'profile rbd pool=volumes, profile rbd pool=vms, profile rbd-read-only pool=images'
    ceph_user client.cinder-backup mon 'profile rbd' mgr 'profile rbd pool=backups' osd 'profile rbd pool=backups'
    ceph_user client.nova mon 'profile rbd' mgr 'profile rbd pool=vms, profile rbd pool=volumes' \
        osd 'profile rbd pool=vms, profile rbd pool=volumes, profile rbd pool=images'
    ceph_user client.rbdbackup mon "$RBDBACKUP_MON_CAPS" osd "$osd_caps"
    ceph_user client.rbdbackup-worker mon "$RBDBACKUP_MON_CAPS" osd "$(rbdbackup_osd_caps vms volumes images rbdbackup 'e2e-*')"
    ceph_user client.rbdbackup-restore mon "$RBDBACKUP_RESTORE_MON_CAPS" osd "$osd_caps"
}

# ceph_user NAME [SERVICE CAPS]...: its keyring, with the key it has had, or a new one.
ceph_user() {
    local name=$1 file=$CEPH_HOME/ceph.$1.keyring key=''; shift
    if [[ -s $file ]]; then key=$(sed -n 's/^\s*key = //p' "$file"); fi
    {
        printf '[%s]\n\tkey = %s\n' "$name" "${key:-$(ceph-authtool --gen-print-key)}"
        while [[ $# -gt 0 ]]; do printf '\tcaps %s = "%s"\n' "$1" "$2"; shift 2; done
    } | write_file "$file"
}

ceph_all_keyrings() { cat "$CEPH_HOME"/ceph.*.*.keyring; }

write_ceph_conf() {
    local sockets=$MINI_HOME/run/\$name.asok
    # A Unix socket's path has at most 107 bytes. In a deeper folder the daemons go without their admin sockets.
    if ((${#MINI_HOME} > 85)); then sockets=''; fi
    write_file "$CEPH_CONF" <<CONF
[global]
fsid = $(<"$CEPH_HOME/fsid")
mon_host = [v2:127.0.0.1:$PORT_MON]
public_network = 127.0.0.0/8
ms_bind_msgr1 = false
ms_bind_port_min = $PORT_CEPH_FIRST
ms_bind_port_max = $PORT_CEPH_LAST
keyring = $CEPH_HOME/ceph.\$name.keyring
run_dir = $MINI_HOME/run
crash_dir = $MINI_HOME/log
log_file = $MINI_HOME/log/\$type.log
admin_socket = $sockets
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0

[mon]
mon_data = $CEPH_HOME/mon
keyring = $CEPH_HOME/mon/keyring
mon_cluster_log_file = $MINI_HOME/log/cluster.log
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_max_pg_per_osd = 1000
# A change waits this long for others to join it; the second that it usually waits is felt in every new pool.
paxos_propose_interval = 0.05
auth_allow_insecure_global_id_reclaim = false
mon_warn_on_pool_no_redundancy = false
# A mon ends itself when the disk that it shares with everything else has 5 % left.
mon_data_avail_warn = 2
mon_data_avail_crit = 1

[mgr]
mgr_data = $CEPH_HOME/mgr
mgr_initial_modules =
mgr/devicehealth/enable_monitoring = false

[osd]
osd_data = $CEPH_HOME/osd
bluestore_block_size = $((20 << 30))
osd_memory_target = $((1 << 30))

[client]
admin_socket =
log_file =

[client.rgw]
log_file = $MINI_HOME/log/rgw.log
rgw_data = $MINI_HOME/rgw
rgw_frontends = beast endpoint=127.0.0.1:$PORT_RGW
rgw_thread_pool_size = 64
rgw_run_sync_thread = false
rgw_dynamic_resharding = false
# Server-side encryption with keys of its own, for a test; the client's TLS may end in front of it.
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = mini-key=$(head -c 32 /dev/zero | base64)
# Space that tests have freed comes back within minutes, not hours: the OSD is small.
rgw_gc_obj_min_wait = 60
rgw_gc_processor_period = 120
CONF
}

ceph_up() {
    local key
    mkdir -p "$CEPH_HOME"
    if [[ ! -s $CEPH_HOME/fsid ]]; then write_file "$CEPH_HOME/fsid" </proc/sys/kernel/random/uuid; fi
    write_ceph_conf
    ceph_users
    ceph_start_mon
    ceph_all_keyrings >"$MINI_HOME/run/users.keyring"
    # Waits for the mon, and gives a user what a newer version of this script says.
    ceph_do mon "take the users" ceph auth import -i "$MINI_HOME/run/users.keyring"
    ceph_start_mgr
    ceph_start_osd
    ceph_make_pools
    ceph_do osd "take a write" rados -p rbdbackup put mini.ready /dev/null
    await 120 mgr "become active" ceph_mgr_is_active
    if [[ $(ceph health 2>&1) == HEALTH_ERR* ]]; then die "Ceph is ill: $(ceph health detail 2>&1)"; fi
}

# ceph_do NAME WHAT COMMAND...: Ceph's tools wait for a server that isn't there yet; this bounds it and shows that server's log.
ceph_do() {
    local name=$1 what=$2 output; shift 2
    output=$(timeout 120 "$@" 2>&1) || die_of_daemon "$name" "$name did not $what: ${output:-no answer within 120 s}"
}

# A data folder counts once its mark is there: a first `up` that was killed in the middle of it starts it anew.
ceph_start_mon() {
    if is_running mon; then return 0; fi
    if [[ ! -e $CEPH_HOME/mon.made ]]; then
        rm -rf "$CEPH_HOME/mon"
        {
            printf '[mon.]\n\tkey = %s\n\tcaps mon = "allow *"\n' "$(ceph-authtool --gen-print-key)"
            ceph_all_keyrings
        } >"$MINI_HOME/run/mon.keyring"
        monmaptool --create --clobber --fsid "$(<"$CEPH_HOME/fsid")" --addv a "[v2:127.0.0.1:$PORT_MON]" "$MINI_HOME/run/monmap" >>"$MINI_HOME/log/mon.out"
        ceph-mon --mkfs -i a --monmap "$MINI_HOME/run/monmap" --keyring "$MINI_HOME/run/mon.keyring" >>"$MINI_HOME/log/mon.out" 2>&1 ||
            die_of_daemon mon "ceph-mon could not make its store in $CEPH_HOME/mon"
        touch "$CEPH_HOME/mon.made"
    fi
    spawn mon "$PORT_MON" ceph-mon -f -i a -c "$CEPH_CONF"
    await 30 mon "listen on port $PORT_MON" port_is_taken "$PORT_MON"
}

ceph_start_mgr() {
    if is_running mgr; then return 0; fi
    mkdir -p "$CEPH_HOME/mgr"
    spawn mgr - ceph-mgr -f -i x -c "$CEPH_CONF"
}

ceph_start_osd() {
    if is_running osd; then return 0; fi
    if [[ ! -e $CEPH_HOME/osd.made ]]; then
        rm -rf "$CEPH_HOME/osd"
        mkdir "$CEPH_HOME/osd"
        # One OSD a cluster: the cluster's own id serves as its id too.
        ceph_do mon "register the OSD" ceph osd new "$(<"$CEPH_HOME/fsid")" 0
        ceph-osd --mkfs -i 0 -c "$CEPH_CONF" --osd-uuid "$(<"$CEPH_HOME/fsid")" >>"$MINI_HOME/log/osd.out" 2>&1 ||
            die_of_daemon osd "ceph-osd could not make its store in $CEPH_HOME/osd"
        touch "$CEPH_HOME/osd.made"
    fi
    spawn osd - ceph-osd -f -i 0 -c "$CEPH_CONF"
}

ceph_make_pools() {
    local pool
    if [[ -e $CEPH_HOME/pools.made ]]; then return 0; fi
    for pool in "${POOLS[@]}"; do
        ceph_do mon "create pool $pool" ceph osd pool create "$pool"
        ceph_do osd "initialise pool $pool" rbd pool init "$pool"
    done
    touch "$CEPH_HOME/pools.made"
}

ceph_mgr_is_active() { ceph mgr stat | grep -q '"available": true'; }

ceph_health() { printf '%-9s %s\n' ceph "$(timeout 20 ceph health 2>&1 || echo 'does not answer')"; }

ceph_env() {
    if [[ ! -e $CEPH_HOME/pools.made ]]; then return 0; fi
    print_export CEPH_CONF "$CEPH_CONF"
    print_export RBDBACKUP_TEST_CEPH_USER client.rbdbackup
    print_export RBDBACKUP_TEST_CEPH_RESTORE_USER client.rbdbackup-restore
    print_export RBDBACKUP_TEST_CEPH_WORKER_USER client.rbdbackup-worker
}
