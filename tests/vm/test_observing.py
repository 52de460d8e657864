# SPDX-License-Identifier: GPL-2.0
"""What an administrator sees: events with reasons, rates, latencies, metrics, why I/O is stuck, tracepoints."""
import json
import re

from common import (Proxy, attach_to, device, export, export_and_attach, fails, make_keys, read_block, wait_state,
                    write_block)

TRACE = "/sys/kernel/tracing"


def events(job):
    return [json.loads(line) for line in job.out.splitlines()]


def test_every_change_is_an_event_with_its_reason(machine):
    m = machine
    both, text = m.start("dst monitor --json"), m.start("exec dst monitor")
    m.wait_for("[ $(pgrep -xc dst) = 2 ] && sleep 0.3")
    with Proxy(m) as proxy:
        export_and_attach(m, m.ramdisk(8), attach="--connections 1 --timeout 1s --ping 500ms", port=proxy.port)
        proxy.do("refuse", "cut")
        wait_state(m, "reconnecting")
        m.wait_for("dst show d --json | grep -q 'refused\\|reset\\|closed'")
        why = m.run("dst show --why d").out
        proxy.do("accept")
        wait_state(m, "connected")
        assert m.run("cat /sys/block/dst-d/dst/state").out == "connected\n"
        m.run("dst detach d && dst unexport data")
    m.wait_for("sleep 0.3")
    seen = events(both)
    names = [e["event"] for e in seen]
    for wanted in ("export-added", "client-joined", "device-attached", "device-state", "client-left", "device-detached",
                   "export-removed"):
        assert wanted in names, names
    states = [e for e in seen if e["event"] == "device-state"]
    assert states[0]["state"] == "reconnecting" and states[0]["reason"], states
    assert states[-1]["state"] == "connected" and "reason" not in states[-1], states
    joined = next(e for e in seen if e["event"] == "client-joined")
    assert joined["name"] == "data" and joined["client"]["access"] == "write" and joined["client"]["address"]
    left = [e["reason"] for e in seen if e["event"] == "client-left"]
    assert left[0] == "its connection broke" and left[-1] == "it detached"
    assert names.count("client-left") == names.count("client-joined") == 2
    assert seen == sorted(seen, key=lambda e: e["time_ms"])
    assert re.search(r" device d: reconnecting: \w+.*\n(.*\n)*.* device d: connected\n", text.out), text.out
    for words in ("is reconnecting", "dst://127.0.0.1", "0 of 1 work; the next attempt", "none waits",
                  "after 25s", "dst ping", "detach d --force"):
        assert words in why, why


def test_resize_is_an_event(machine):
    m = machine
    m.run("truncate -s 8M /tmp/f")
    export_and_attach(m, "/tmp/f", attach="--connections 1")
    job = m.start("dst monitor --json")
    m.wait_for("pgrep -x dst && sleep 0.3")
    m.run("truncate -s 16M /tmp/f")
    m.wait_for("[ $(blockdev --getsize64 /dev/dst-d) = 16777216 ] && sleep 0.2")
    assert {(e["event"], e["size"]) for e in events(job)} == {("export-resized", 16 << 20), ("device-resized", 16 << 20)}


