"""Has Nova or Cinder tell RbdBackup what happens, by its configuration file, or no longer:

    notification_options.py add nova|cinder FILE TOPIC VERSIONED-TOPIC FORMAT      standard input has the broker's URL
    notification_options.py remove nova|cinder FILE TOPIC VERSIONED-TOPIC

What is there stays: a topic is appended to the list that counts, which is the last one where an option stands several times, and an option that has a value
keeps it. A line that is added has a comment above it, by which `remove` knows it again, also in a copy of the file. Each may be run again at any time.
"""
import os
import re
import shutil
import sys
import tempfile

MESSAGING = "oslo_messaging_notifications"
MARK = "# Added by RbdBackup's DevStack plugin: "


class Conf:
    """A file of oslo.config's form, as lines; what is not changed keeps every byte."""

    def __init__(self, lines: list[str]):
        self.lines = lines

    def find(self, section: str, option: str) -> list[range]:
        """The lines of each occurrence of an option; it goes on where a line begins with white space."""
        found, here, current = [], "", None
        for number, line in enumerate(self.lines):
            if current is not None and line[:1] in " \t" and line.strip():
                current = range(current.start, number + 1)
                found[-1] = current
                continue
            current = None
            if header := re.match(r"\[(.+?)\]", line):
                here = header[1]
            elif here == section and re.match(rf"{re.escape(option)}\s*[=:]", line):
                current = range(number, number + 1)
                found.append(current)
        return found

    def value(self, where: range) -> str:
        text = "".join(self.lines[n].strip() for n in where)
        return re.split("[=:]", text, maxsplit=1)[1].strip().strip("'\"")

    def add(self, section: str, option: str, value: str, behind: list[range]) -> None:
        """A new line, behind the last of these or at the head of the section, which is made where it is missing."""
        if behind:
            at = behind[-1].stop
        else:
            headers = [n for n, line in enumerate(self.lines) if line.startswith(f"[{section}]")]
            if not headers:
                self.lines += [MARK + f"[{section}]", f"[{section}]"]
                headers = [len(self.lines) - 1]
            at = headers[0] + 1
        line = f"{option} = {value}"
        self.lines[at:at] = [MARK + line, line]

    def append(self, where: range, item: str) -> None:
        """One more item for a list."""
        last = where.stop - 1
        head, quote = re.fullmatch(r"(.*?)(['\"]?)\s*", self.lines[last]).groups()
        comma = "," if self.value(where) else " "
        self.lines[last] = head.rstrip(" \t,") + comma + item + quote

    def take_out(self, where: range, item: str) -> None:
        word = re.escape(item)
        for number in where:
            line = re.sub(rf",[ \t]*{word}(?=[ \t]*(,|['\"]?[ \t]*$))", "", self.lines[number])
            self.lines[number] = re.sub(rf"^((?:[^=:]*[=:])?[ \t]*['\"]?){word}(?:[ \t]*,[ \t]*|[ \t]*(?=['\"]?$))", r"\1", line).rstrip()

    def take_back(self) -> None:
        """Every line that was added goes, unless somebody has changed it since; a section that was, unless somebody uses it."""
        for n in reversed(range(len(self.lines))):
            if not self.lines[n].startswith(MARK):
                continue
            added, following = self.lines[n].removeprefix(MARK), self.lines[n + 1:]
            whole = following[:1] == [added]
            if added.startswith("["):
                whole = whole and (not following[1:] or following[1].startswith("["))
            del self.lines[n:n + (2 if whole else 1)]


def rules(service: str, topic: str, versioned: str, form: str = "", url: str = "") -> list[tuple]:
    """How an option is treated, its section and name, where it stood in older releases, and its value; of a list also its default."""
    common = [("one", MESSAGING, "driver", "notification_driver", "messagingv2"),
              ("if unset", MESSAGING, "transport_url", "notification_transport_url", url),
              ("list", MESSAGING, "topics", "notification_topics", topic, "notifications")]
    if service == "cinder":
        return common
    # Without notify_on_state_change Nova says nothing when a server's metadata changes.
    return common + [("if unset", "notifications", "notify_on_state_change", "notify_on_state_change", "vm_and_task_state"),
                     ("if unset", "notifications", "bdms_in_notifications", "bdms_in_notifications", "true"),
                     ("if unset", "notifications", "notification_format", "notification_format", form),
                     ("list", "notifications", "versioned_notifications_topics", "", versioned, "versioned_notifications")]


def add(conf: Conf, table: list[tuple]) -> None:
    for kind, section, option, older, value, *default in table:
        found = conf.find(section, option) or conf.find("DEFAULT", older)
        values = [conf.value(where) for where in found]
        if kind == "one":
            if not {"messaging", value} & set(values):
                conf.add(section, option, value, conf.find(section, option))
        elif kind == "if unset":
            if value and not (values and values[-1]):
                conf.add(section, option, value, conf.find(section, option))
        elif not found:
            conf.add(section, option, ",".join(dict.fromkeys([*default, value])), [])
        elif value not in [item.strip() for item in values[-1].split(",")]:
            conf.append(found[-1], value)


def remove(conf: Conf, table: list[tuple]) -> None:
    conf.take_back()
    for kind, section, option, older, value, *default in table:
        # The services' own topic is not ours to take away, though we listen to it.
        if kind == "list" and [value] != default:
            for where in conf.find(section, option) + conf.find("DEFAULT", older):
                conf.take_out(where, value)


def write(path: str, text: str) -> None:
    """In one step, with the file's mode and owner: it may hold passwords."""
    path = os.path.realpath(path)
    handle, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".rbdbackup-")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        shutil.copystat(path, new)
        owner = os.stat(path)
        os.chown(new, owner.st_uid, owner.st_gid)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def main(what: str, service: str, path: str, *topics_and_format: str) -> None:
    with open(path) as stream:
        before = stream.read()
    conf = Conf(before.split("\n")[:-1] if before.endswith("\n") else before.split("\n"))
    if what == "add":
        add(conf, rules(service, *topics_and_format, url=sys.stdin.read().strip()))
    else:
        remove(conf, rules(service, *topics_and_format))
    after = "\n".join(conf.lines) + "\n"
    if after != before:
        write(path, after)


if __name__ == "__main__":
    main(*sys.argv[1:])
