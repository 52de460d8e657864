"""A test machine as scenarios see it; qemu.py and uml.py say how one is started and hurt.

Owns the console file (the kernel log), the channel to the agent, and the life: boot, kill, shutdown.
"""
import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from . import boot, clean, coverage, logcheck
from .boot import PROJECT, HarnessError
from .channel import Channel, CommandFailed, MachineDied
from .points import Point


# Scenarios that say nothing of keys run encrypted: see tools/sealed-dst.
SEALED = bool(os.environ.get("DST_SEALED"))


class Machine:
    has_network = False
    boot_limit = 120

    def __init__(self, kernel, name, rundir):
        self.kernel, self.name = kernel, name
        self.rundir = Path(rundir)
        self.console = self.rundir / f"{name}.console"
        self.console.touch()
        self.machine_id = hashlib.md5(name.encode()).hexdigest()
        self.process = self.channel = None
        self.root = Path("/")
        self.loaded = self.ever_loaded = self.frozen = False
        self.unclean = None
        self.state_folder = None
        self._loaded_stamp = None
        self.boots = 0
        self.boot_seconds = None
        self._checked = self.test_log = 0
        self._allowed = []

    def _place(self, network, number, disks):
        """Its place in a network, if it is in one, and the disks that it keeps over boots."""
        self.network, self.number = network, number
        self.has_network = network is not None
        self.address = f"10.77.0.{number}" if network else "127.0.0.1"
        self.address6 = f"fd77::{number}" if network else "::1"
        self.disks = {d.serial: d for d in disks}
        for d in disks:
            d.create(self.rundir, self.name)

    # Life ---------------------------------------------------------------------------------------

    def boot(self):
        """Boots (again), with the same disks; returns when commands can be run."""
        self.start_boot()
        self.finish_boot()
        if self.state_folder:
            self.put("/tmp/state.tar", self.state_folder)
            self.run("tar -C /var/lib -xf /tmp/state.tar && rm /tmp/state.tar")

    def start_boot(self):
        if self.alive:
            raise HarnessError(f"{self.name} is running already")
        self._reap()
        self._boot_began = time.monotonic()
        self.channel = Channel(self.name, self._spawn(), self._obituary, self.kernel.is_uml)
        self.loaded, self.ever_loaded, self.unclean = False, False, None

    def finish_boot(self):
        limit = self.boot_limit - (time.monotonic() - self._boot_began)
        if not self.channel.ready.wait(max(limit, 1)) or self.channel.dead.is_set():
            said = self._obituary()
            self.kill()
            raise HarnessError(f"{self.name} did not boot within {self.boot_limit} s; {said}")
        self.boot_seconds = time.monotonic() - self._boot_began
        self.boots += 1
        self._clock = self._clock_offset()

    def _clock_offset(self):
        return float(self.run("cut -d' ' -f1 /proc/uptime").out) - time.monotonic()

    def clock_ahead(self):
        """Seconds that the machine's clock ran faster than ours since it booted; 0 when it cannot be asked."""
        try:
            return self._clock_offset() - self._clock if self.alive else 0
        except (MachineDied, CommandFailed, TimeoutError, ValueError):
            return 0

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """A power cut."""
        if self.process is None:
            return
        self._keep_state_folder()
        coverage.collect(self)
        self.process.kill()
        self._reap()

    def _keep_state_folder(self):
        """Its root is in memory, and what the utility remembers of exports is not: boot() puts it back."""
        if not self.alive or not self.ever_loaded or self.frozen or self.channel is None:
            return
        try:
            self.run("if [ -d /var/lib/dst ]; then tar -C /var/lib -cf /tmp/state.tar dst; else rm -f /tmp/state.tar; fi",
                     timeout=5)
            self.state_folder = self.get("/tmp/state.tar", timeout=5)
        except (CommandFailed, HarnessError, MachineDied, TimeoutError, OSError):
            pass

    def shutdown(self, timeout=60, command="sync; busybox poweroff -f"):
        """An orderly power off: sync, then the kernel's own (reboot notifiers run)."""
        self._keep_state_folder()
        coverage.collect(self)
        try:
            self.channel.start(command)
        except MachineDied:
            pass
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"{self.name} did not power off within {timeout} s:\n{self.log()[-2000:]}") from None
        finally:
            self._end()

    def _end(self):
        """After an orderly end: nothing is lost."""
        self.kill()

    def _reap(self):
        if self.process is not None:
            self.process.wait()
            self.process = None
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def thaw(self):
        pass

    def _spawn(self):
        """Starts self.process; returns the socket that leads to the agent."""
        raise NotImplementedError

    def _obituary(self):
        log = self.log()
        oops = [line for line in log.splitlines() if re.search(r"\bBUG:|Oops|\[#1\]|Kernel panic", line)]
        return "\n".join([*oops[:1], "end of its console:", log[-3000:]])

    # Commands -----------------------------------------------------------------------------------

    def start(self, cmd):
        """Runs cmd by `bash -c` in the background: a Job."""
        if self.channel is None:
            raise MachineDied(f"{self.name} is not running")
        return self.channel.start(cmd)

    def run(self, cmd, timeout=60, check=True):
        """Runs cmd by `bash -c`: a Result with .status .out .err; check: raise unless status is 0."""
        job = self.start(cmd)
        try:
            return job.wait(timeout, check)
        except TimeoutError:
            job.kill()
            raise

    def put(self, path, data, timeout=60):
        """Writes data (str, bytes, or a pathlib.Path of the host) to a file, mode 0755."""
        if isinstance(data, Path):
            data = data.read_bytes()
        self.channel.put(str(path), data.encode() if isinstance(data, str) else data, timeout)

    def get(self, path, timeout=60):
        """The bytes of a file."""
        return self.channel.get(str(path), timeout)

    def wait_for(self, cmd, timeout=30, every=0.2):
        """Runs cmd again and again until its status is 0; the last Result."""
        until = time.monotonic() + timeout
        while True:
            result = self.run(cmd, check=False)
            if result.status == 0:
                return result
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name}: not true within {timeout} s: {result!r}")
            time.sleep(every)

    # The module ---------------------------------------------------------------------------------

    def load(self, params="", build=None):
        """Loads dstor.ko of this kernel, its dependencies first, and puts `dst` on the PATH. build: instead of build/."""
        ko = build / self.kernel.release / "dstor.ko" if build else self.kernel.ko
        utility = (build or boot.BUILD) / "dst"
        if not ko.exists():
            raise HarnessError(f"{ko} is not built: {self.kernel.hint}")
        self.put("/run/dstor.ko", ko)
        if utility.exists():
            self.put("/usr/sbin/dst" + ("-itself" if SEALED else ""), utility)
        if SEALED:
            self.put("/usr/sbin/dst", PROJECT / "tests/vm/tools/sealed-dst")
            # the same in every machine of a scenario
            self.put("/etc/sealed.key", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=\n")
            self.run("chmod 600 /etc/sealed.key")
        self.run("deps=$(modinfo -F depends /run/dstor.ko); [ -z \"$deps\" ] || modprobe -a ${deps//,/ }; "
                 f"insmod /run/dstor.ko {params}")
        self.loaded = self.ever_loaded = True
        # The next test loads it anew, without these parameters.
        self._loaded_stamp = None

    def ensure_loaded(self):
        """load(), or again if dstor.ko was built anew since."""
        stamp = self.kernel.ko.exists() and self.kernel.ko.stat().st_mtime_ns
        if self.loaded and stamp != self._loaded_stamp:
            self.unload()
        if not self.loaded:
            self.load()
            self._loaded_stamp = stamp

    def unload(self):
        self.run("rmmod dstor")
        self.loaded = False

    def point(self, name, **order):
        """Lets the module wait or fail at a point (see points.py): a Point."""
        return Point(self, name, **order)

    # The kernel log -----------------------------------------------------------------------------

    def log(self):
        """All that the kernel said, over all boots."""
        return self.console.read_text(errors="replace").replace("\r", "")

    def log_since(self, position):
        with open(self.console, "rb") as f:
            f.seek(position)
            return f.read().decode(errors="replace").replace("\r", "")

    def expect_log(self, regex):
        """Lines that match are no findings until this test ends."""
        self._allowed.append(re.compile(regex))

    def forget_log(self):
        """A new test begins: what was said so far was somebody else's."""
        self._allowed = []
        self._checked = self.console.stat().st_size
        self.test_log = self._checked

    def check_log(self):
        """Raises LogFinding if the log since the last check holds a warning, splat or leak."""
        text = self.log_since(self._checked)
        self._checked = self.console.stat().st_size
        found = logcheck.findings(text, self._allowed)
        if found:
            raise logcheck.LogFinding(f"kernel log of {self.name} ({self.kernel.name}):\n" + "\n".join(found))

    def check_leaks(self):
        """Raises LogFinding if kmemleak (uml-debug) sees new leaks, of memory that is older than the
        5 s it gives everybody. Takes 10 s."""
        if self.run("test -e /sys/kernel/debug/kmemleak", check=False).status:
            return
        leaks = self.run("cd /sys/kernel/debug; sleep 5.5; echo scan >kmemleak; sleep 0.2; echo scan >kmemleak; cat kmemleak; "
                         "echo clear >kmemleak", timeout=180).out
        # What the first process lost before it became our init is the kernel's own.
        leaks = "".join(leak for leak in re.split(r"^(?=unreferenced object)", leaks, flags=re.M)
                        if 'comm "swapper' not in leak)
        if "unreferenced object" in leaks:
            raise logcheck.LogFinding(f"leaks in {self.name}:\n{leaks[:8000]}")

    # Disks in the guest -------------------------------------------------------------------------

    def ramdisk(self, size_mb, block_size=4096, **attributes):
        """A memory disk (null_blk); attributes as in its configfs, e.g. cache_size=16, badblocks="+0-7"."""
        name = f"nullb_t{int(time.monotonic() * 1000) % 10**9}"
        values = {"size": size_mb, "memory_backed": 1, "blocksize": block_size, "irqmode": 0,
                  "submit_queues": 1, "hw_queue_depth": 128, "discard": 1, **attributes}
        lines = "".join(f"echo {value} >$d/{key}\n" for key, value in values.items())
        return self.run("[ -d /sys/module/null_blk ] || modprobe -q null_blk nr_devices=0; [ -d /sys/kernel/config/nullb ] || "
                        f"mount -t configfs configfs /sys/kernel/config\nset -e; d=/sys/kernel/config/nullb/{name}; "
                        f"mkdir $d\n{lines}echo 1 >$d/power; read -r i <$d/index\n"
                        f"for n in {name} nullb$i; do [ ! -b /dev/$n ] || echo /dev/$n; done").out.split()[0]

    def loopfile(self, size_mb):
        """A loop device over a new sparse file in the machine's memory."""
        return self.run(f"modprobe -q loop; f=$(mktemp /tmp/loop.XXXXXX) && truncate -s {size_mb}M $f && "
                        "losetup --find --show --direct-io=off $f").out.strip()

    # Between tests ------------------------------------------------------------------------------

    def clean(self):
        """Undoes what a test left. True: the machine can be used again; False: boot it anew."""
        return clean.clean(self)
