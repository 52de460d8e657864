# SPDX-License-Identifier: GPL-2.0
"""Who has the key gets in, encrypted; nobody else does; rights are per key, and can be taken away live."""
import pytest

from common import (attach_to, device, export, export_and_attach, fails, make_keys, read_block, sealed, start_load, sums,
                    verify, wait_state, write_block)

CIPHERS = ["aes-256-gcm", "chacha20-poly1305", "rfc7539(chacha20,poly1305)"]


def failures(m):
    return export(m)["stats"]["auth_failures"]


@pytest.mark.parametrize("cipher", CIPHERS)
def test_the_right_key_works(machine, cipher):
    m = machine
    disk = m.ramdisk(64)
    path = sealed(m, disk, options=f"--cipher '{cipher}'", attach=f"--cipher 'gcm(nonesuch),{cipher}'")
    assert device(m)["cipher"] == cipher and device(m)["checksum"] == "none"
    for bs in ("4k", "64k", "1M"):
        m.run(verify(path, bs=bs, size="4M", jobs=2), timeout=120)
    m.run(f"mkfs.ext4 -q {path} && mount {path} /mnt && cp -r /etc /mnt && umount /mnt && e2fsck -fn {path}", timeout=120)
    assert sums(m, disk) == sums(m, path)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["auth_failures"] == d["stats"]["checksum_errors"] == 0
    assert export(m)["clients"][0]["key"] == "/tmp/a.key" and failures(m) == 0
    # the key itself is nowhere to be seen
    secret = m.run("cat /tmp/a.key").out.strip()
    assert secret not in m.run("dst show --json; dst show; dmesg; cat /sys/block/dst-d/dst/*").out


def test_wrong_keys_and_none(machine):
    m = machine
    sealed(m, m.ramdisk(8))
    make_keys(m, "b")
    m.run("dst detach d")
    before = failures(m)
    fails(m, "dst attach dst://127.0.0.1/data --name d --key /tmp/b.key", "authentication failed", "127.0.0.1:7710")
    fails(m, "dst list dst://127.0.0.1 --key /tmp/b.key", "authentication failed")
    fails(m, "dst ping dst://127.0.0.1 --key /tmp/b.key", "authentication failed")
    assert failures(m) == before + 3
    fails(m, "dst attach dst://127.0.0.1/data --name d", "only clients with a key", "--key")
    fails(m, "dst list dst://127.0.0.1", "only clients with a key")
    assert failures(m) == before + 5
    # an exporter without any key
    m.run(f"dst unexport data && dst export open {m.ramdisk(8)} --allow any")
    fails(m, "dst attach dst://127.0.0.1/open --name d --key /tmp/a.key", "authentication failed")
    assert export(m, "open")["clients"] == []


def test_right_key_lists_and_pings(machine):
    m = machine
    sealed(m, m.ramdisk(8))
    make_keys(m, "b")
    m.run(f"dst export hidden {m.ramdisk(8)} --allow key=/tmp/b.key && dst export open {m.ramdisk(8)} --allow any,ro")
    out = m.run("dst list dst://127.0.0.1 --key /tmp/a.key --json").out
    assert "data" in out and "open" in out and "hidden" not in out
    assert "encrypted" in m.run("dst ping dst://127.0.0.1 -c 1 --key /tmp/a.key").out
    assert "in the clear" in m.run("dst ping dst://127.0.0.1 -c 1").out
    fails(m, "dst attach dst://127.0.0.1/data --name x", "without a key")
    fails(m, "dst attach dst://127.0.0.1/hidden --name x --key /tmp/a.key", "with this key")


def test_no_cipher_in_common(machine):
    m = machine
    key = make_keys(m, "a")
    m.run(f"dst export data {m.ramdisk(8)} --allow key={key} --cipher aes-256-gcm")
    fails(m, f"dst attach dst://127.0.0.1/data --key {key} --cipher chacha20-poly1305", "no cipher in common",
          "client offers chacha20-poly1305", "exporter aes-256-gcm")
    fails(m, f"dst attach dst://127.0.0.1/data --key {key} --cipher 'nonesuch'", "none of the ciphers nonesuch")
    fails(m, "dst attach dst://127.0.0.1/data --cipher auto", "needs a key")
    fails(m, f"dst export more {m.ramdisk(8)} --allow any --cipher auto", "needs a key")


