# SPDX-License-Identifier: GPL-2.0
"""No memory, at every single place (in the gate at each fourth).

What cannot be made is refused and leaves nothing, what runs goes on, and no data is wrong.
"""
import pytest

from common import (PROXY, Proxy, Wiretap, attach_to, device, export_and_attach, guest_python, sealed, show, verify,
                    wait_state)
from gate import brief

pytestmark = pytest.mark.debug
NOTHING = {"exports": [], "devices": []}

# The call is made with its first allocation failing, then its second, and so on until all succeed. Prints how often it failed
# for which reason, and what was left where nothing should be.
SWEEP = """
    from genl import *
    import json
    from collections import Counter
    n, errors, left = Netlink(), Counter(), []
    may_fail()

    def sweep(cmd, attrs, undo, dump=False, dense=5000):
        nth = 1
        while nth < 5000:
            # A list that broke off is still under way on its socket.
            got = (Netlink() if dump else n).call(cmd, attrs, nth, dump=dump)
            errors[got.error] += 1
            undone = n.call(undo, [attrs[A.NAME]]) if undo else None
            # The ack may be what there was no memory for.
            if undo and got.error not in ("OK", "ENOBUFS") and undone.error != "ENOENT":
                left.append([nth, got.error, undone.error])
            if not got.fired:
                return nth
            nth += STRIDE * (1 if nth < dense else 23)
        raise SystemExit("it never succeeded")
    """


def stride():
    return brief(4, 1)


def sweep():
    return SWEEP.replace("STRIDE", str(stride()))


# What a system call says that had no memory, in the words of the parts of the kernel that were asked: bind() of an address calls
# it EADDRINUSE.
NO_MEMORY = {"ENOMEM", "ENOBUFS", "ENFILE", "EMFILE", "EAGAIN", "EADDRINUSE"}


def check(got, at_least):
    assert not got["left"], got
    assert got["errors"].pop("OK", 0), got
    assert set(got["errors"]) <= NO_MEMORY, got
    assert sum(got["errors"].values()) >= at_least // stride(), got


def check_all_is_freed(m):
    """Neither memory nor a reference to the module is left of all those attempts."""
    m.run("dst unexport data 2>/dev/null; true")
    assert show(m) == NOTHING
    m.unload()
    m.check_leaks()


@pytest.mark.limit(600)
@pytest.mark.parametrize("how", ["disk", "file with keys"])
def test_export(machine, how):
    m = machine
    # What the kernel's slab says that has no memory for one more.
    m.expect_log("Call Trace|Modules linked in")
    if how == "disk":
        path, more, lease = m.ramdisk(8), "", "b''"
    else:
        path, lease = "/tmp/disk.img", "text(A.LEASE_FILE, '/tmp/lease')"
        more = "rules=(nest(A.ALLOW, attr(RULE.KEY, b'k' * 32)),), listen=(address(A.LISTEN), address(A.LISTEN, port=7720))"
        m.run(f"truncate -s 8M {path}")
    got = guest_python(m, sweep() + f"""
    tried = sweep(CMD.EXPORT_ADD, {{**export("{path}", {more}), A.LEASE_FILE: {lease}}}, CMD.EXPORT_DEL)
    print(json.dumps({{"errors": errors, "left": left, "tried": tried}}))
    """, timeout=500)
    check(got, at_least=15)
    check_all_is_freed(m)


@pytest.mark.limit(900)
@pytest.mark.parametrize("key", [False, True], ids=["plain", "key"])
def test_attach(machine, key):
    """The exporter has memory; each failed attach is one of a client that comes again."""
    m = machine
    m.expect_log("Call Trace|Modules linked in")
    m.run(f"head -c 32 /dev/zero | tr '\\0' k | base64 >/tmp/k.key; chmod 600 /tmp/k.key; "
          f"dst export data {m.ramdisk(8)} --allow {'key=/tmp/k.key' if key else 'any'}")
    more = "attr(A.KEY, b'k' * 32)" if key else "b''"
    got = guest_python(m, sweep() + f"""
    what = {{**device(), A.KEY: {more}, A.CONNECTIONS: u32(A.CONNECTIONS, 2), A.QUEUE_DEPTH: u32(A.QUEUE_DEPTH, 4)}}
    # What fails first is ours; later on it is the block layer's and sysfs's.
    tried = sweep(CMD.DEVICE_ADD, what, CMD.DEVICE_DEL, dense=100)
    print(json.dumps({{"errors": errors, "left": left, "tried": tried}}))
    """, timeout=800)
    check(got, at_least=30)
    check_all_is_freed(m)


