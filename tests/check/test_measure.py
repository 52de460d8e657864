# SPDX-License-Identifier: GPL-2.0
"""measure.py counts what it says, in the present layout and in the flat one."""
import sys

import pytest

import measure
import write_path
from support import TOP, run
from test_structure import SEES

CODE = '''/* Who has that. */
#include "{header}"
static int tell(int a) /* of a */
{{
	if (a) {{
		while (a) {{
			goto out; /* goto */
		}}
	}}
out:
	return dstor_{callee}("goto {{");
}}

int dstor_{name}(void)
{{
	return tell(0);
}}

struct {name} {{
	int a;
	struct {{
		int b;
	}} c;
}};
'''


def state(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return measure.State("made up", folder)


def figures(found):
    return dict(found)


def test_figures_of_c(tmp_path):
    files = {f"module/{name}": CODE.format(header="x.h", name=name[-3], callee="none")
             for name in ("conn/a.c", "core/b.c")}
    found = figures(measure.c_figures(state(tmp_path, files), "module"))
    assert found["files (.c / .h), lines"] == "2 / 0, 48"
    assert found["functions"] == "4"
    assert found["function length: median, p90, max"] == "7, 10, 10"
    assert found["brace depth >= 3"] == "2 (50.0 %)"
    # 21 lines of code in each file.
    assert found["goto per kLOC"] == f"{1000 / 21:.1f}"
    assert found["structs; members of the largest 5"] == "2; 3, 3"
    assert found["statics with one-word names"] == "2 (100.0 %)"
    assert found["same static in several files: names, functions"] == "1, 2"
    assert found["comments with a headless start"] == "2 (33.3 %)"


@pytest.mark.parametrize("low, high", [
    ("module/conn/send.c", "module/client/device.c"),	# the present layout
    ("module/send.c", "module/device.c"),		# the flat one
])
def test_arrows_up_and_circles(tmp_path, low, high):
    def structure(up):
        files = {low: CODE.format(header="x.h", name="low", callee="high" if up else "none"),
                 high: CODE.format(header="x.h", name="high", callee="low")}
        return figures(measure.structure(state(tmp_path, files)))
    found = structure(up=False)
    assert found["circles of files by calls: how many, sizes"] == "0"
    assert found["arrows up by calls: between files, symbols"] == "0, 0"
    found = structure(up=True)
    assert found["circles of files by calls: how many, sizes"] == "1: 2"
    assert found["arrows up by calls: between files, symbols"] == "1, 1"
    assert found["circles of folders: sizes"] == "2"


def test_the_floors_are_those_of_the_structure():
    assert set(measure.FLOORS) == {folder or "main" for folder in SEES}
    for folder, seen in SEES.items():
        assert all(measure.FLOORS[other] < measure.FLOORS[folder or "main"] for other in seen)


def test_strong_components():
    assert measure.strong({(1, 2), (2, 3), (3, 1), (3, 4), (5, 6), (6, 5)}) == [[1, 2, 3], [5, 6]]
    assert not measure.strong({(1, 2), (1, 3), (3, 2)})


def test_an_option_and_prose(tmp_path):
    found = state(tmp_path, {"dst/a.c": "queue-depth", "dst/b.c": "queue depth",
                             "module/c.c": "DSTOR_QUEUE_DEPTH",
                             "README.md": f"# {101 * 'a'}\n{101 * 'a'}\n```\n{101 * 'a'}\n```\na\n"})
    assert figures(measure.option(found, ["queue", "depth"]))["files that name it: dst/"] == "1"
    assert figures(measure.option(found, ["queue", "depth"]))["files that name it: all"] == "2"
    assert figures(measure.prose(found))["README: lines > 100 columns"] == "1 of 2, longest 101"


def test_the_write_of_the_flat_layout():
    path = write_path.rows((TOP / "tests/check/write_path_14bad67.md").read_text())
    assert (len({row.file for row in path}), write_path.moves(path)) == (15, 57)


def test_the_table_of_this_folder():
    status, output = run(sys.executable, "-B", TOP / "tests/check/measure.py", TOP)
    assert status == 0, output
    assert {len(line.split(" | ")) for line in output.splitlines()} <= {1, 2}
    assert "| moves between files |" in output
    status, output = run(sys.executable, "-B", TOP / "tests/check/measure.py", "no-such-commit")
    assert status == 1 and "neither a folder nor a commit" in output
