"""Which lines of dstor.ko ran: DST_COVERAGE=folder has every machine leave its counts there before it ends.

The folder gets one archive for each boot. tests/coverage/run builds the module that counts, and adds them up.
"""
import itertools
import os

from .channel import CommandFailed, MachineDied

FOLDER = os.environ.get("DST_COVERAGE")
SECONDS = 30
numbers = itertools.count(1)

# Files of debugfs have no size: tar would read nothing of them, cat does. The counts of a module that was
# unloaded are among them (gcov_persist).
COLLECT = r"""
cd /sys/kernel/debug/gcov && d=$(mktemp -d) && find . -name '*.gcda' | while read -r f; do
	mkdir -p $d/${f%/*} && cat $f >$d/$f || exit 1
done && tar -C $d -cz . && rm -r $d
"""


def collect(machine):
    """Leaves the counts of the machine since it booted. One that does not answer has none."""
    if not FOLDER or not machine.alive or machine.frozen or not machine.ever_loaded:
        return
    machine.ever_loaded = False
    try:
        job = machine.start(COLLECT)
        job.wait(SECONDS, check=True)
    except (MachineDied, CommandFailed, TimeoutError) as e:
        print(f"coverage: nothing from {machine.name}: {str(e)[:500]}")
        return
    os.makedirs(FOLDER, exist_ok=True)
    path = os.path.join(FOLDER, f"{os.getpid()}-{next(numbers)}.tar.gz")
    with open(path + ".new", "wb") as f:
        f.write(job.raw)
    os.rename(path + ".new", path)
