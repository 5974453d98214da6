"""Serves Keystone on loopback: keystone_server.py FOLDER PORT. The first time it makes its database, keys, administrator and catalogue.

The administrator's password is in FOLDER/password, the configuration in FOLDER/keystone.conf.
"""
import os
import sqlite3
import sys
import wsgiref.simple_server


class Server(wsgiref.simple_server.WSGIServer):
    """One request at a time: SQLite has one writer at a time, and a second one would fail."""

    request_queue_size = 64


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 30

    def address_string(self) -> str:
        return self.client_address[0]

    def log_message(self, format: str, *args: object) -> None:
        """Keystone has a log of its own."""


def manage(configuration: str, *arguments: str) -> None:
    """Does what keystone-manage does, in a child: its modules are loaded once."""
    child = os.fork()
    if child == 0:
        from keystone.cmd import cli
        sys.argv[1:] = ["--config-file", configuration, *arguments]
        cli.main(argv=["keystone-manage"] + sys.argv[1:])
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"keystone-manage {arguments[0]} failed")


def make(folder: str, port: str) -> None:
    import keystone.cmd.cli  # noqa: F401 (loaded before the children are made)
    configuration, user, url = f"{folder}/keystone.conf", os.environ["USER"], f"http://127.0.0.1:{port}/v3"
    with open(f"{folder}/password", encoding="ascii") as password:
        os.environ["OS_BOOTSTRAP_PASSWORD"] = password.read().strip()
    owner = ("--keystone-user", user, "--keystone-group", os.environ["GROUP"])
    manage(configuration, "db_sync")
    with sqlite3.connect(f"{folder}/database") as database:
        # Kept in the file. Else a reader that Keystone forgot to close fails every writer.
        database.execute("PRAGMA journal_mode = WAL")
    manage(configuration, "fernet_setup", *owner)
    manage(configuration, "credential_setup", *owner)
    urls = [part for name in ("public", "internal", "admin") for part in (f"--bootstrap-{name}-url", url)]
    manage(configuration, "bootstrap", "--bootstrap-region-id", "RegionOne", *urls)
    open(f"{folder}/made", "w").close()


def main(folder: str, port: str) -> None:
    if not os.path.exists(f"{folder}/made"):
        make(folder, port)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = f"{folder}/keystone.conf"
    sys.argv[1:] = []
    from keystone.server.wsgi import initialize_public_application
    application = initialize_public_application()
    with wsgiref.simple_server.make_server("127.0.0.1", int(port), application, Server, Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
