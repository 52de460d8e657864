# SPDX-License-Identifier: GPL-2.0
"""A slow line is slow: no reconnection and no error, however long one frame, or the queue ahead, takes to pass."""
import time

import pytest

from common import device
from test_networks import serve, wired  # noqa: F401 (a fixture)

pytestmark = pytest.mark.limit(600)

RATE = 4  # Mbit/s: 1 MiB takes 2.1 s
# A transaction has 5 s. Silence is death after 1.5 s, or 3.5 s where four connections share the line: a frame takes 8 s
# then, and a packet that the full queue dropped comes again after a round trip of up to two.
IMPATIENT = {1: "--ping 500ms --timeout 1s --retries 4", 4: "--ping 1s --timeout 2500ms --retries 1"}


def slow_down(m, side):
    """What @side sends leaves at RATE, from a short queue that drops what is too much."""
    m.run(f"modprobe -q sch_netem; ip -n {side} link set dev {side}1 gso_max_segs 1 && "
          f"tc -n {side} qdisc add dev {side}1 root netem rate {RATE}mbit limit 70")


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("direction", ["write", "read"])
def test_a_slow_line_is_slow(wired, direction, connections):  # noqa: F811
    """Each frame takes longer than the silence that is death, and the last one four times as long as its budget."""
    m = wired("1")
    serve(m, m.ramdisk(16))
    m.run(f"ip netns exec near dst attach dst://10.9.1.1/data --name d --connections {connections} {IMPATIENT[connections]}")
    slow_down(m, "near" if direction == "write" else "far")
    began = time.monotonic()
    m.run(f"fio --name=x --filename=/dev/dst-d --rw={direction} --bs=1M --size=10M --direct=1 --ioengine=libaio "
          f"--iodepth=10 --minimal", timeout=120)
    took = time.monotonic() - began
    stats = device(m)["stats"]
    assert took > 15, f"the line was not slow: {took:.1f} s"
    assert stats["reconnects"] == stats["errors"] == stats["resends"] == 0, stats
    # what is asked beside it is answered
    assert device(m)["state"] == "connected"
