# SPDX-License-Identifier: GPL-2.0
"""A client written from the document alone works; one that lies about a key, or repeats what another said, gets nowhere."""
import time

from common import attach_to, device, export, guest_python, make_keys, sealed, start_load


def offer(m, allow="key=/tmp/a.key", options="--shared"):
    make_keys(m, "a", "b")
    disk = m.ramdisk(8)
    m.run(f"dst export data {disk} --allow {allow} {options} --cipher auto")
    return disk


def failures(m):
    return export(m)["stats"]["auth_failures"]


def test_a_client_from_the_document(machine):
    m = machine
    disk = offer(m)
    got = guest_python(m, """
        from sealedclient import *
        import json
        c = Sealed("/tmp/a.key", "data")
        data = os.urandom(40960)
        done = [c.welcome["status"], c.welcome["cipher"], c.welcome["checksum"], c.write(4096, data), c.flush(),
                c.read(4096, 40960) == ("OK", data), c.read(1 << 40, 4096)[0]]
        listed = Sealed("/tmp/a.key", "", kind=LIST)
        done.append(listed.welcome["entries"])
        open("/tmp/data", "wb").write(data)
        c.bye()
        print(json.dumps(done))
        """, timeout=120)
    assert got == ["OK", "chacha20-poly1305", "", "OK", "OK", True, "RANGE", 1]
    m.run(f"dd if={disk} bs=4096 skip=1 count=10 iflag=direct status=none | cmp - /tmp/data")
    assert failures(m) == 0


def test_every_failure_is_the_same_answer(machine):
    m = machine
    offer(m)
    got = guest_python(m, """
        from sealedclient import *
        import json
        def attempt(spoil, key="/tmp/a.key"):
            c = Sealed(key, "data", hello=False)
            raw = bytearray(c.ask())
            spoil(raw)
            status = c.greet_with_key(wire.seal(bytes(raw[:124])))
            return [status, c.said.hex() if c.said else "", c.closed_within(5) is not None]
        def at(n):
            def spoil(raw):
                raw[n] ^= 1
            return spoil
        def nobody(raw):
            raw[32:96] = os.urandom(64)
        cases = [attempt(x) for x in (at(32), at(47), at(48), at(80), at(95), at(96), at(111), nobody)]
        cases.append(attempt(lambda raw: None, "/tmp/b.key"))
        print(json.dumps(cases))
        """)
    assert len({tuple(x) for x in got}) == 1 and got[0][0] == "REFUSED" and got[0][2], got
    assert failures(m) == len(got)


def test_nothing_recorded_works_again(machine):
    m = machine
    disk = offer(m)
    got = guest_python(m, """
        from sealedclient import *
        import json
        c = Sealed("/tmp/a.key", "data")
        write = c.sealed(frame(type=REQUEST, op=WRITE, length=4096, bytes=4096, seq=1), b"a" * 4096)
        c.send(write)
        done = [c.answer()[0]]
        recorded = c.sent + [write]
        c.sock.close()
        new = Sealed("/tmp/a.key", "data")
        done.append(new.write(0, b"b" * 4096))
        new.sock.close()
        # all of it again, and each half with an honest other half
        again = Sealed("/tmp/a.key", "data", hello=False)
        done.append(again.greet_with_key(recorded[0]))
        again.send(recorded[1] + recorded[2])
        done.append(again.exactly(1, 5) is None)
        other = Sealed("/tmp/a.key", "data", hello=False)
        done.append(other.greet_with_key())
        other.send(recorded[1])
        done.append(other.exactly(1, 5) is None)
        third = Sealed("/tmp/a.key", "data")
        third.send(recorded[2])
        done.append(third.closed_within(5) is not None)
        # and on one connection, what was right once
        fourth = Sealed("/tmp/a.key", "data")
        write = fourth.sealed(frame(type=REQUEST, op=WRITE, length=4096, bytes=4096, seq=1, offset=4096), b"c" * 4096)
        fourth.send(write)
        done.append(fourth.answer()[0])
        fourth.send(write)
        done.append(fourth.closed_within(5) is not None)
        print(json.dumps(done))
        """, timeout=120)
    assert got == ["OK", "OK", "OK", True, "OK", True, True, "OK", True], got
    assert failures(m) == 4
    assert m.run(f"dd if={disk} bs=4096 count=1 iflag=direct status=none | tr -d b | wc -c").out.strip() == "0"


