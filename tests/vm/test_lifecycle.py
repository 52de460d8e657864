# SPDX-License-Identifier: GPL-2.0
"""Loading, attaching and what undoes them, again and again: nothing is left, nothing grows."""
import pytest

from common import device, export_and_attach, show
from gate import brief

# Caches that grow by themselves: file system objects, and what TCP keeps for a minute of each connection.
OTHERS = ("dentry", "inode", "tw_sock_", "tcp_bind", "request_sock_", "radix_tree", "vm_area", "anon_vma", "filp",
          "maple", "buffer_head", "ext4", "pid", "task", "cred", "sighand", "signal", "files_cache", "mm_struct", "fs_cache",
          "skbuff", "ip_dst", "ip6_dst", "names_cache", "vmap", "lsm_", "ovl_", "shmem", "thread", "pde_opener", "seq_file",
          "Acpi", "debug_objects", "kmemleak", "p9_", "9p-", "eventpoll", "kmalloc-rcl", "trace_event", "ftrace", "uts_",
          "page->ptl", "numa", "khugepaged", "inet_peer", "secpath", "percpu", "scan_area")


def slabs(m):
    """Objects in use, by cache: the least of a few looks, because what CPUs keep for themselves counts as used."""
    out = m.run("for n in 1 2 3; do for f in /sys/kernel/slab/*/shrink; do echo 1 >$f; done 2>/dev/null; cat /proc/slabinfo; done",
                timeout=60).out
    found = {}
    for row in (line.split() for line in out.splitlines() if " : " in line and not line.startswith("#")):
        if not any(o in row[0] for o in OTHERS):
            found[row[0]] = min(int(row[1]), found.get(row[0], 1 << 60))
    return found


def assert_nothing_grew(m, work, cycles):
    """work(n) does n cycles. A leak grows by one object for each, however often; noise of a slab stops one time."""
    step = cycles // 4
    work(step)
    marks, grown = [slabs(m)], True
    while grown and len(marks) < 8:
        work(step)
        marks.append(slabs(m))
        grown = {name: [x.get(name, 0) for x in marks] for name in marks[-1]
                 if all(y.get(name, 0) - x.get(name, 0) >= step for x, y in zip(marks, marks[1:]))}
    assert not grown, f"objects in use at the beginning and after each round: {grown}"
    # what the network keeps of connections that are gone: nothing but what waits for its minute to be over
    m.wait_for("read -r _ _ used _ _ _ _ _ alloc _ < <(grep ^TCP: /proc/net/sockstat); [ $used = 0 ] && [ $alloc -le 1 ]", 15)


@pytest.mark.nomodule
def test_load_and_unload_again_and_again(machine):
    m = machine
    if m.loaded:
        m.unload()
    m.load()
    m.unload()
    assert_nothing_grew(m, lambda n: m.run(f"for i in $(seq {n}); do insmod /run/dstor.ko && rmmod dstor || exit; done",
                                           timeout=200), brief(40, 100))


@pytest.mark.limit(400)
def test_attach_and_detach_again_and_again(machine):
    """Fewer times where the machine is emulated; the export comes and goes, too."""
    m = machine
    disk = m.ramdisk(8)
    cycles = brief(60, 200) if m.kernel.is_uml else brief(24, 48)
    once = ("dst attach dst://127.0.0.1/data --name d --connections 2 >/tmp/o && "
            "dd if=/dev/zero of=/dev/dst-d bs=4k count=1 oflag=direct status=none && dst detach d")
    assert_nothing_grew(m, lambda n: m.run(
        f"for i in $(seq {n}); do [ $((i % 5)) != 1 ] || dst export data {disk} --allow any; {once} || exit; "
        "[ $((i % 5)) != 0 ] || dst unexport data; done; dst unexport data 2>/dev/null; true", timeout=300), cycles)
    assert show(m) == {"exports": [], "devices": []}
    m.run("test ! -e /dev/dst-d")