def test_show_and_set(machine):
    m = machine
    m.run(f"dst export data {m.ramdisk(8)} --allow any && dst attach dst://127.0.0.1/data --name d")
    got = guest_python(m, sweep() + """
    data, d = {A.NAME: text(A.NAME, "data")}, {A.NAME: text(A.NAME, "d")}
    rules = nest(A.ALLOW, attr(RULE.KEY, b"k" * 32)) + nest(A.ALLOW, text(RULE.TEXT, "any"))
    tried = {"export": sweep(CMD.EXPORT_GET, data, None), "device": sweep(CMD.DEVICE_GET, d, None),
             "exports": sweep(CMD.EXPORT_GET, [], None, dump=True), "devices": sweep(CMD.DEVICE_GET, [], None, dump=True),
             "set rules": sweep(CMD.EXPORT_SET, {**data, 0: rules}, None),
             "set address": sweep(CMD.DEVICE_SET, {**d, A.ADDRESS: address(), A.URI: text(A.URI, "dst://127.0.0.1/data")}, None)}
    print(json.dumps({"errors": errors, "left": left, "tried": tried}))
    """, timeout=200)
    check(got, at_least=15)
    # A changed address is connected to anew.
    wait_state(m, "connected")
    got = guest_python(m, sweep() + """
    for nth in range(1, 20):
        with open("/proc/thread-self/fail-nth", "r+b", buffering=0) as f, \\
                open("/sys/block/dst-d/dst/state", "rb", buffering=0) as s:
            f.write(b"%d" % nth)
            try:
                errors[s.read().decode().strip()] += 1
            except OSError as e:
                errors[errno.errorcode[e.errno]] += 1
            f.write(b"0")
    print(json.dumps(errors))
    """)
    assert got.pop("connected") >= 5 and set(got) == {"ENOMEM"}, got


# Threads of the kernel: those of exports and devices among them.
MARK = """
for p in /proc/[0-9]*; do
	read -r name <$p/comm || continue
	case $name in dst-agent) ;; kworker/*|dst-*) echo 1 >$p/make-it-fail ;; esac
done 2>/dev/null
"""
SOMETIMES = """
cd /sys/kernel/debug
for f in failslab fail_page_alloc; do
	echo 0 >$f/verbose; echo N >$f/ignore-gfp-wait; echo Y >$f/task-filter; echo -1 >$f/times; echo 1 >$f/interval
	echo %d >$f/probability
done
echo 0 >fail_page_alloc/min-order; echo N >fail_page_alloc/ignore-gfp-highmem
"""
NEVER = "cd /sys/kernel/debug; for f in failslab fail_page_alloc; do echo 0 >$f/probability; echo N >$f/task-filter; done"


@pytest.mark.limit(600)
@pytest.mark.parametrize("key", [False, True], ids=["plain", "key"])
def test_threads_that_sometimes_find_none(machine, key):
    """Connections break and come back, requests wait; what was written is what is read."""
    m = machine
    # vmalloc() says it when it has none, unlike kmalloc().
    m.expect_log("page allocation failure|vmalloc error|Call Trace|Modules linked in")
    disk = m.ramdisk(32)
    # null_blk takes its memory when it is written to for the first time, in our threads.
    m.run(f"dd if=/dev/zero of={disk} bs=1M count=32 oflag=direct status=none")
    make = sealed if key else export_and_attach
    with (Wiretap if key else Proxy)(m) as proxy:
        path = make(m, disk, port=PROXY, attach="--timeout 2s --retries 60 --ping 200ms")
        job = m.start(verify(path, runtime=12, size="16M", bs="4k", jobs=2))
        try:
            m.run(SOMETIMES % (2 if key else 5))
            for _ in range(8):
                m.run(MARK + "sleep 1")
                proxy.do("cut")
        finally:
            m.run(NEVER)
        job.wait(240, check=True)
        d = device(m)
        assert d["stats"]["reconnects"] >= 2 and not d["stats"]["errors"], d["stats"]
    m.run("dst detach d --force && dst unexport data --force")
    export_again = m.ramdisk(8)
    m.run(f"dst export again {export_again} --allow any")
    attach_to(m, "dst://127.0.0.1/again", name="again")