def test_rights_are_of_keys_and_addresses(machine):
    m = machine
    disk = m.ramdisk(8)
    make_keys(m, "a", "b", "c")
    m.run(f"dst export data {disk} --allow key=/tmp/a.key --allow key=/tmp/b.key,ro --allow key=/tmp/c.key,from=10.9.9.9/32")
    path = attach_to(m, "dst://127.0.0.1/data --key /tmp/b.key", name="b")
    assert device(m, "b")["read_only"]
    assert write_block(m, path, "x", check=False).status
    path = attach_to(m, "dst://127.0.0.1/data --key /tmp/a.key")
    write_block(m, path, "one")
    assert read_block(m, disk) == "one"
    fails(m, "dst attach dst://127.0.0.1/data --name c --key /tmp/c.key", "does not admit 127\\.0\\.0\\.1:\\d+ with this key")


def test_a_right_is_taken_away_live(machine):
    """Under load: the session ends at once, nothing of it is written afterwards, and the other key's goes on."""
    m = machine
    disk = m.ramdisk(48)
    make_keys(m, "a", "b")
    m.run(f"dst export data {disk} --shared --allow key=/tmp/a.key --allow key=/tmp/b.key")
    a = attach_to(m, "dst://127.0.0.1/data --key /tmp/a.key --timeout 1s --retries 1", name="a")
    b = attach_to(m, "dst://127.0.0.1/data --key /tmp/b.key", name="b")
    load = start_load(m, a, runtime=60, size="4M")
    m.run("dst set data allow=key=/tmp/b.key")
    sum_then = sums(m, disk)
    assert [c["key"] for c in export(m)["clients"]] == ["/tmp/b.key"]
    assert load.wait(60).status != 0
    assert sums(m, disk) == sum_then
    fails(m, "dst attach dst://127.0.0.1/data --name x --key /tmp/a.key", "authentication failed")
    m.run(verify(b, size="2M"), timeout=60)
    d = device(m, "b")
    assert d["state"] == "connected" and d["stats"]["errors"] == d["stats"]["reconnects"] == 0
    m.run("dst detach a --force")


def test_threads_are_changed_live(machine):
    m = machine
    path = sealed(m, m.ramdisk(64), attach="--crypto-threads 1")
    load = start_load(m, path, runtime=6, bs="256k", size="16M", writes=4)
    for n in (4, 1, 0, 2):
        m.run(f"dst set d crypto-threads={n} && dst set data crypto-threads={n}")
    load.wait(120, check=True)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["auth_failures"] == 0


def test_a_key_that_comes_later(machine):
    """An export in the clear gets a rule with a key; who has it is encrypted from then on."""
    m = machine
    key = make_keys(m, "a")
    path = export_and_attach(m, m.ramdisk(8))
    m.run(f"dst set data allow=any allow=key={key}")
    write_block(m, path, "one")
    m.run("dst detach d")
    path = attach_to(m, f"dst://127.0.0.1/data --key {key}")
    assert read_block(m, path) == "one" and device(m)["cipher"] != "none"


def test_exporter_restarts_with_another_key(machine):
    """The device waits and says why; it goes on when the key is back."""
    m = machine
    disk = m.ramdisk(8)
    path = sealed(m, disk)
    make_keys(m, "b")
    write_block(m, path, "one")
    m.run(f"dst unexport data --force && dst export data {disk} --allow key=/tmp/b.key")
    d = wait_state(m, "reconnecting")
    m.wait_for("dst show d --json | grep -q 'authentication failed'", timeout=20)
    m.run(f"dst unexport data && dst export data {disk} --allow key=/tmp/a.key")
    assert read_block(m, path) == "one"
    d = wait_state(m, "connected")
    assert d["stats"]["auth_failures"] >= 1 and d["stats"]["errors"] == 0


def test_authenticated_but_in_the_clear(machine):
    """Only where both sides say so, and only with a checksum that has a key."""
    m = machine
    key = make_keys(m, "a")
    disk = m.ramdisk(32)
    m.run(f"dst export data {disk} --allow key={key} --cipher none,auto --checksum 'hmac(sha256),crc32c'")
    fails(m, f"dst attach dst://127.0.0.1/data --name d --key {key} --cipher none", "no checksum with a key in common")
    path = attach_to(m, f"dst://127.0.0.1/data --key {key} --cipher none --checksum 'crc32c,hmac(sha256)'")
    d = device(m)
    assert (d["cipher"], d["checksum"]) == ("none", "hmac(sha256)")
    for bs in ("4k", "256k"):
        m.run(verify(path, bs=bs, size="4M"), timeout=120)
    assert sums(m, disk) == sums(m, path)
    d = device(m)
    assert d["stats"]["errors"] == d["stats"]["auth_failures"] == d["stats"]["reconnects"] == failures(m) == 0
    m.run("dst detach d")
    # who does not say so is encrypted
    attach_to(m, f"dst://127.0.0.1/data --key {key} --checksum 'hmac(sha256)'")
    assert device(m)["cipher"] != "none"
