"""Makes a machine fit for the next test: everything a scenario may have set up is taken down."""
import json
import shlex

from .channel import CommandFailed, MachineDied

# A task that is held in a point of dstor would keep all the rest from ending: it is let go first. Then processes
# (kill -1 spares process 1 and ourselves), then from the top of the stack down.
TOP = r"""
[ ! -e /sys/kernel/debug/dst/points ] || echo "* off" >/sys/kernel/debug/dst/points
kill -9 -1 2>/dev/null
while read -r dev dir rest; do case $dev in /dev/*) dirs="$dir $dirs" ;; esac; done </proc/mounts
for d in $dirs; do umount -f $d || umount -l $d; done
read -r _ < /proc/swaps; tail -n +2 /proc/swaps | while read -r s _; do swapoff $s; done
shopt -s nullglob
for m in /sys/block/md*; do mdadm --stop /dev/${m##*/}; done
set -- /sys/block/dm-*; [ $# = 0 ] || dmsetup remove_all --force
for b in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*-*/stop; do echo 1 >$b; done
"""

BOTTOM = r"""
shopt -s nullglob
set -- /sys/block/dm-*; [ $# = 0 ] || dmsetup remove_all --force
for f in /sys/block/loop*/loop/backing_file; do d=${f#/sys/block/}; losetup -d /dev/${d%%/*}; done
for d in /sys/kernel/config/nullb/*/; do [ ! -e $d/power ] || rmdir $d; done
[ ! -e /sys/module/brd/initstate ] || rmmod brd
case $(tc qdisc show) in *netem*|*tbf*)
	for i in /sys/class/net/*; do tc qdisc del dev ${i##*/} root 2>/dev/null; done ;;
esac
for f in /sys/kernel/debug/fail*/probability; do echo 0 >$f; done
for d in /dev/vd? /dev/ubd?; do blkdiscard --force $d && sync $d; done
rm -rf /tmp/* /etc/dst /var/lib/dst
left=$(echo /dev/dst-* /sys/block/dm-* /sys/block/md* /sys/block/bcache* /sys/kernel/config/nullb/*/)
[ -z "${left// /}" ] || { echo "left over: $left"; exit 1; }
if [ -d /sys/module/dstor ]; then read -r n </sys/module/dstor/refcnt; [ "$n" = 0 ] || { echo "dstor is in use: $n"; exit 1; }; fi
"""


# The devices and exports there are, for us to read.
SHOW = "[ ! -d /sys/module/dstor ] || timeout 15 dst show --json"


def dst_down(shown):
    """Commands that end what `dst show --json` listed."""
    state = json.loads(shown or "{}")
    return [f"timeout 10 dst detach {shlex.quote(d['name'])} --force" for d in state.get("devices", [])] + \
        [f"timeout 10 dst unexport {shlex.quote(e['name'])} --force" for e in state.get("exports", [])]


def clean(machine):
    """True when nothing is left; False (and machine.unclean says why) when it needs a new boot."""
    machine.unclean = None
    try:
        if machine.channel is None:
            raise MachineDied(f"{machine.name} is not running")
        machine.thaw()
        if machine.has_network:
            machine.link(True)
        shown = machine.run(f"{{ {TOP} }} >/dev/null 2>&1; {SHOW if machine.loaded else ':'}", timeout=45, check=False)
        commands = dst_down(shown.out) if machine.loaded else []
        machine.run("\n".join([*commands, BOTTOM]), timeout=90)
        if machine.loaded and machine.run("[ -d /sys/module/dstor ]", check=False).status:
            machine.loaded = False
        return True
    except (MachineDied, CommandFailed, TimeoutError, ValueError, OSError) as e:
        machine.unclean = str(e)[:2000]
        return False
