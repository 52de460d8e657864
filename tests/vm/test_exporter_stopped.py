# SPDX-License-Identifier: GPL-2.0
"""The exporter's machine stands still longer than a lease: nobody listened, so nobody was silent (P15)."""
import json
import time

import pytest

from common import guest_python

pytestmark = [pytest.mark.stock, pytest.mark.limit(400)]

STOPPED = 40  # s; the lease is 30

# A holder that speaks twice a second, and a rival that asks all the time; both while the exporter stands still.
PROGRAM = """
    from rawclient import *
    import json, threading
    holder = Raw("data", host="exporter", timeout_ms=1000, retries=1, ping_ms=1000)
    assert holder.write(0, b"h" * 4096) == "OK"
    print("ready", flush=True)
    until, refused, got = time.monotonic() + {seconds}, 0, []

    def speak():
        while time.monotonic() < until:
            holder.send_frame(frame(type=PING, seq=1))
            time.sleep(0.5)
    speaker = threading.Thread(target=speak)
    speaker.start()
    while time.monotonic() < until:
        try:
            rival = Raw("data", host="exporter", client=b"r" * 16, connect_timeout=2)
        except OSError:
            continue
        got.append(rival.welcome["status"] if rival.welcome else "CLOSED")
        rival.sock.close()
        time.sleep(0.05)
    speaker.join()
    alive = None
    try:
        holder.request(WRITE, 0, 4096, b"a" * 4096)
        while True:
            answer = holder.receive()
            if answer is None or answer[0]["type"] == RESPONSE:
                break
        alive = answer and answer[0]["status"]
    except ConnectionError:
        pass
    print(json.dumps([alive, sorted(set(got)), len(got)]))
    """


def test_holder_keeps_its_lease(pair):
    exporter, client = pair
    exporter.run(f"dst export data {exporter.ramdisk(8)} --allow any")
    job = guest_python(client, PROGRAM.format(seconds=STOPPED + 20), start=True)
    until = time.monotonic() + 30
    while "ready" not in job.out:
        assert job.running and time.monotonic() < until, job.err
        time.sleep(0.1)
    time.sleep(2)
    exporter.freeze()
    time.sleep(STOPPED)
    exporter.thaw()
    job.wait(60, check=True)
    alive, said, times = json.loads(job.out.splitlines()[-1])
    assert said == ["IN_USE"] and times > 10, (said, times)
    assert alive == 0, "the holder's connection was ended, or its write failed"
