"""Makes a user with roles in a project: create_service_user.py KEYSTONE-URL USER PROJECT ROLE...

Standard input has the administrator's password, and the user's in a second line. What is there stays.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mini", "lib"))
import keystone_seed as keystone  # noqa: E402


def main(url: str, user: str, project: str, *roles: str) -> None:
    admin_password, password = sys.stdin.read().split()
    admin = keystone.Admin(url, keystone.log_in(url, "admin", admin_password, "admin")[1])
    made = admin.find_or_make("user", f"name={user}", {"name": user, "domain_id": "default", "password": password})
    where = admin.find_or_make("project", f"name={project}", {"name": project, "domain_id": "default"})
    for role in roles:
        admin.grant(where, made, admin.find_or_make("role", f"name={role}", {"name": role}))


if __name__ == "__main__":
    main(*sys.argv[1:])
