# shellcheck shell=bash
# RabbitMQ: one node with an epmd, a cookie and a user of its own.

RABBITMQ_HOME=$MINI_HOME/rabbitmq

# The first boot on an empty store makes the user of the configuration, and no guest.
write_rabbitmq_conf() {
    write_file "$RABBITMQ_HOME/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$PORT_AMQP
default_user = mini
default_pass = $(<"$RABBITMQ_HOME/password")
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 67108864
log.dir = $MINI_HOME/log
log.file = rabbitmq.log
log.file.level = info
CONF
    echo '[].' | write_file "$RABBITMQ_HOME/plugins"
}

rabbitmq_start() {
    mkdir -p "$RABBITMQ_HOME"
    if [[ ! -s $RABBITMQ_HOME/password ]]; then random_hex 16 | write_file "$RABBITMQ_HOME/password"; fi
    if ! is_running epmd; then spawn epmd "$PORT_EPMD" epmd -port "$PORT_EPMD" -address 127.0.0.1; fi
    if is_running rabbitmq; then return 0; fi
    # A first boot that was killed in the middle may have left a store without the user.
    if [[ ! -e $RABBITMQ_HOME/made ]]; then rm -rf "$RABBITMQ_HOME/mnesia"; fi
    write_rabbitmq_conf
    await 10 epmd "listen on port $PORT_EPMD" port_is_taken "$PORT_EPMD"
    # RUNNING_UNDER_SYSTEMD: the script becomes the Erlang machine, without a shell between them. +sbwt none: no busy waiting.
    spawn rabbitmq "$PORT_AMQP" \
        HOME="$RABBITMQ_HOME" RUNNING_UNDER_SYSTEMD=true ERL_EPMD_PORT="$PORT_EPMD" ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_NODENAME=mini@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$PORT_AMQP" RABBITMQ_DIST_PORT="$PORT_ERLANG" \
        RABBITMQ_MNESIA_BASE="$RABBITMQ_HOME/mnesia" RABBITMQ_LOG_BASE="$MINI_HOME/log" RABBITMQ_CONFIG_FILE="$RABBITMQ_HOME/rabbitmq.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$RABBITMQ_HOME/plugins" RABBITMQ_PID_FILE="$MINI_HOME/run/rabbitmq.pid" RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none" \
        /usr/lib/rabbitmq/bin/rabbitmq-server
}

rabbitmq_await() {
    await 120 rabbitmq "let its user log in" rabbitmq_answers
    touch "$RABBITMQ_HOME/made"
}

rabbitmq_answers() { /usr/bin/python3 -I "$HERE/lib/amqp_login.py" "$PORT_AMQP" mini <"$RABBITMQ_HOME/password"; }

rabbitmq_env() {
    if [[ ! -e $RABBITMQ_HOME/made ]]; then return 0; fi
    print_export RBDBACKUP_TEST_AMQP_URL "amqp://mini:$(<"$RABBITMQ_HOME/password")@127.0.0.1:$PORT_AMQP/"
}
