# SPDX-License-Identifier: GPL-2.0
"""What the scenarios share: `dst` seen from outside, the proxy, traces of a disk, programs in Python in the machine.

Only the command line and docs/protocol.md are relied on.
"""
import contextlib
import json
import re
import shlex
import textwrap
import time

from harness.boot import PROJECT

TOOLS = "/dst/tests/vm/tools"
PROXY, CONTROL = 7711, 7799
VERSION = re.search(r'RELEASE "(.*)"', (PROJECT / "module/version.h").read_text()).group(1)


# The command line -----------------------------------------------------------------------------------

def show(m, name=""):
    return json.loads(m.run(f"dst show {name} --json").out)


def one(kind, m, name):
    found = [x for x in show(m)[kind] if x["name"] == name]
    assert len(found) == 1, f"dst show has {len(found)} {kind} named {name}: {show(m)}"
    return found[0]


def device(m, name="d"):
    return one("devices", m, name)


def export(m, name="data"):
    return one("exports", m, name)


def export_and_attach(m, disk, options="", attach="", port=7710, name="data", allow="any"):
    """Both ends on one machine; port: that of a proxy between them. The device's path."""
    m.run(f"dst export {name} {disk} --allow {allow} {options}")
    return attach_to(m, f"dst://127.0.0.1:{port}/{name} {attach}")


def attach_to(m, uri_and_options, name="d"):
    path = m.run(f"dst attach {uri_and_options} --name {name}").out.strip()
    assert path == f"/dev/dst-{name}"
    return path


def fails(m, command, *words, timeout=30):
    """Exit 1, nothing on stdout, one line on stderr that begins with "dst: " and holds all the words."""
    got = m.run(command, check=False, timeout=timeout)
    wrong = []
    if got.status != 1:
        wrong.append(f"exit status {got.status} instead of 1")
    if got.out:
        wrong.append(f"stdout: {got.out!r}")
    if len(got.err.splitlines()) != 1 or not got.err.startswith("dst: "):
        wrong.append("stderr is not one line of dst")
    wrong += [f"stderr does not say {word!r}" for word in words if not re.search(word, got.err, re.I)]
    assert not wrong, f"{command}: {'; '.join(wrong)}\n{got.err}"
    return got.err


def wait_state(m, state, name="d", timeout=15):
    """Until the device is in that state; what `dst show` says then."""
    until = time.monotonic() + timeout
    while True:
        d = device(m, name)
        if d["state"] == state:
            return d
        assert time.monotonic() < until, f"{name} is not {state} after {timeout} s: {d}"
        time.sleep(0.1)


def mapped(m, name, table):
    """A device-mapper disk; the machine has no udev, so by the name that devtmpfs gives it."""
    kind = table.split()[2]
    m.run(f"modprobe -q dm_mod; modprobe -q dm_{kind}; dmsetup create {name} --noudevsync --table '{table}'", timeout=30)
    return "/dev/" + m.run(f"dmsetup info -c --noheadings -o blkdevname {name}").out.strip()


# I/O ------------------------------------------------------------------------------------------------

def verify(path, options="", runtime=None, size="8M", bs="4k", jobs=1):
    """A fio command that writes, reads back and compares; runtime: goes on that long, in seconds."""
    timed = f"--time_based --runtime={runtime}" if runtime else ""
    return (f"fio --name=v --filename={path} --rw=randrw --bs={bs} --direct=1 --ioengine=libaio --iodepth=8 "
            f"--size={size} --numjobs={jobs} --offset_increment={size} --verify=crc32c --verify_fatal=1 "
            f"--verify_state_save=0 --group_reporting --minimal {timed} {options}")


def written(m, path):
    """Writes the device has done."""
    return int(m.run(f"cat /sys/block/$(basename {path})/stat").out.split()[4])


def writes_on(m, path, more=50):
    """Until it has done some more: no test knows how long that takes a slow machine."""
    goal = written(m, path) + more
    m.wait_for(f"read -r _ _ _ _ n _ </sys/block/$(basename {path})/stat; [ $n -gt {goal} ]", every=0.05)


def start_load(m, path, writes=50, **how):
    """verify() in the background, and its I/O is under way: it has done so many."""
    job = m.start(verify(path, **how))
    writes_on(m, path, writes)
    return job


def write_block(m, path, text, block=0, size=4096, check=True, flags="oflag=direct conv=notrunc"):
    return m.run(f"printf %-{size}s {shlex.quote(text)} | dd of={path} bs={size} seek={block} iflag=fullblock {flags} status=none",
                 check=check)


def read_block(m, path, block=0, size=4096):
    return m.run(f"dd if={path} bs={size} skip={block} count=1 iflag=direct status=none | tr -d '\\0 '").out


def sums(m, *paths):
    """SHA-256 of each disk, read with direct I/O."""
    return m.run(f"python3 {TOOLS}/scatter.py sum {' '.join(paths)}", timeout=120).out.split()


