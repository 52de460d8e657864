# SPDX-License-Identifier: GPL-2.0
"""/etc/dst/dst.conf: up does all of it or nothing, changes what can change in place, and is idempotent; down, save."""
from common import device, export, fails, show

EXPORT = "[export data]\npath = {disk}\nallow = any\n"
DEVICE = "[device d]\nuri = dst://127.0.0.1/data\nconnections = 1\n"


def write(m, text, path="/etc/dst/dst.conf"):
    m.run("mkdir -p /etc/dst")
    m.put(path, text)


def test_up_down_and_save(machine):
    m = machine
    both = DEVICE + EXPORT.format(disk=m.ramdisk(8))
    write(m, both)

    assert m.run("dst up --dry-run").out.split("\n")[1] == "+ device d dst://127.0.0.1/data"
    assert show(m) == {"exports": [], "devices": []}
    assert len(m.run("dst up").out.splitlines()) == 2
    assert m.run("dst up").out == ""
    assert export(m)["allow"] == ["any"] and device(m)["timeout_ms"] == 5000

    # in place: the same session before and after, with I/O waiting for nothing
    session = export(m)["clients"][0]["session"]
    write(m, both.replace("connections = 1", "connections = 1\ntimeout = 7s\nretries = forever")
          .replace("allow = any", "allow = from=127.0.0.0/8\nallow = from=::1,ro\nmax-inflight = 2M"))
    assert m.run("dst up --dry-run").out == m.run("dst up").out != ""
    assert m.run("dst up").out == ""
    d, e = device(m), export(m)
    assert (d["timeout_ms"], d["retries"], e["max_inflight"]) == (7000, "forever", 2 << 20)
    assert sorted(e["allow"]) == ["from=127.0.0.0/8", "from=::1,ro"]
    assert e["clients"][0]["session"] == session

    # what is saved is what runs
    m.run("dst save && dst up && test -e /etc/dst/dst.conf.old")
    assert "retries = forever" in m.run("dst save - | tee /tmp/saved; cmp /tmp/saved /etc/dst/dst.conf").out
    assert m.run("dst up").out == ""

    # in use: it stays
    job = m.start("exec 3</dev/dst-d && touch /tmp/open && exec sleep 100")
    m.wait_for("test -e /tmp/open")
    fails(m, "dst down --device d", "in use")
    assert device(m)["state"] == "connected"
    job.kill()
    assert m.run("dst down").out == "- device d\n- export data\n"
    assert m.run("dst down").out == ""
    assert show(m)["devices"] == []


def test_all_or_nothing(machine):
    m = machine
    disk = m.ramdisk(8)
    # the export begins, the device cannot: nothing is left; the message has file, line and key
    write(m, EXPORT.format(disk=disk) + "[device d]\nuri = dst://127.0.0.1/nothing\n", "/tmp/x.conf")
    fails(m, "dst up /tmp/x.conf", r"/tmp/x.conf:5: uri: ", "no export \"nothing\"", "data")
    assert show(m) == {"exports": [], "devices": []}
    # what was there stays as it was, although it was changed on the way
    m.run(f"dst export data {disk} --allow any && dst attach dst://127.0.0.1/data --name e --connections 1")
    write(m, EXPORT.format(disk=disk).replace("any", "from=127.0.0.1") + DEVICE.replace("[device d]", "[device e]") +
          "timeout = 9s\n" + DEVICE.replace("127.0.0.1/data", "127.0.0.1:1/data"), "/tmp/x.conf")
    fails(m, "dst up /tmp/x.conf", r"/tmp/x.conf:9: uri: ")
    assert export(m)["allow"] == ["any"] and device(m, "e")["timeout_ms"] == 5000
    # what cannot change in place is found before anything changes
    write(m, EXPORT.format(disk=disk).replace("any", "from=127.0.0.1") + "shared = yes\n", "/tmp/x.conf")
    fails(m, "dst up /tmp/x.conf", r"/tmp/x.conf:4: shared: ", "dst unexport data")
    assert export(m)["allow"] == ["any"]


def test_waits_for_its_exporter(machine):
    m = machine
    write(m, DEVICE, "/tmp/x.conf")
    fails(m, "dst up /tmp/x.conf", "uri: ")
    job = m.start("dst up /tmp/x.conf --wait forever")
    m.run(f"sleep 1; dst export data {m.ramdisk(8)} --allow any")
    assert job.wait(20, check=True).out == "+ device d dst://127.0.0.1/data\n"
    assert "waiting for device" in job.err
