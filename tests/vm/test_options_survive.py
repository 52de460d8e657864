# SPDX-License-Identifier: GPL-2.0
"""Every option that export and attach have survives save and up; several names for detach and unexport."""
import re

from common import device, export, fails, show

# What changes by itself, and the UUID of a session.
VOLATILE = {"stats", "latency", "in_flight", "clients", "oldest_io_ms", "next_ms", "retry"}
# A value for each option, which is not its default. An option without one here fails the test.
EXPORT = {"allow": "key=./key", "listen": "dst://127.0.0.1", "read-only": "", "shared": "", "write-through": "",
          "no-replay": "", "max-inflight": "8M", "max-bandwidth": "3M", "max-iops": "500",
          "checksum": "sha256,hmac(sha256)", "cipher": "chacha20-poly1305,none", "crypto-threads": "3"}
ATTACH = {"name": "d", "timeout": "7s", "retries": "forever", "ping": "1500ms", "connections": "3", "queue-depth": "64",
          "max-io": "64K", "read-only": "", "key": "./key", "cipher": "chacha20-poly1305", "checksum": "sha256",
          "crypto-threads": "2", "exporter": "", "uuid": ""}


def options(m, command, values):
    """All of them, as arguments; relative paths are meant."""
    listed = re.findall(r"^  --([a-z-]+)", m.run(f"dst help {command}").out, re.M)
    assert sorted(listed) == sorted(values)
    return " ".join(f"--{name}" + (f" '{values[name]}'" if values[name] else "") for name in listed)


def settings(m):
    return {kind: [{k: v for k, v in x.items() if k not in VOLATILE} for x in objects]
            for kind, objects in show(m).items()}


def test_save_and_up_bring_back_every_option(machine):
    m = machine
    m.run("umask 077; dst genkey >/tmp/key")
    disks = [m.ramdisk(8), m.ramdisk(8)]
    m.run(f"cd /tmp && dst export data {disks[0]} {options(m, 'export', EXPORT)} --allow from=127.0.0.0/8,ro")
    mine = {key: export(m)[key] for key in ("exporter", "uuid")}
    m.run(f"cd /tmp && dst attach dst://127.0.0.1/data {options(m, 'attach', ATTACH | mine)}")
    # the same without a key, with a key and without encryption, and with defaults only
    m.run("dst attach dst://127.0.0.1/data --name clear --read-only --checksum sha256")
    m.run("dst attach dst://127.0.0.1/data --name mac --read-only --key /tmp/key --cipher none --checksum 'hmac(sha256)'")
    m.run(f"dst export plain {disks[1]} --allow any --listen dst://127.0.0.1 && dst attach dst://127.0.0.1/plain")

    before = settings(m)
    assert device(m)["crypto_threads"] == 2 and export(m)["crypto_threads"] == 3
    assert (device(m, "mac")["cipher"], device(m, "mac")["checksum"]) == ("none", "hmac(sha256)")
    m.run("rm -f /etc/dst/dst.conf; dst save")
    saved = m.run("cat /etc/dst/dst.conf").out
    assert m.run("dst up").out == ""
    m.run("dst down && dst up")
    assert settings(m) == before
    assert m.run("dst up && dst save -").out == saved

    # what the file says of an export's threads is done, in place
    m.run("sed -i 's/crypto-threads = 3/crypto-threads = 5/' /etc/dst/dst.conf")
    assert m.run("dst up").out == "~ export data crypto-threads=5\n"
    assert export(m)["crypto_threads"] == 5 and m.run("dst up").out == ""

    # relative paths would mean nothing to the next up
    m.run("cd /tmp && dst set data allow=key=./key")
    assert export(m)["allow"] == ["key=/tmp/key"]


def test_several_names(machine):
    m = machine
    for name in ("a", "b", "c"):
        m.run(f"dst export {name} {m.ramdisk(8)} --allow any && dst attach dst://127.0.0.1/{name} --connections 1")
    # wrong usage: nothing is done
    assert m.run("dst detach a b ../c", check=False).status == 2
    assert len(show(m)["devices"]) == 3
    # one that fails does not stop the others
    fails(m, "dst unexport a b", '"a" is in use', "1 more failed")
    fails(m, "dst detach nothing a /dev/dst-b", "nothing")
    assert [d["name"] for d in show(m)["devices"]] == ["c"]
    fails(m, "dst unexport c a b", '"c" is in use by .* \\(127.0.0.1:')
    assert [e["name"] for e in show(m)["exports"]] == ["c"]
    m.run("dst detach c && dst unexport c")
    assert show(m) == {"exports": [], "devices": []}
