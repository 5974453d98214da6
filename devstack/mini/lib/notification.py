"""Prints the body of a real notification of Nova (notification.json beside this) for another server: notification.py SERVER-ID POLICY."""
import json
import os
import sys
import uuid


def main(server, policy):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "notification.json"), encoding="utf-8") as capture:
        envelope = json.loads(json.load(capture)["body"])
    message = json.loads(envelope["oslo.message"])
    old = message["payload"]["instance_id"]
    message = json.loads(json.dumps(message).replace(old, server))
    message["payload"]["metadata"] = {"backup_policy": policy}
    message["message_id"] = str(uuid.uuid4())
    message["_unique_id"] = uuid.uuid4().hex
    message["_context_request_id"] = f"req-{uuid.uuid4()}"
    envelope["oslo.message"] = json.dumps(message)
    print(json.dumps(envelope), end="")


main(*sys.argv[1:])
