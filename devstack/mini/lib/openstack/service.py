"""Runs a service of OpenStack, or the tool that makes its tables: service.py NAME ARGUMENTS... [and ARGUMENTS...]...

Debian has the entry scripts in packages that set a database and units up as well; the code is in the Python packages.
"""
import importlib
import itertools
import os
import sys


def mend_cinder() -> None:
    """Debian's oslo.messaging copies a context without read_deleted, which Cinder then refuses: each of its notifications would fail."""
    from cinder import context
    original = context.RequestContext.__init__

    def init(self, *args, **kwargs):
        if kwargs.get("read_deleted", "no") is None:
            kwargs["read_deleted"] = "no"
        original(self, *args, **kwargs)

    context.RequestContext.__init__ = init


def warm_nova() -> None:
    """os-brick starts its daemon for the first volume. Where several servers want it at once, one of them may wait for ever: so it is there before any does."""
    from nova.virt.libvirt.driver import LibvirtDriver
    original = LibvirtDriver.init_host

    def init_host(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.get_volume_connector(None)

    LibvirtDriver.init_host = init_host


def serve_placement(port: str) -> None:
    """Placement is an application without a server of its own. Each request gets a thread."""
    import socketserver
    import wsgiref.simple_server

    class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
        daemon_threads = True
        request_queue_size = 64

    class Handler(wsgiref.simple_server.WSGIRequestHandler):
        timeout = 30

        def log_message(self, format: str, *args: object) -> None:
            """Placement has a log of its own."""

    sys.argv[1:] = []
    from placement.wsgi import init_application
    with wsgiref.simple_server.make_server("127.0.0.1", int(port), init_application(), Server, Handler) as server:
        server.serve_forever()


def run_each(module: object, name: str, arguments: tuple) -> None:
    """One command after the other, each in a child: the modules, which take seconds, are loaded once."""
    for is_and, command in itertools.groupby(arguments, "and".__eq__):
        if is_and:
            continue
        child = os.fork()
        if child == 0:
            sys.argv[:] = [name, *command]
            os._exit(module.main() or 0)
        if os.waitpid(child, 0)[1] != 0:
            sys.exit(f"{name} failed")


def main(name: str, *arguments: str) -> object:
    project, command = name.split("-")
    if name == "placement-api":
        return serve_placement(*arguments)
    # Also read while the module is loaded.
    sys.argv[:] = [name, *arguments]
    # The module comes first: with it Eventlet replaces parts of the standard library.
    module = importlib.import_module(f"{project}.cmd.{command}")
    if project == "cinder":
        mend_cinder()
    if name == "nova-compute":
        warm_nova()
    return run_each(module, name, arguments) if command == "manage" else module.main()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
