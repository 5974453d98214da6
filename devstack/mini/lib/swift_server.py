"""Runs one of Swift's servers with a configuration folder of its own: swift_server.py account|container|object|proxy CONFIGURATION.

Swift reads swift.conf from /etc/swift and from nowhere else. Here it is the one beside the server's configuration, so that this Swift
knows nothing of another one on the machine, and needs no folder in /etc.
"""
import os
import sys

from swift.common import utils


def main(server: str, configuration: str) -> int:
    # Before the other modules are loaded: they read swift.conf while they are.
    utils.SWIFT_CONF_FILE = os.path.join(os.path.dirname(configuration), "swift.conf")
    from swift.common.wsgi import run_wsgi
    if server != "object":
        return run_wsgi(configuration, f"{server}-server", verbose=True)
    from swift.obj.server import global_conf_callback
    return run_wsgi(configuration, "object-server", global_conf_callback=global_conf_callback, verbose=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
