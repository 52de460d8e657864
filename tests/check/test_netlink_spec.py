# SPDX-License-Identifier: GPL-2.0
"""include/dstor.yaml says the same as include/uapi/linux/dstor.h: names, order, values, types."""
import re

import pytest
import yaml

from support import TOP, run, sources

HEADER = TOP / "include/uapi/linux/dstor.h"
SPEC = TOP / "include/dstor.yaml"
# Parts of the C idiom, not of the interface.
IDIOM = re.compile(r"^__|_UNSPEC$|_CMD_MAX$|_A_MAX$")


@pytest.fixture(scope="module")
def spec():
    return yaml.safe_load(SPEC.read_text())


@pytest.fixture(scope="module")
def enums(tmp_path_factory):
    """{enum name: {constant: value}} in the header's order, values from the compiler."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    names = {enum: re.findall(r"^\s*(\w+)", body, re.M)
             for enum, body in re.findall(r"enum (\w+) \{(.*?)\}", text, re.S)}
    folder = tmp_path_factory.mktemp("spec")
    constants = [c for body in names.values() for c in body]
    (folder / "p.c").write_text(
        f'#include <stdio.h>\n#include "{HEADER}"\nint main(void)\n{{\n'
        + "\n".join(f'printf("%d\\n", {c});' for c in constants) + "\nreturn 0;\n}\n")
    status, output = run("gcc", folder / "p.c", "-o", folder / "p")
    assert status == 0, output
    values = dict(zip(constants, map(int, run(folder / "p")[1].split())))
    return {enum: {c: values[c] for c in body} for enum, body in names.items()}


def constant(prefix, name):
    return (prefix + name).upper().replace("-", "_")


def numbered(items, start, prefix, step=lambda n: n):
    """Names and values as the YNL tools assign them."""
    out, n = {}, start
    for item in items:
        item = item if isinstance(item, dict) else {"name": item}
        n = item.get("value", n)
        out[constant(prefix, item["name"])] = step(n)
        n += 1
    return out


def spec_constants(spec):
    family, out = spec["name"], {}
    for d in spec.get("definitions", []):
        if d["type"] in ("enum", "flags"):
            prefix = d.get("name-prefix", f"{family}-{d['name']}-")
            step = (lambda n: 1 << n) if d["type"] == "flags" else (lambda n: n)
            out[d["name"]] = numbered(d["entries"], d.get("value-start", 0), prefix, step)
    for s in spec["attribute-sets"]:
        if "subset-of" not in s:
            prefix = s.get("name-prefix", f"{family}-a-{s['name']}-")
            out[s["name"]] = numbered(
                [a for a in s["attributes"] if a["name"] != "unspec"], 1, prefix)
    ops = spec["operations"]
    prefix = ops.get("name-prefix", f"{family}-cmd-")
    out["operations"] = numbered([o for o in ops["list"] if o["name"] != "unspec"], 1, prefix)
    return out


def test_family(spec):
    text = HEADER.read_text()
    assert f'DSTOR_GENL_NAME "{spec["name"]}"' in text
    assert f"DSTOR_GENL_VERSION {spec.get('version', 1)}\n" in text
    groups = [g["name"] for g in spec.get("mcast-groups", {}).get("list", [])]
    assert groups == re.findall(r'DSTOR_GENL_EVENTS "(\w+)"', text)


def test_same_names_order_and_values(spec, enums):
    header = [{c: v for c, v in body.items() if not IDIOM.search(c)} for body in enums.values()]
    from_spec = spec_constants(spec)
    assert len(header) > 5
    for body in header:
        first = next(iter(body))
        match = [s for s in from_spec.values() if first in s]
        assert len(match) == 1, f"{first} is not in the spec"
        assert list(match[0].items()) == list(body.items())
    known = {c for body in header for c in body}
    assert not {c for body in from_spec.values() for c in body} - known


def limits(spec):
    return {constant(f"{spec['name']}-", d["name"]): d["value"]
            for d in spec["definitions"] if d["type"] == "const"}


def test_same_limits(spec, tmp_path):
    """Those of the header and of the specification; the compiler says what they are."""
    names = re.findall(r"^#define (DSTOR_\w+(?:_MAX|_LEN|_DEFAULT|_BUCKETS)) (?!\(__)", HEADER.read_text(),
                       re.M)
    assert len(names) > 5
    (tmp_path / "p.c").write_text(
        f'#include <stdio.h>\n#include "{HEADER}"\nint main(void)\n{{\n'
        + "\n".join(f'printf("%llu\\n", (unsigned long long){n});' for n in names)
        + "\nreturn 0;\n}\n")
    status, output = run("gcc", tmp_path / "p.c", "-o", tmp_path / "p")
    assert status == 0, output
    assert dict(zip(names, map(int, run(tmp_path / "p")[1].split()))) == limits(spec)


def test_nobody_has_another_limit(spec):
    """Who repeats one under the same name, without its prefix, has the same value."""
    text = HEADER.read_text()
    for name in limits(spec):
        value = re.search(rf"^#define {name} (.*?)(?:\s*/\*.*)?$", text, re.M).group(1)
        for source in sources("dst", "module"):
            for other in re.findall(rf"^#define (?:DSTOR_)?{name.removeprefix('DSTOR_')} "
                                    r"(.*?)(?:\s*/\*.*)?$", source.read_text(), re.M):
                assert other == value, f"{source}: {name} is {value}"


def test_same_types(spec):
    """The comment beside each attribute of the header begins with its type."""
    text = HEADER.read_text()
    said = dict(re.findall(r"^\s*(DSTOR_\w+),\s*/\* (u8|u32|u64|string|binary|flag|nest)\b",
                           text, re.M))
    assert len(said) > 50
    types = {}
    for s in spec["attribute-sets"]:
        prefix = s.get("name-prefix", f"{spec['name']}-a-{s['name']}-")
        for a in s["attributes"]:
            if "type" in a:
                types[constant(prefix, a["name"])] = a["type"]
    for name, kind in types.items():
        if kind == "pad" or name.endswith("_UNSPEC"):
            continue
        want = said.get(name, "u64" if name.startswith("DSTOR_STATS_") else None)
        got = "nest" if kind in ("nest", "indexed-array", "array-nest") else kind
        assert got == want, f"{name}: {got} in the spec, {want} in the header"


def test_limits_and_defaults_stand_in_the_header_only():
    """Module and utility take them from there: no file has a constant of its own for one."""
    limits = re.findall(r"^#define DSTOR_(\w+_(?:MAX|LEN|DEFAULT|BUCKETS))\s+[(\d]",
                        HEADER.read_text(), re.M)
    assert len(limits) > 6
    again = re.compile(rf"(?:#define\s+(?:DSTOR?_)?|\b)({'|'.join(limits)})(?:\s+\(?|\s*=\s*)\d")
    found = [f"{path.relative_to(TOP)}: {m.group(0)}" for path in sources("module", "dst", "wire")
             for m in again.finditer(path.read_text())]
    assert not found
    # A text that goes to the module or comes from it has the size of the header.
    found = [f"{path.relative_to(TOP)}: {m}" for path in sources("module", "dst")
             for m in re.findall(r"\bchar (?:text|address|uri|key)\[(?:128|1024)\];",
                                 path.read_text()) if path.name != "report.c"]
    assert not found


def test_manual_pages_name_the_default_of_the_header():
    mib = int(re.search(r"#define DSTOR_INFLIGHT_DEFAULT \((\d+)ULL << 20\)",
                        HEADER.read_text()).group(1))
    for page in ("dst.8.scd", "dst.conf.5.scd"):
        text = (TOP / "docs/man" / page).read_text()
        assert re.search(rf"memory for requests in flight[^\n]*Default {mib}M\.", text), page
