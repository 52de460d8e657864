# SPDX-License-Identifier: GPL-2.0
"""The utility without the module: its unit tests, its manners, and the documents that describe it."""
import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from support import BUILD, TOP, run
from utility import COMMANDS, DST, built, dst, fails, options, without_module    # noqa: F401

UNITS = sorted(p.stem for p in (TOP / "tests/dst").glob("test_*.c"))


@pytest.mark.parametrize("name", UNITS)
def test_unit(name):
    status, output = run(BUILD / "tests/dst" / name)
    assert status == 0, output[-4000:]
    passed = int(re.search(r"PASSED\s+\] (\d+) test", output).group(1))
    listed = len(re.findall(r"cmocka_unit_test\w*\(", (TOP / f"tests/dst/{name}.c").read_text()))
    assert passed == listed > 0


# Manners --------------------------------------------------------------------------------------------

def test_help_and_version():
    status, out, err = dst("--help")
    assert (status, err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^  dst {command} ", out, re.M), command
        status, text, err = dst(command, "--help")
        assert (status, err) == (0, "") and text.startswith(f"usage: dst {command}"), command
        # an option of the command line contract that help does not mention is as good as not there
        assert dst(command, "x", "-h")[1] == text
        assert dst("help", command) == (0, text, "")
    status, out, err = dst("--version")
    assert (status, err) == (0, "") and re.fullmatch(r"dst \d\S*, protocol 1\n", out)


def test_manual_names_every_option_of_the_help():
    manual = (TOP / "docs/man/dst.8.scd").read_text().replace("\\", "")
    for command in COMMANDS:
        text = dst(command, "--help")[1]
        for option in set(re.findall(r"--[a-z-]+", text)):
            assert option in manual, f"dst {command} {option}"
        assert f"\n## dst {command}" in manual


def test_manuals_name_every_option_and_default():
    """dst(8) in the section of the command, dst.conf(5) in that of the object."""
    text = (TOP / "docs/man/dst.8.scd").read_text().replace("\\", "")
    manual = {title.split()[0]: body for title, body in
              re.findall(r"^## dst ([^\n]*)\n(.*?)(?=^##? )", text, re.S | re.M)}
    text = (TOP / "docs/man/dst.conf.5.scd").read_text().replace("\\", "")
    conf = {"export": text.split("# KEYS OF AN EXPORT")[1].split("\n# ")[0],
            "attach": text.split("# KEYS OF A DEVICE")[1].split("\n# ")[0]}
    for command, place in conf.items():
        found = options(command)
        assert len(found) > 8
        for name in found:
            assert f"*--{name}*" in manual[command], f"dst(8): {command} --{name}"
            assert f"*{name}*" in place or name == "name", f"dst.conf(5): {name}"
    for name in options("set"):
        assert f"*{name}*" in manual["set"], f"dst(8): set {name}="


def completions(*words):
    """What bash would offer for the last of the words."""
    script = (f"PATH={DST.parent}:$PATH; . {TOP}/dist/completion/dst.bash; compopt() {{ :; }}; "
              'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dst; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=30, check=True)
    assert not done.stderr, done.stderr
    return done.stdout.split()


def test_completion_offers_every_option():
    assert completions("dst", "set", "d", "") == sorted(f"{name}=" for name in options("set"))
    for command in ("export", "attach"):
        assert set(completions("dst", command, "--")) == {f"--{name}" for name in options(command)}
    assert completions("dst", "det") == ["detach"]


def test_manual_names_the_parameters_of_the_module():
    manual = (TOP / "docs/man/dst.4.scd").read_text().replace("\\", "")
    names = {name for source in (TOP / "module").rglob("*.c") if not source.name.endswith(".mod.c")
             for name in re.findall(r"\bmodule_param(?:_\w+)?\((\w+),", source.read_text())}
    assert names
    for name in names:
        assert f"_{name}_" in manual, name


def test_every_document_counts_the_first_attempt():
    """A transaction fails after timeout × (retries + 1)."""
    for path in [TOP / "README.md", *(TOP / "docs").rglob("*.md"), *(TOP / "docs/man").glob("*.scd")]:
        for line in path.read_text().splitlines():
            assert not re.search(r"timeout[`*\s]*(×|times)[`*\s]*-*retries", line), f"{path}: {line}"


def test_events_are_known():
    text = re.search(r"enum dstor_event \{(.*?)\}", (TOP / "include/uapi/linux/dstor.h").read_text(), re.S).group(1)
    table = (TOP / "dst/events.c").read_text()
    names = re.findall(r"\bDSTOR_EVENT_\w+", text)
    assert len(names) > 5
    for name in names:
        assert f"[{name}] = " in table, name


@pytest.mark.parametrize("args", [
    ["frobnicate"],
    ["--frobnicate"],
    ["export"],
    ["export", "data"],
    ["export", "data", "/dev/null", "extra", "--allow", "any"],
    ["export", "data", "/dev/null"],
    ["export", "a/b", "/dev/null", "--allow", "any"],
    ["export", "data", "/dev/null", "--allow"],
    ["export", "data", "/dev/null", "--allow", "everybody"],
    ["export", "data", "/dev/null", "--allow", "ro"],
    ["export", "data", "/dev/null", "--allow", "any", "--max-inflight", "12Q"],
    ["export", "data", "/dev/null", "--allow", "any", "--max-inflight", "4K"],
    ["export", "data", "/dev/null", "--allow", "any", "--listen", "10.0.0.1"],
    ["export", "data", "/dev/null", "--allow", "any", "--listen", "dst://[::]/data"],
    ["export", "data", "/dev/null", "--allow", "any", "--checksum", ""],
    ["unexport"],
    ["unexport", "../a"],
    ["unexport", "a", "../b", "c"],
    ["attach"],
    ["attach", "dst://h/x", "dst://h/y"],
    ["attach", "dst://h"],
    ["attach", "http://h/x"],
    ["attach", "dst://h/x", "--frobnicate"],
    ["attach", "dst://h/x", "--timeout", "0"],
    ["attach", "dst://h/x", "--timeout", "5 s"],
    ["attach", "dst://h/x", "--retries", "-1"],
    ["attach", "dst://h/x", "--ping=never"],
    ["attach", "dst://h/x", "--connections", "65"],
    ["attach", "dst://h/x", "--queue-depth", "1025"],
    ["attach", "dst://h/x", "--max-io", "5000"],
    ["attach", "dst://h/x", "--max-io", "2M"],
    ["attach", "dst://h/x", "--name", ".x"],
    ["attach", "dst://h/x", "--read-only=yes"],
    ["detach"],
    ["detach", "/dev/sda/x"],
    ["detach", "d", "/dev/sda/x"],
    ["show", "a", "b"],
    ["show", "--colour"],
    ["set"],
    ["set", "d"],
    ["set", "d", "timeout"],
    ["set", "d", "timeout=x"],
    ["set", "d", "colour=red"],
    ["set", "d", "timeout=1s", "max-inflight=1M"],
    ["set", "d", "max-inflight=1K"],
    ["set", "d", "max-bandwidth=1K"],
    ["set", "d", "max-iops=0"],
    ["export", "data", "/dev/null", "--allow", "any", "--max-iops", "1M"],
    ["set", "d", "uri=dst://127.0.0.1"],
    ["set", "d", "checksum=none"],
    ["set", "d", "name=e"],
    ["set", "d", "crypto-threads=1025"],
    ["set", "d", "evict=a", "evict=b"],
    ["export", "data", "/dev/null", "--allow", "any", "--evict", "a"],
    ["export", "data", "/dev/null"] + ["--allow", "any"] * 65,
    ["attach", "dst://h/x", "--uri", "dst://h/y"],
    ["attach", "dst://h/x", "--crypto-threads", "1025"],
    ["attach", "dst://h/x", "--key", ""],
    ["list"],
    ["list", "nowhere"],
    ["ping", "dst://h", "-c", "0"],
    ["ping", "dst://h", "-c"],
    ["ping", "dst://h", "-x"],
    ["genkey", "now"],
    ["help", "frobnicate"],
    ["up", "a", "b"],
    ["up", "--force"],
    ["up", "--wait", "soon"],
    ["up", "--export", "a", "--device", "b"],
    ["down", "--wait", "1s"],
    ["save", "--export", "a"],
], ids=lambda args: " ".join(args)[:80])
def test_wrong_usage_is_exit_2_and_one_line(args):
    fails(*args, status=2)


def test_messages_name_the_command_and_what_was_given():
    assert fails("attach", "dst://h/x", "--timeout", "5x", status=2).startswith("dst: attach: ")
    fails("attach", "dst://h/x", "--timeout", "5x", status=2, words=["5x", "us ms s m h"])
    fails("attach", "dst://h/x", "--frobnicate", status=2, words=["--frobnicate", "--help"])
    fails("ping", "dst://h", "-x", status=2, words=["-x"])
    fails("list", "dst://evil\x1b[31m/", status=2)
    fails("export", "data", "/dev/null", status=2, words=["--allow"])


# What a user does wrong: the object, what failed, the cause, and what to do.
ERRORS = [
    (["export", "data", "/nowhere/disk", "--allow", "any"], "cannot export /nowhere/disk (No such file or directory); check the path"),
    (["export", "data", "/dev/null", "--allow", "any"],
     "cannot export /dev/null: it is neither a block device nor a regular file (lsblk lists the disks)"),
    (["export", "data", "disk", "--allow", "key=none"], "cannot open the key file none (No such file or directory); check the path"),
    (["list", "dst://h", "--key", "."], "cannot read the key file . (Is a directory); name a file"),
    (["list", "dst://no-such-host.invalid"],
     'cannot find the address of "no-such-host.invalid" (*); check the name, or give the address'),
    (["list", "dst://127.0.0.1:1"], "exporter 127.0.0.1:1: connection refused (is anything exported there?)"),
    (["up", "none"], 'cannot open none (No such file or directory); "dst save" writes one'),
    (["up", "."], "cannot read . (Is a directory); name a file"),
    (["save", "/nowhere/dst.conf"], "cannot write /nowhere/dst.conf.new (No such file or directory); check the path"),
]


@without_module
@pytest.mark.parametrize("args, says", ERRORS, ids=lambda x: " ".join(x[:2]) if isinstance(x, list) else "")
def test_failures_name_object_cause_and_remedy(tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").write_bytes(bytes(4096))
    says = re.escape(f"dst: {args[0]}: {says}").replace(r"\*", ".+")
    assert re.fullmatch(f"{says}\n", fails(*args, status=1))


def as_nobody(path, *args):
    """The utility without root, from a place where everybody may read it."""
    program = path / "dst"
    shutil.copy(DST, program)
    path.chmod(0o755)
    return subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", program, *args], cwd=path, capture_output=True,
                          text=True, check=False).stderr


@without_module
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize("args, says", [
    (["up", "secret"], "cannot read secret (Permission denied); run it as root"),
    (["list", "dst://h", "--key", "secret"], "cannot open the key file secret (Permission denied); run it as root"),
    (["monitor"], "the module dstor is not loaded, and only root may load it; run it as root"),
], ids=lambda x: x[0] if isinstance(x, list) else "")
def test_failures_without_root(args, says):
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.touch(0o600)
        assert as_nobody(Path(folder), *args) == f"dst: {args[0]}: {says}\n"


def test_configuration_file(tmp_path):
    """What cannot be, said before anything is done; without the module nothing runs."""
    conf = tmp_path / "dst.conf"
    fails("up", conf, status=1, words=[str(conf), "No such file"])
    conf.write_text("[export a]\npath = /dev/null\nallow = any\nmax-inflight = 1K\n")
    for command in (["up"], ["up", "--dry-run"], ["down"]):
        fails(*command, conf, status=1, words=[f"{conf}:4: max-inflight: ", "1M"])
    conf.write_text("[export a]\npath = /dev/null\nallow = any\n[device d]\nuri = dst://h/a\n")
    fails("up", "--dry-run", conf, "--device", "a", status=1, words=["no device \"a\""])
    assert dst("up", "--dry-run", conf) == (0, "+ export a /dev/null\n+ device d dst://h/a\n", "")
    assert dst("up", "--dry-run", conf, "--device=d") == (0, "+ device d dst://h/a\n", "")
    assert dst("down", conf) == (0, "", "")
    status, out, err = dst("save", "-")
    assert (status, err) == (0, "") and out.startswith("# ") and "[" not in out


def test_options_may_stand_anywhere(tmp_path):
    """... so this gets as far as the missing path."""
    missing = tmp_path / "disk"
    for args in (["--allow", "any", "data", missing], ["data", "--allow", "any", missing],
                 ["data", missing, "--allow=any"]):
        fails("export", *args, status=1, words=[str(missing), "No such file"])


def test_what_cannot_be_exported(tmp_path):
    fails("export", "data", "/dev/null", "--allow", "any", status=1,
          words=["/dev/null", "neither a block device nor a regular file"])
    fails("export", "data", tmp_path, "--allow", "any", status=1, words=[str(tmp_path)])


def test_host_that_does_not_exist():
    for args in (["attach", "dst://no-such-host.invalid/x"], ["list", "dst://no-such-host.invalid"],
                 ["ping", "dst://no-such-host.invalid"]):
        fails(*args, status=1, words=["no-such-host.invalid"])
    fails("list", "dst://[fe80::1%nonesuch0]", status=1, words=["fe80::1%nonesuch0"])


def test_keys(tmp_path):
    status, out, err = dst("genkey")
    assert (status, err) == (0, "") and len(base64.b64decode(out, validate=False)) == 32
    assert len({dst("genkey")[1] for _ in range(4)}) == 4
    key, disk = tmp_path / "key", tmp_path / "disk"
    disk.write_bytes(bytes(4096))

    def refused(*words):
        for args in (["attach", "dst://127.0.0.1/x", "--key", key], ["ping", "dst://h", "--key", key],
                     ["list", "dst://h", "--key", key],
                     ["export", "data", disk, "--allow", f"key={key}"]):
            err = fails(*args, status=1, words=[str(key), *words])
            assert out.strip() not in err
    refused("No such file")
    key.write_text(out)
    key.chmod(0o644)
    refused("chmod 600")
    key.chmod(0o600)
    key.write_text(out[:-3])
    key.chmod(0o600)
    refused("dst genkey")


def test_answer_that_cannot_be_written():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([DST, "genkey"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr


@without_module
def test_show_without_the_module():
    for args in ([], ["show"]):
        assert dst(*args) == (0, "", "")
    status, out, err = dst("show", "--json")
    assert (status, err) == (0, "") and json.loads(out) == {"exports": [], "devices": []}
    fails("show", "data", status=1, words=["data", "not loaded"])
    fails("detach", "/dev/dst-d", status=1, words=['"d"', "not loaded"])
    fails("unexport", "data", status=1, words=["data", "not loaded"])
    fails("unexport", "data", "logs", status=1, words=['"data"', "not loaded"])
    fails("detach", "dst-d", "e", status=1, words=['"d"', "not loaded"])
    fails("set", "dst-d", "timeout=1s", status=1, words=['"d"', "not loaded"])
    samples = {"ID|any": "any", "ID": "1" * 32, "UUID": "1" * 32, "FILE": "/dev/null",
               "URI": "dst://127.0.0.1/a", "TIME": "3s", "N": "3", "N|forever": "forever",
               "RULE": "any", "SIZE": "8M", "SIZE|off": "off", "N|off": "100", "CLIENT": "c"}
    for name, value in options("set").items():
        fails("set", "d", f"{name}={samples[value]}", status=1, words=['"d"', "not loaded"])