def test_rates_latencies_and_metrics(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    for block in range(20):
        write_block(m, path, "x", block)
    read_block(m, path)
    d = device(m)
    assert d["latency"]["write"]["count"] == d["stats"]["writes"] >= 20
    assert d["latency"]["read"]["count"] == d["stats"]["reads"] > 0
    assert 0 < d["latency"]["write"]["p50_ns"] <= d["latency"]["write"]["p99_ns"] < 10**10
    assert d["latency"]["write"]["sum_ns"] >= d["latency"]["write"]["p50_ns"]
    assert sum(d["latency"]["write"]["below_1024ns_doubling"]) == d["latency"]["write"]["count"]

    out = m.run("dst show --prometheus").out
    values = dict(re.findall(r"^(\w+\{[^}]*\}) (\S+)$", out, re.M))
    assert values['dst_device_state{device="d",state="connected"}'] == "1"
    assert int(values['dst_device_writes_total{device="d"}']) == d["stats"]["writes"]
    assert values['dst_device_latency_seconds_bucket{device="d",op="write",le="+Inf"}'] == \
        values['dst_device_latency_seconds_count{device="d",op="write"}'] == str(d["stats"]["writes"])
    assert values['dst_export_clients{export="data"}'] == "1"
    kinds = re.findall(r"^# TYPE (\S+) ", out, re.M)
    assert len(kinds) == len(set(kinds))
    assert all(re.match(r"# (HELP|TYPE) \w+ |\w+\{.*\} [0-9.]+$", line) for line in out.splitlines())

    # rates: on a terminal with colours and an empty screen, elsewhere plain
    job = m.start(f"while :; do dd if=/dev/zero of={path} bs=4k count=20 oflag=direct status=none; done")
    out = m.run("timeout 3.5 dst show --watch", check=False).out
    job.kill()
    assert "\033" not in out and out.count("PER SECOND") >= 2
    rates = re.findall(r"^d +\S+ +(\d+) +\S+ +\S+ +\S+ +\S+ +\S+ +(\S+)", out, re.M)
    assert any(int(writes) > 0 and p50 != "-" for writes, p50 in rates), out
    out = m.run("script -qc 'dst show' /dev/null").out
    assert "\033[32mconnected" in out
    assert "\033" not in m.run("script -qc 'NO_COLOR=1 dst show' /dev/null").out
    assert m.run("dst show --names").out == "export data\ndevice d\n"
    assert "it works" in m.run("dst show --why /dev/dst-d").out
    fails(m, "dst show --why data", "no device")


def test_kernel_log_has_changes_of_state(machine):
    m = machine
    disk, key = m.ramdisk(8), make_keys(m, "a", "b")
    m.run("sleep 5.5; dmesg -C")  # printk's limits are those of the tests before, too
    with Proxy(m) as proxy:
        export_and_attach(m, disk, f"--allow key={key}", "--connections 1 --timeout 1s --ping 500ms", port=proxy.port)
        proxy.do("refuse", "cut")
        wait_state(m, "reconnecting")
        proxy.do("accept")
        wait_state(m, "connected")
        fails(m, "dst attach dst://127.0.0.1/data --name x --key /tmp/b.key", "authentication failed")
        m.run(f"dst set data evict={m.name}")
        wait_state(m, "failed")
        m.run("dst detach d --force; dst unexport data")
    log = m.run("dmesg --notime").out
    at = r"127\.0\.0\.1:\d+"
    for line in (f"dstor: export data: added, 8388608 bytes of {disk}", "dstor: dst-d: attached, 8388608 bytes",
                 r"dstor: dst-d: reconnecting: \w.*", "dstor: dst-d: connected",
                 f"dstor: client {at}: authentication failed: no rule has its key",
                 "dstor: dst-x: authentication failed: it has no rule with this key",
                 f"dstor: export data: client {m.name} {at} evicted", r"dstor: dst-d: failed: \w.*",
                 "dstor: dst-d: detached", "dstor: export data: removed"):
        assert re.search(f"^{line}$", log, re.M), (line, log)


def test_protection_is_shown_on_both_ends(machine):
    m = machine
    key = make_keys(m, "a")
    m.run(f"dst export data {m.ramdisk(8)} --shared --allow any --allow key={key} --cipher aes-256-gcm,none "
          "--checksum 'crc32c,hmac(sha256),none'")
    asked = {
        "sealed": (f"--key {key} --cipher aes-256-gcm", "aes-256-gcm", "none", r"encrypted \(aes-256-gcm\)"),
        "mac": (f"--key {key} --cipher none --checksum 'hmac(sha256)'", "none", "hmac(sha256)",
                r"authenticated, not encrypted \(hmac\(sha256\)\)"),
        "sum": ("--checksum crc32c", "none", "crc32c", r"in the clear \(crc32c\)"),
        "bare": ("--checksum none", "none", "none", r"in the clear \(no checksum\)"),
    }
    for name, (options, cipher, checksum, words) in asked.items():
        known = {c["session"] for c in export(m)["clients"]}
        attach_to(m, f"dst://127.0.0.1/data --connections 1 {options}", name)
        new = next(c for c in export(m)["clients"] if c["session"] not in known)
        assert (new["cipher"], new["checksum"]) == (device(m, name)["cipher"], device(m, name)["checksum"]) == \
            (cipher, checksum), new
        table = m.run("dst show").out
        assert re.search(rf"^/dev/dst-{name} .* connected +{words}$", table, re.M), table
        assert re.search(rf"^  client .*{re.escape(new['address'])}: writes, .*, {words}", table, re.M), table


def test_the_life_of_a_transaction_is_traced(machine):
    m = machine
    path = export_and_attach(m, m.ramdisk(8), attach="--connections 1")
    m.run(f"cd {TRACE}; echo >trace; echo 1 >events/dstor/enable; echo 1 >tracing_on")
    try:
        write_block(m, path, "x", 3)
    finally:
        out = m.run(f"cd {TRACE}; echo 0 >tracing_on; cat trace; echo 0 >events/dstor/enable; echo >trace").out
    found = re.findall(r"dstor_(\w+): (\d+,\d+) queue=0 slot=(\d+) seq=(\d+) write sector=(\d+) bytes=(\d+) resends=0 "
                       r"age_us=(\d+) error=0", out)
    assert {f[0] for f in found} == {"submit", "send", "receive", "ack"}, out
    assert len({f[1:4] for f in found}) == 1
    by = {f[0]: f for f in found}
    assert by["submit"][4:6] == by["ack"][4:6] == ("24", "4096")
    assert int(by["ack"][6]) >= int(by["submit"][6])
