"""The host's side of the agent's byte stream: jobs, their output, files sent.

One reader thread per machine owns everything that arrives; callers wait on their job.
"""
import os
import shlex
import struct
import threading

HEADER = struct.Struct("<III")
CHUNK = 64 * 1024
# What a User Mode Linux terminal holds before it breaks is 3,968 bytes; see agent.c for the acks.
WINDOW, PIECE = 3072, 1024


class MachineDied(Exception):
    """The machine went away while somebody waited for it."""


class CommandFailed(Exception):
    """A command run with check=True ended with a status other than 0."""


class Result:
    def __init__(self, cmd, status, out, err):
        self.cmd, self.status, self.out, self.err = cmd, status, out, err

    def __repr__(self):
        return f"<{self.cmd!r} status {self.status}\nout: {self.out}\nerr: {self.err}>"


class Job:
    """A command running in a machine."""

    def __init__(self, channel, number, cmd, is_put=False):
        self.channel, self.number, self.cmd, self.is_put = channel, number, cmd, is_put
        self.status = None
        self._out, self._err = bytearray(), bytearray()
        self._done = threading.Event()

    @property
    def running(self):
        return not self._done.is_set()

    @property
    def raw(self):
        return bytes(self._out)

    @property
    def out(self):
        return bytes(self._out).decode(errors="replace")

    @property
    def err(self):
        return bytes(self._err).decode(errors="replace")

    def wait(self, timeout=60, check=False):
        """The Result once the command ended; TimeoutError (and the command lives on) if it does not."""
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.channel.name}: still running after {timeout} s: {self.cmd}\n"
                               f"out: {self.out[-2000:]}\nerr: {self.err[-2000:]}")
        if self.status is None:
            raise MachineDied(f"{self.channel.name}: died during: {self.cmd}\n{self.channel.obituary()}")
        result = Result(self.cmd, self.status, self.out, self.err)
        if check and self.status:
            raise CommandFailed(f"{self.channel.name}: {result!r}")
        return result

    def kill(self):
        """SIGKILL to the command and its process group."""
        if self.running:
            self.channel.send(self.number, "K")


class Channel:
    def __init__(self, name, sock, obituary, is_terminal=False):
        self.name, self.sock, self.obituary = name, sock, obituary
        self.is_terminal = is_terminal
        self.sent, self.taken = 0, threading.Condition()
        self.ready = threading.Event()
        self.dead = threading.Event()
        self.jobs = {}
        self.next = 1
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._read, name=f"channel-{name}", daemon=True)
        self.thread.start()

    def send(self, number, kind, data=b""):
        try:
            with self.lock:
                frame = HEADER.pack(number, ord(kind), len(data)) + data
                if self.is_terminal:
                    self._send_in_pieces(frame)
                else:
                    self.sock.sendall(frame)
        except OSError:
            raise MachineDied(f"{self.name}: is not running\n{self.obituary()}") from None

    def _send_in_pieces(self, frame):
        for at in range(0, len(frame), PIECE):
            piece = frame[at:at + PIECE]
            with self.taken:
                if not self.taken.wait_for(
                        lambda: self.sent + len(piece) <= WINDOW or self.dead.is_set(), 60):  # noqa: B023
                    raise OSError("nobody reads")
                self.sent += len(piece)
            self.sock.sendall(piece)

    def start(self, cmd):
        with self.lock:
            job = Job(self, self.next, cmd)
            self.jobs[job.number] = job
            self.next += 1
        if self.dead.is_set():
            raise MachineDied(f"{self.name}: is not running\n{self.obituary()}")
        self.send(job.number, "R", cmd.encode())
        return job

    def put(self, path, data, timeout):
        for at in range(0, max(len(data), 1), CHUNK):
            with self.lock:
                job = Job(self, self.next, f"put {path}", is_put=True)
                self.jobs[job.number] = job
                self.next += 1
            self.send(job.number, "P" if at else "T", path.encode() + b"\0" + data[at:at + CHUNK])
            error = job.wait(timeout).status
            if error:
                raise CommandFailed(f"{self.name}: put {path}: {os.strerror(error)}")

    def get(self, path, timeout):
        job = self.start(f"exec cat {shlex.quote(path)}")
        job.wait(timeout, check=True)
        return job.raw

    def close(self):
        try:
            self.sock.shutdown(2)
        except OSError:
            pass
        self.thread.join(5)
        self.sock.close()

    def _exactly(self, length):
        data = bytearray()
        while len(data) < length:
            part = self.sock.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _read(self):
        try:
            while True:
                number, kind, length = HEADER.unpack(self._exactly(HEADER.size))
                self._take(number, chr(kind), self._exactly(length))
        except (EOFError, OSError, ValueError):
            pass
        self.dead.set()
        with self.taken:
            self.taken.notify_all()
        for job in list(self.jobs.values()):
            job._done.set()
        self.ready.set()

    def _take(self, number, kind, data):
        if kind == "H":
            self.ready.set()
            return
        if kind == "A":
            with self.taken:
                self.sent -= struct.unpack("<I", data)[0]
                self.taken.notify_all()
            return
        job = self.jobs.get(number)
        if job is None:
            return
        if kind == "O":
            job._out += data
        elif kind == "E":
            job._err += data
        elif kind == "X":
            status = struct.unpack("<I", data)[0]
            if not job.is_put:
                status = os.waitstatus_to_exitcode(status)
            job.status = status
            del self.jobs[number]
            job._done.set()
