# shellcheck shell=bash
# radosgw: S3 and Swift on the Ceph of this mini, one user, one bucket, which is also Swift's container.

RGW_HOME=$MINI_HOME/rgw
RGW_BUCKET=rbdbackup-test

rgw_up() {
    mkdir -p "$RGW_HOME"
    if ! is_running rgw; then spawn rgw "$PORT_RGW" radosgw -f -n client.rgw -c "$CEPH_CONF"; fi
    await 120 rgw "listen on port $PORT_RGW" port_is_taken "$PORT_RGW"
    rgw_make_user
    rgw_make_swift_user
    # shellcheck source=/dev/null
    . "$RGW_HOME/credentials"
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    await 30 rgw "take a bucket by S3" /usr/bin/python3 -I "$HERE/lib/s3_make_bucket.py" "http://127.0.0.1:$PORT_RGW" "$RGW_BUCKET"
}

# radosgw-admin makes the keys up itself, so they never stand in a command line.
rgw_make_user() {
    local user
    if [[ -s $RGW_HOME/credentials ]]; then return 0; fi
    user=$(timeout 60 radosgw-admin user info --uid mini 2>/dev/null) ||
        user=$(timeout 60 radosgw-admin user create --uid mini --display-name mini 2>>"$MINI_HOME/log/rgw.out") ||
        die_of_daemon rgw "radosgw-admin could not create the S3 user"
    /usr/bin/python3 -I -c 'import json, sys; k = json.load(sys.stdin)["keys"][0]
print("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s" % (k["access_key"], k["secret_key"]))' <<<"$user" |
        write_file "$RGW_HOME/credentials"
}

# Swift knows the user by a subuser, with a key of its own.
rgw_make_swift_user() {
    local user
    if [[ -s $RGW_HOME/swift-key ]]; then return 0; fi
    user=$(timeout 60 radosgw-admin subuser create --uid mini --subuser mini:swift --access full --gen-secret --key-type swift 2>>"$MINI_HOME/log/rgw.out") ||
        die_of_daemon rgw "radosgw-admin could not create the Swift user"
    /usr/bin/python3 -I -c 'import json, sys; print(json.load(sys.stdin)["swift_keys"][0]["secret_key"])' <<<"$user" | write_file "$RGW_HOME/swift-key"
}

rgw_env() {
    if [[ ! -s $RGW_HOME/credentials ]]; then return 0; fi
    print_export RBDBACKUP_TEST_S3_URL "http://127.0.0.1:$PORT_RGW"
    print_export RBDBACKUP_TEST_S3_BUCKET "$RGW_BUCKET"
    sed 's/^/export /' "$RGW_HOME/credentials"
    print_export AWS_REGION us-east-1
    if [[ ! -s $RGW_HOME/swift-key ]]; then return 0; fi
    print_export RBDBACKUP_TEST_RGW_SWIFT_AUTH_URL "http://127.0.0.1:$PORT_RGW/auth/v1.0"
    print_export RBDBACKUP_TEST_RGW_SWIFT_USER mini:swift
    print_export RBDBACKUP_TEST_RGW_SWIFT_KEY "$(<"$RGW_HOME/swift-key")"
}