def test_attempts_that_fail_leave_nothing(machine):
    """A refused attach and a refused export, again and again."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any")
    cycles = brief(40, 120) if m.kernel.is_uml else brief(20, 40)
    assert_nothing_grew(m, lambda n: m.run(
        f"for i in $(seq {n}); do dst attach dst://127.0.0.1/nothing && exit 9; dst export data /tmp/no --allow any && exit 9; "
        "dst attach dst://127.0.0.1:7719/data && exit 9; done 2>/tmp/err; test -s /tmp/err", timeout=200), cycles)
    assert show(m)["devices"] == []


def test_detach_does_not_wait_for_nothing(machine):
    """Without a checksum only time keeps pages that were sent from changing: where none was lent, there is nothing to wait for."""
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any --checksum none")
    for _ in range(3):
        m.run("dst attach dst://127.0.0.1/data --name d --checksum none && dd if=/dev/zero of=/dev/dst-d bs=1M count=4 oflag=direct status=none")
        took = float(m.run("began=$EPOCHREALTIME; dst detach d && awk \"BEGIN { print $EPOCHREALTIME - $began }\"").out)
        assert took < 2, took


def test_unload_is_refused_while_in_use(machine):
    m = machine
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow any")
    assert m.run("rmmod dstor", check=False).status != 0
    m.run("dst attach dst://127.0.0.1/data --name d")
    assert m.run("rmmod dstor", check=False).status != 0
    m.run("dst unexport data --force")
    assert m.run("rmmod dstor", check=False).status != 0
    assert device(m)["state"] in ("reconnecting", "suspended")
    m.run("dst detach d")
    m.unload()
    m.load()
    export_and_attach(m, disk)


def test_many_devices_at_once(machine):
    """Twelve exports and devices, used side by side, and taken down in another order."""
    m = machine
    count = 12
    for n in range(count):
        m.run(f"dst export e{n} {m.ramdisk(4)} --allow any && dst attach dst://127.0.0.1/e{n} --name d{n} --connections 2")
    m.run(f"for n in $(seq 0 {count - 1}); do dd if=/dev/urandom of=/dev/dst-d$n bs=64k count=32 oflag=direct status=none & done; "
          "wait")
    shown = show(m)
    assert len(shown["devices"]) == len(shown["exports"]) == count
    assert all(d["stats"]["write_bytes"] == 2 << 20 for d in shown["devices"])
    m.run(f"for n in $(seq 0 {count - 1}); do dst unexport e$n --force & done; wait; "
          f"for n in $(seq {count - 1} -1 0); do dst detach d$n & done; wait")
    assert show(m) == {"exports": [], "devices": []}


def test_attach_is_called_off(machine):
    """`detach --force` ends an attach that waits for an exporter that says nothing; nothing of it is left."""
    m = machine
    silent = m.start("exec python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 7719)); time.sleep(60)'")
    m.wait_for("ss -tln | grep -q :7719")
    for _ in range(3):
        attach = m.start("exec dst attach dst://127.0.0.1:7719/data --name d --timeout 20s")
        m.wait_for("dst detach d --force")
        assert show(m)["devices"] == []
        ended = attach.wait(10)
        assert ended.status != 0 and "being attached" in ended.err
    silent.kill()
    assert show(m)["devices"] == []
    m.unload()
    m.load()


def test_commands_side_by_side(machine):
    """Attach, detach, show and set of the same names from several processes: errors, yes; hangs and splats, no."""
    m = machine
    disk = m.ramdisk(8)
    rounds = 12 if m.kernel.is_uml else 6
    # The last export may go while the kernel looks for partitions: a read for the whole budget, then ten of one timeout each.
    soon = "--timeout 1s --retries 2"
    loops = [f"dst export data {disk} --allow any; dst unexport data --force",
             f"dst attach dst://127.0.0.1/data --name d {soon}; dst detach d --force",
             f"dst attach dst://127.0.0.1/data --name d {soon} --connections 1; dst detach d",
             "dst show --json; dst set d timeout=2s; dst list dst://127.0.0.1",
             "dd if=/dev/zero of=/dev/dst-d bs=64k count=4 oflag=direct conv=nocreat"]
    m.run(" ".join(f"(for i in $(seq {rounds}); do {body}; done) >/tmp/out 2>&1 &" for body in loops) + " wait", timeout=150)
    m.run("dst detach d --force; dst unexport data --force; true")
    assert show(m) == {"exports": [], "devices": []}
    m.unload()
    m.load()


def test_a_thread_for_each_connection(machine):
    """The exporter's threads come with what they serve and go with it; who only knocks costs none."""
    m = machine

    def threads(n):
        return f"[ $(cat /proc/[0-9]*/comm 2>/dev/null | grep -cx dst-data) = {n} ]"

    export_and_attach(m, m.ramdisk(4), attach="--connections 2")
    m.wait_for(threads(2), 5)
    knock = m.start("exec 3<>/dev/tcp/127.0.0.1/7710; sleep 60")
    m.wait_for("[ $(ss -tnH state established dport = :7710 | wc -l) = 3 ]", 5)
    m.run(threads(2))
    m.run("dst detach d")
    m.wait_for(threads(0), 5)
    knock.kill()