def test_a_session_belongs_to_its_key(machine):
    """Who has another key and knows the session's id does not get into it."""
    m = machine
    offer(m, "key=/tmp/a.key --allow key=/tmp/b.key --allow any")
    got = guest_python(m, """
        from sealedclient import *
        import json
        c = Sealed("/tmp/a.key", "data")
        done = [c.welcome["status"]]
        mine = dict(session=c.fields["session"], client=c.fields["client"], generation=2)
        done.append(Sealed("/tmp/b.key", "data", **mine).welcome["status"])
        done.append(Raw("data", **mine).welcome["status"])
        done.append(Sealed("/tmp/a.key", "data", **mine).welcome["status"])
        print(json.dumps(done))
        """, timeout=60)
    assert got == ["OK", "MALFORMED", "MALFORMED", "OK"]


def test_no_cipher_no_entry(machine):
    m = machine
    offer(m)
    got = guest_python(m, """
        from sealedclient import *
        import json
        done = []
        for ciphers in (b"", b"none", b"nonesuch,ecb(aes)", b"ecb(aes)", b"authenc(hmac(sha256),cbc(aes))"):
            w = Sealed("/tmp/a.key", "data", ciphers=ciphers).welcome
            done.append([w["status"], "client offers" in w["reason"] and "aes-256-gcm" in w["reason"]])
        print(json.dumps(done))
        """, timeout=60)
    assert got == [["ALGORITHM", True]] * 5, got


def test_nonsense_that_is_well_sealed(machine):
    """Frames that open and make no sense close the connection, as in the clear."""
    m = machine
    offer(m)
    got = guest_python(m, """
        from sealedclient import *
        import json
        done = []
        for header in (frame(type=99, seq=1), frame(type=REQUEST, op=9, bytes=512, seq=1), frame(type=REQUEST, op=READ, slot=999, bytes=512, seq=1),
                       frame(type=REQUEST, op=WRITE, length=1 << 31, bytes=1 << 31, seq=1), frame(type=RESPONSE, seq=1)):
            c = Sealed("/tmp/a.key", "data")
            c.send_frame(header)
            done.append(c.closed_within(5) is not None)
        c = Sealed("/tmp/a.key", "data")
        # the data of a refused write is passed over, and what comes next opens
        done.append(c.write(1 << 40, b"x" * 65536))
        done.append(c.write(0, b"x" * 65536))
        print(json.dumps(done))
        """, timeout=90)
    assert got == [True] * 5 + ["RANGE", "OK"]


def test_thousands_of_strangers_beside_a_client(machine):
    m = machine
    path = sealed(m, m.ramdisk(32), options="--shared")
    load = start_load(m, path, runtime=8)
    got = guest_python(m, """
        from rawclient import *
        import json, os, random
        rng = random.Random(1)
        counts, until = {}, time.monotonic() + 7
        n = 0
        while time.monotonic() < until and n < 5000:
            n += 1
            try:
                s = socket.create_connection(("127.0.0.1", 7710), 2)
                s.settimeout(2)
                s.sendall(wire.greeting(mode=1, key_id=rng.randbytes(16), noise=rng.randbytes(48)) if n % 4 else rng.randbytes(640))
                raw = s.recv(128)
                what = wire.GREETING_STATUS[raw[13]] if len(raw) == 128 else "closed"
                s.close()
            except OSError:
                what = "closed"
            counts[what] = counts.get(what, 0) + 1
        print(json.dumps(counts))
        """, timeout=120)
    load.wait(120, check=True)
    assert got.get("REFUSED", 0) >= 200 and set(got) <= {"REFUSED", "BUSY", "closed"}, got
    # the limit bites: 256 at once and 32 each second; then nothing is even looked at
    assert sum(got.values()) < 700 or got.get("BUSY", 0) > 0, got
    d = device(m)
    assert d["state"] == "connected" and d["stats"]["errors"] == d["stats"]["reconnects"] == d["stats"]["auth_failures"] == 0
    began = time.monotonic()
    m.wait_for("dst attach dst://127.0.0.1/data --key /tmp/a.key --name late", timeout=30, every=0.5)
    assert time.monotonic() - began < 30


def test_clients_of_two_kinds_on_one_export(machine):
    m = machine
    offer(m, "key=/tmp/a.key --allow any,ro")
    path = attach_to(m, "dst://127.0.0.1/data --read-only", name="r")
    assert device(m, "r")["cipher"] == "none" and path
    path = attach_to(m, "dst://127.0.0.1/data --key /tmp/a.key")
    m.run(f"dd if=/dev/zero of={path} bs=64k count=8 oflag=direct status=none && dd if=/dev/dst-r of=/dev/null bs=64k count=8 status=none")
    assert device(m)["cipher"] != "none" and not device(m)["read_only"]