def guest_python(m, code, timeout=60, start=False):
    """Runs a program in the machine, beside tools/; its last line of output, as JSON (or the job, with start)."""
    command = f"PYTHONPATH={TOOLS} PYTHONDONTWRITEBYTECODE=1 exec python3 -c {shlex.quote(textwrap.dedent(code))}"
    if start:
        return m.start(command)
    return json.loads(m.run(command, timeout=timeout).out.splitlines()[-1])


@contextlib.contextmanager
def dead_addresses(m, count=1):
    """A host name with that many addresses, of which each swallows what is sent to it."""
    m.run("ip link add dead0 type dummy 2>/dev/null; ip link set dead0 arp off up && ip addr replace 10.99.0.1/24 dev dead0 && "
          f"cp /etc/hosts /tmp/hosts && for n in $(seq 2 {count + 1}); do echo 10.99.0.$n dead; done >>/etc/hosts")
    try:
        yield "dead"
    finally:
        m.run("cp /tmp/hosts /etc/hosts; ip link del dead0", check=False)


# The network in between -----------------------------------------------------------------------------

class Proxy:
    """tools/proxy.py in a machine, between 127.0.0.1:7711 and the exporter's port; also a context manager."""

    program = "proxy.py"

    def __init__(self, m, port=PROXY, exporter=7710, control=CONTROL):
        self.m, self.port, self.control = m, port, control
        self.job = m.start(f"PYTHONDONTWRITEBYTECODE=1 exec python3 {TOOLS}/{self.program} {port} {exporter} {control}")
        until = time.monotonic() + 20
        while "ready" not in self.job.out:
            assert self.job.running and time.monotonic() < until, self.job.err
            time.sleep(0.02)

    def do(self, *commands):
        """Orders, in turn; the answer to the last one."""
        lines = "; ".join(f"echo {c} >&3; read -r a <&3" for c in commands)
        out = self.m.run(f"exec 3<>/dev/tcp/127.0.0.1/{self.control}; {lines}; echo \"$a\"").out.strip()
        assert out, f"the proxy did not understand {commands}: {self.job.err}"
        return out

    def status(self):
        return json.loads(self.do("status"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.job.kill()


class Wiretap(Proxy):
    """tools/wiretap.py likewise: it cannot read what passes, and may change it."""
    program = "wiretap.py"

    def found(self, data):
        return int(self.do(f"find {data.hex()}"))


def make_keys(m, *names):
    """Key files /tmp/NAME.key in the machine; the path of the first."""
    for name in names:
        m.run(f"(umask 077; dst genkey >/tmp/{name}.key)")
    return f"/tmp/{names[0]}.key"


def sealed(m, disk, options="", attach="", port=7710, allow="", name="data"):
    """Both ends on one machine with the key /tmp/a.key, which is made. The device's path."""
    key = make_keys(m, "a")
    return export_and_attach(m, disk, options, f"--key {key} {attach}", port, name, allow=f"key={key}{allow}")


# What reaches a disk --------------------------------------------------------------------------------

class Trace:
    """The bios a disk of the machine gets while the context is open: (rwbs, sector, sectors), in .bios.

    rwbs as blktrace has it: F before the operation is a flush, after it FUA; D discard, N write-zeroes
    (which 7.x calls WZ).
    """
    EVENTS = "/sys/kernel/tracing/events/block/block_bio_queue"

    def __init__(self, m, disk):
        self.m, self.disk, self.bios = m, disk, None

    def __enter__(self):
        # The event stays on: an emulated machine once stood still while its kernel patched code that was running.
        self.m.run(f"cd /sys/kernel/tracing; echo 0 >tracing_on; echo >trace; echo 4096 >buffer_size_kb; "
                   f"set -e; IFS=: read -r a b </sys/class/block/$(basename {self.disk})/dev; "
                   f"echo \"dev == $((a << 20 | b))\" >{self.EVENTS}/filter; "
                   f"echo 1 >{self.EVENTS}/enable; echo 1 >tracing_on")
        return self

    def __exit__(self, *_):
        out = self.m.run(f"cd /sys/kernel/tracing; echo 0 >tracing_on; cat trace; echo >trace").out
        found = re.findall(r"block_bio_queue: \d+,\d+ (\w+) (\d+) \+ (\d+)", out)
        self.bios = [(rwbs.replace("WZ", "N"), int(sector), int(sectors)) for rwbs, sector, sectors in found]

    def count(self, regex):
        return sum(1 for rwbs, _, _ in self.bios if re.match(regex, rwbs))

    @property
    def flushes(self):
        """Flushes without data."""
        return sum(1 for rwbs, _, sectors in self.bios if re.match(r"F", rwbs) and not sectors)

    @property
    def fuas(self):
        return sum(1 for rwbs, _, sectors in self.bios if re.match(r"F?W\w*?F", rwbs) and sectors)


def flush_count(m, disk):
    """Flushes the disk itself was told, by its own statistics."""
    return int(m.run(f"cat /sys/class/block/$(basename {disk})/stat").out.split()[15])
