"""Which lines of dstor.ko ran: DST_COVERAGE=folder has every machine leave its counts there before it ends.

The folder gets one archive for each boot. tests/coverage/run builds the module that counts, and adds them up.
"""
import itertools
import os
import shlex

from .channel import CommandFailed, MachineDied

FOLDER = os.environ.get("DST_COVERAGE")
SECONDS = 120
numbers = itertools.count(1)

# Files of debugfs have no size, so that tar itself would read nothing of them. The counts of a module that was
# unloaded are among them (gcov_persist).
COLLECT = """
import glob, io, sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as tar:
    for path in glob.glob("/sys/kernel/debug/gcov/**/*.gcda", recursive=True):
        data = open(path, "rb").read()
        entry = tarfile.TarInfo(path[len("/sys/kernel/debug/gcov/"):])
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
"""


def collect(machine):
    """Leaves the counts of the machine since it booted; of one that does not answer, a file that says so."""
    if not FOLDER or not machine.alive or machine.frozen or not machine.ever_loaded:
        return
    machine.ever_loaded = False
    path = os.path.join(FOLDER, f"{os.getpid()}-{next(numbers)}")
    os.makedirs(FOLDER, exist_ok=True)
    try:
        job = machine.start(f"exec python3 -c {shlex.quote(COLLECT)}")
        job.wait(SECONDS, check=True)
    except (MachineDied, CommandFailed, TimeoutError) as e:
        with open(path + ".lost", "w", encoding="utf-8") as f:
            f.write(f"{machine.name}: {e}\n")
        return
    with open(path + ".new", "wb") as f:
        f.write(job.raw)
    os.rename(path + ".new", path + ".tar.gz")
