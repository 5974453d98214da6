"""Says something as a service with this configuration would, and prints what counts in it, as JSON: tell.py nova|cinder FILE"""
import json
import sys

import oslo_messaging
from oslo_config import cfg


def main(service: str, path: str) -> None:
    conf = cfg.ConfigOpts()
    conf(["--config-file", path], default_config_dirs=[])
    oslo_messaging.set_transport_defaults(service)
    transport = oslo_messaging.get_notification_transport(conf)
    oslo_messaging.Notifier(transport, f"{service}.check").info({}, "rbdbackup.check", {})
    transport.cleanup()
    said = {name: getattr(conf.oslo_messaging_notifications, name) for name in ("driver", "topics")}
    if service == "nova":
        from nova.conf import notifications
        notifications.register_opts(conf)
        said |= {name: conf.notifications[name] for name in
                 ("notify_on_state_change", "bdms_in_notifications", "notification_format", "versioned_notifications_topics")}
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
