# SPDX-License-Identifier: GPL-2.0
"""A slow line is slow: no reconnection and no error, however long one frame, or the queue ahead, takes to pass."""
import time

import pytest

from common import device
from test_networks import serve, wired  # noqa: F401 (a fixture)

pytestmark = pytest.mark.limit(600)

RATE = 1  # Mbit/s: 1 MiB takes 8.4 s, and 34 s where four connections share the line
# A transaction has 5 s. Silence is death after 3.5 s: a shorter limit would be that of a slow test machine.
IMPATIENT = "--ping 1s --timeout 2500ms --retries 1"


def slow_down(m, side):
    """What @side sends leaves at RATE. The queue takes all windows, so nothing is dropped: a line that loses is another test."""
    m.run(f"modprobe -q sch_netem; ip -n {side} link set dev {side}1 gso_max_segs 1 && "
          f"tc -n {side} qdisc add dev {side}1 root netem rate {RATE}mbit limit 1000")


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("direction", ["write", "read"])
def test_a_slow_line_is_slow(wired, direction, connections):  # noqa: F811
    """Each frame takes longer than the silence that is death, and the last one five times as long as its budget."""
    m = wired("1")
    for side in ("near", "far"):
        m.run(f"ip netns exec {side} sysctl -qw net.ipv4.tcp_rmem='4096 65536 65536' net.ipv4.tcp_wmem='4096 65536 65536'")
    serve(m, m.ramdisk(16))
    m.run(f"ip netns exec near dst attach dst://10.9.1.1/data --name d --connections {connections} {IMPATIENT}")
    slow_down(m, "near" if direction == "write" else "far")
    began = time.monotonic()
    m.run(f"fio --name=x --filename=/dev/dst-d --rw={direction} --bs=1M --size={max(3, connections)}M --direct=1 --ioengine=libaio "
          f"--iodepth=4 --minimal", timeout=240)
    took = time.monotonic() - began
    stats = device(m)["stats"]
    assert took > 15, f"the line was not slow: {took:.1f} s"
    assert stats["reconnects"] == stats["errors"] == stats["resends"] == 0, stats
    # what is asked beside it is answered
    assert device(m)["state"] == "connected"
