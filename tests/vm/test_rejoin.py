# SPDX-License-Identifier: GPL-2.0
"""Who may come back to an exporter (docs/protocol.md, section 8): whoever it remembers and whose memory is new enough."""
from common import device, export, export_and_attach, guest_python

HEAD = """
    from rawclient import *
    import json, os
    results = {}

    def status(c):
        return c.welcome["status"] if c.welcome else CLOSED

    def new(**fields):
        c = Raw("data", **fields)
        assert status(c) == "OK", c.welcome
        return c
    """


def run(m, text, timeout=60):
    return guest_python(m, HEAD + text + "\n    print(json.dumps(results))\n", timeout=timeout)


def test_newest_cookie_or_the_one_before(machine):
    """A welcome may be lost, so the cookie before it counts until a frame arrives; nothing older ever does."""
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any")
    got = run(m, """
    a = new()
    assert a.write(0, b"a" * 4096) == "OK"
    b = a.resume()
    results["newest"] = status(b)
    c = a.resume(generation=b.fields["generation"] + 1)
    results["the one before, no frame yet"] = status(c)
    assert c.write(0, b"c" * 4096) == "OK"
    d = a.resume(generation=c.fields["generation"] + 1, last_seq=c.seq)
    results["the one before, after a frame"] = [status(d), d.welcome["reason"]]
    e = c.resume(generation=d.fields["generation"] + 1)
    results["newest again"] = status(e)
    f = e.resume(cookie=0)
    assert e.read(0, 4096)[0] == "closed"
    results["a frame must arrive before it counts"] = status(f)
    """)
    assert got.pop("the one before, after a frame") == ["EXPIRED", "this client was restored to an earlier state of its memory"]
    assert got.pop("a frame must arrive before it counts") == "EXPIRED"
    assert set(got.values()) == {"OK"}, got


def test_sequence_numbers_that_went_back(machine):
    """Restored while its connection lasted, a client has the newest cookie; its numbers give it away."""
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any")
    got = run(m, """
    a = new()
    for n in range(3):
        assert a.write(4096 * n, bytes([n]) * 4096) == "OK"
    b = a.resume(last_seq=2)
    results["below"] = [status(b), b.welcome["reason"]]
    c = a.resume(generation=b.fields["generation"] + 1)
    results["equal"] = status(c)
    results["goes on"] = c.write(0, b"d" * 4096)
    """)
    assert got == {"below": ["EXPIRED", "this client was restored to an earlier state of its memory"],
                   "equal": "OK", "goes on": "OK"}


def test_a_session_that_was_forgotten(machine):
    """In the same life that is said; an exporter that restarted has another life, and the session goes on."""
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any --shared")
    got = run(m, """
    client = os.urandom(16)
    first = new(client=client)
    assert first.write(0, b"1" * 4096) == "OK"
    first.sock.close()
    # One client holds 64 sessions at most: the oldest that nobody uses goes.
    for n in range(64):
        new(client=client).sock.close()
    late = first.resume()
    results["forgotten"] = [status(late), late.welcome["reason"]]
    other = first.resume(life=os.urandom(16))
    results["of another life"] = status(other)
    results["writes"] = other.write(0, b"2" * 4096)
    """, timeout=120)
    assert got == {"forgotten": ["EXPIRED", "the exporter has forgotten this session"], "of another life": "OK",
                   "writes": "OK"}


def test_other_clients_keep_their_sessions(machine):
    """The bound is for each client: one that makes many sessions takes nobody's place."""
    m = machine
    m.run(f"dst export data {m.loopfile(8)} --allow any --shared")
    got = run(m, """
    quiet = new(client=os.urandom(16))
    assert quiet.write(0, b"1" * 4096) == "OK"
    quiet.sock.close()
    client = os.urandom(16)
    for n in range(80):
        new(client=client).sock.close()
    back = quiet.resume()
    results["the quiet one"] = status(back)
    results["writes"] = back.write(0, b"2" * 4096)
    """, timeout=120)
    assert set(got.values()) == {"OK"}, got


def test_device_resumes_after_its_exporter_restarted(machine):
    """Another life each time: cookies of the former one mean nothing, and the device goes on."""
    m = machine
    disk = m.loopfile(8)
    path = export_and_attach(m, disk, attach="--connections 3 --ping 200ms --timeout 1s")
    for _ in range(3):
        m.run(f"dd if=/dev/urandom of={path} bs=64k count=8 oflag=direct conv=notrunc status=none")
        m.run("dst unexport data --force")
        m.run(f"dst export data {disk} --allow any")
    m.run(f"dd if={path} of=/dev/null bs=64k count=8 iflag=direct status=none")
    shown = device(m)
    assert shown["state"] == "connected" and shown["exporter"] == export(m)["exporter"], shown
