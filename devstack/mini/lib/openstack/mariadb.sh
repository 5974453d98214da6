# shellcheck shell=bash
# MariaDB: the databases of all services. Its administrator comes by the socket, the services by the port and with a password.

MARIADB_HOME=$OPENSTACK_HOME/mariadb
MARIADB_SOCKET=$MINI_HOME/run/mariadb.sock

mariadb_start() {
    mkdir -p "$MARIADB_HOME"
    openstack_secret database-password
    if is_running mariadb; then return 0; fi
    if [[ ! -e $MARIADB_HOME/made ]]; then
        rm -rf "$MARIADB_HOME/data"
        mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$MARIADB_HOME/data" --skip-test-db \
            --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" >>"$MINI_HOME/log/mariadb.out" 2>&1 ||
            die_of_daemon mariadb "MariaDB could not make its store in $MARIADB_HOME/data"
        touch "$MARIADB_HOME/made"
    fi
    # Without a sync of each commit: what is here is worth less than the minutes of many small writes.
    spawn mariadb "$PORT_MARIADB" mariadbd --no-defaults --user="$(id -un)" --datadir="$MARIADB_HOME/data" --socket="$MARIADB_SOCKET" \
        --bind-address=127.0.0.1 --port="$PORT_MARIADB" --skip-name-resolve --skip-log-bin --performance-schema=0 --max-connections=400 \
        --innodb-buffer-pool-size=128M --innodb-flush-log-at-trx-commit=0
}

mariadb_await() {
    await 60 mariadb "answer on its socket" mariadb_do 'SELECT 1;'
    mariadb_do "CREATE USER IF NOT EXISTS openstack@127.0.0.1 IDENTIFIED BY '$(<"$OPENSTACK_HOME/database-password")';
        GRANT ALL ON *.* TO openstack@127.0.0.1;" || die_of_daemon mariadb "MariaDB did not take the services' user"
}

mariadb_do() { mariadb --no-defaults --user="$(id -un)" --socket="$MARIADB_SOCKET" <<<"$1"; }

mariadb_url() { echo "mysql+pymysql://openstack:$(<"$OPENSTACK_HOME/database-password")@127.0.0.1:$PORT_MARIADB/$1?charset=utf8"; }

# openstack_make_tables SERVICE DATABASES ARGUMENTS...: what SERVICE-manage is to do, once; anew where the last time was killed in the middle of it.
openstack_make_tables() {
    local service=$1 database sql='' mark=$OPENSTACK_HOME/$1.made
    if [[ -e $mark ]]; then return 0; fi
    for database in $2; do sql+="DROP DATABASE IF EXISTS $database; CREATE DATABASE $database CHARACTER SET utf8; "; done
    mariadb_do "$sql"
    "${OPENSTACK_RUN[@]}" "$service-manage" "${@:3}" >>"$MINI_HOME/log/$service-manage.out" 2>&1 ||
        die_of_daemon "$service-manage" "the tables of $service could not be made"
    touch "$mark"
}
