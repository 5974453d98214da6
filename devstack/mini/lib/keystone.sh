# shellcheck shell=bash
# Keystone on SQLite: one project, one user with a password and an application credential, and a catalogue with Swift in it.

KEYSTONE_HOME=$MINI_HOME/keystone

keystone_start() {
    local name
    mkdir -p "$KEYSTONE_HOME"
    for name in password user-password; do
        if [[ ! -s $KEYSTONE_HOME/$name ]]; then { random_hex 16; echo; } | write_file "$KEYSTONE_HOME/$name"; fi
    done
    if is_running keystone; then return 0; fi
    # A first start that was killed in the middle may have left half a database.
    if [[ ! -e $KEYSTONE_HOME/made ]]; then rm -rf "$KEYSTONE_HOME"/{database*,fernet,receipts,credential,application-credential}; fi
    write_keystone_conf
    spawn keystone "$PORT_KEYSTONE" USER="$(id -un)" GROUP="$(id -gn)" \
        /usr/bin/python3 -I "$HERE/lib/keystone_server.py" "$KEYSTONE_HOME" "$PORT_KEYSTONE"
}

write_keystone_conf() {
    write_file "$KEYSTONE_HOME/keystone.conf" <<CONF
[DEFAULT]
log_file = $MINI_HOME/log/keystone.log

[database]
connection = sqlite:///$KEYSTONE_HOME/database

[token]
provider = fernet

[fernet_tokens]
key_repository = $KEYSTONE_HOME/fernet

[fernet_receipts]
key_repository = $KEYSTONE_HOME/receipts

[credential]
key_repository = $KEYSTONE_HOME/credential

[identity]
# Tests log in often.
password_hash_rounds = 4

[cache]
# In the one process; a token's validation is ten times faster with it.
enabled = true
backend = oslo_cache.dict
CONF
}

keystone_await() {
    await 120 keystone "listen on port $PORT_KEYSTONE" port_is_taken "$PORT_KEYSTONE"
    if [[ -s $KEYSTONE_HOME/application-credential ]]; then return 0; fi
    cat "$KEYSTONE_HOME/password" "$KEYSTONE_HOME/user-password" |
        /usr/bin/python3 -I "$HERE/lib/keystone_seed.py" "http://127.0.0.1:$PORT_KEYSTONE/v3" "http://127.0.0.1:$PORT_SWIFT_KEYSTONE" \
            2>>"$MINI_HOME/log/keystone.out" | write_file "$KEYSTONE_HOME/application-credential" ||
        die_of_daemon keystone "keystone did not take its user and catalogue"
}

keystone_env() {
    local id secret
    if [[ ! -s $KEYSTONE_HOME/application-credential ]]; then return 0; fi
    { read -r id; read -r secret; } <"$KEYSTONE_HOME/application-credential"
    print_export RBDBACKUP_TEST_KEYSTONE_URL "http://127.0.0.1:$PORT_KEYSTONE/v3"
    print_export RBDBACKUP_TEST_KEYSTONE_USER rbdbackup
    print_export RBDBACKUP_TEST_KEYSTONE_PASSWORD "$(<"$KEYSTONE_HOME/user-password")"
    print_export RBDBACKUP_TEST_KEYSTONE_PROJECT rbdbackup
    print_export RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_ID "$id"
    print_export RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_SECRET "$secret"
}
