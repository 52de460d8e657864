# SPDX-License-Identifier: GPL-2.0
"""docs/architecture.md says where the folders stand, and which way a write takes. The sources agree."""
import re

import pytest

import sizes
import write_path
from support import TOP, sources
from test_structure import SEES

# Contexts in which a function of the table may not sleep.
ATOMIC = ("softirq", "disk's completion")
SLEEPS = re.compile(r"\b(mutex_lock|lock_sock|msleep|usleep_range|flush_work|wait_event)\("
                    r"|\bGFP_KERNEL\b")
TAKES = re.compile(r"lock\([^;]*\btx\.lock\)")
NEEDS = re.compile(r"lockdep_assert_held\([^;]*\btx\.lock\)")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)


class Sources:
    """@files: {name: text}, named as the table names them."""

    def __init__(self, files):
        self.bodies, self.private, self.files = {}, set(), {}
        for name, text in files.items():
            self.files[name] = text = without_comments(text)
            lines = text.splitlines()
            for function, static, first, length in sizes.functions(text):
                # Two bodies of one name: for two kernels, by #if.
                body = "\n".join(lines[first - 1:first - 1 + length])
                body = body[body.index("\n{"):]
                self.bodies[name, function] = self.bodies.get((name, function), "") + body
                if static and name.endswith(".c"):
                    self.private.add((name, function))

    def hands_over(self, function):
        """Does something take its address: a callback, a row of an ops table, a work item?"""
        value = re.compile(rf"[=,]\s*&?{function}\s*[,;)}}]")
        return any(value.search(text) for text in self.files.values())

    def reaches(self, caller, row):
        """Does the body of @caller call it, by name, as an argument or through an ops table?"""
        body = self.bodies[caller.file, caller.function]
        private = (row.file, row.function) in self.private
        if re.search(rf"\b{row.function}\b", body) and (not private or caller.file == row.file):
            return True
        slots = [slot for text in self.files.values()
                 for slot in re.findall(rf"\.(\w+) = {row.function}\b", text)]
        return any(re.search(rf"->{slot}\(", body) for slot in slots)

    def takes_lock(self, row):
        """tx.lock, itself or by a helper that it calls."""
        body = self.bodies[row.file, row.function]
        return bool(TAKES.search(body)) or any(
            TAKES.search(other) and re.search(rf"\b{name}\(", body)
            for (_, name), other in self.bodies.items() if "lock" in name)


def complaints(path, known):
    """What the table says and the sources do not, a sentence each."""
    wrong = []
    for row in path:
        at = f"{row.step} {row.function}"
        if (row.file, row.function) not in known.bodies:
            wrong.append(f"{at}: not defined in {row.file}")
    if wrong:
        return wrong
    for row in path:
        at, body = f"{row.step} {row.function}", known.bodies[row.file, row.function]
        line = [row]
        while line[-1].caller is not None:
            line.append(path[line[-1].caller])
        if row.caller is None and not known.hands_over(row.function):
            wrong.append(f"{at}: nothing takes its address, so no other context enters it")
        if row.caller is not None and not known.reaches(line[1], row):
            wrong.append(f"{at}: {line[1].function} does not call it")
        if row.context != line[-1].context:
            wrong.append(f"{at}: in another context than its caller")
        if row.context.startswith(ATOMIC) and SLEEPS.search(body):
            wrong.append(f"{at}: may sleep, in {row.context}")
        held = "tx.lock" in row.lock
        if NEEDS.search(body) and not held:
            wrong.append(f"{at}: asserts tx.lock, which the table does not name")
        if held and not any(known.takes_lock(r) for r in line):
            wrong.append(f"{at}: nobody above it takes tx.lock")
        if not held and row.caller is not None and "tx.lock" in line[1].lock and \
                "dstor_tx_unlock(" not in known.bodies[line[1].file, line[1].function]:
            wrong.append(f"{at}: its caller has tx.lock, and does not release it")
    return wrong


def page():
    return (TOP / "docs/architecture.md").read_text()


@pytest.fixture(scope="module")
def known():
    files = {str(p.relative_to(TOP / "module")): p.read_text() for p in sources("module")}
    files.update({str(p.relative_to(TOP)): p.read_text() for p in sources("wire")})
    return Sources(files)


def test_the_path_of_a_write_is_as_the_page_says(known):
    path = write_path.rows(page())
    assert len(path) > 50
    assert len({row.step for row in path}) == len(path)
    assert not complaints(path, known)


def test_the_path_goes_from_the_client_to_the_exporter_and_back():
    path = write_path.rows(page())
    entries = [row for row in path if row.caller is None]
    assert [row.step for row in entries] == [f"{letter}1" for letter in "ABCDEF"]
    assert path[0].function == "queue_rq"
    sides = {row.step[0]: {side for r in path if r.step[0] == row.step[0]
                           for side in ("client", "exporter") if r.file.startswith(side + "/")}
             for row in entries}
    # B is a callback of the connection alone.
    assert sides == {"A": {"client"}, "B": set(), "C": {"exporter"}, "D": {"exporter"},
                     "E": {"exporter"}, "F": {"client"}}


def picture(text):
    """{folder: line} of the first picture of the page; "" is main.c."""
    drawn = re.search(r"^```\n(.*?)^```", text, re.M | re.S).group(1).splitlines()
    return {("" if name == "main.c" else name[:-1]): number for number, line in enumerate(drawn)
            for name in re.findall(r"main\.c|\b\w+/", line)}


def test_the_picture_shows_every_folder_above_those_it_sees():
    floors = picture(page())
    # include/ has constants only, and is in no folder of the module.
    assert set(floors) == set(SEES) - {"include"}
    for folder, seen in SEES.items():
        for other in set(seen) - {"include"} if folder != "include" else ():
            # main.c and control/ stand side by side.
            assert floors[folder] < floors[other] or (folder, other) == ("", "control")
    assert floors["client"] == floors["exporter"]


# The checks can fail ------------------------------------------------------------------------------

A, B = "client/a.c", "conn/b.c"
TEXTS = {
    A: ("static void leaf(void)\n{\n}\n\n"
        "static void start(struct c *c)\n{\n\tsend(c);\n\tleaf();\n}\n\n"
        "static const struct ops ops = {\n\t.begin = start,\n\t.sent = leaf,\n};\n"),
    B: ("static void hidden(void)\n{\n\tc->ops->sent(c);\n}\n\n"
        "void locked(struct c *c)\n{\n\tlockdep_assert_held(&c->tx.lock);\n}\n\n"
        "void send(struct c *c)\n{\n\tmutex_lock(&c->tx.lock);\n\t/* leaf() */\n\tlocked(c);\n"
        "\thidden();\n}\n"),
}
GOOD = [("start", A, "thread", "-"), ("· send", B, "", "tx.lock"), ("· · locked", B, "", ""),
        ("· · hidden", B, "", ""), ("· · · leaf", A, "", ""), ("· leaf", A, "", "-")]


def made_up(table):
    cells = "".join(f"| {n} | {' | '.join(row)} |\n" for n, row in enumerate(table))
    return write_path.rows("Text.\n\n| step | function | file | context | lock |\n"
                           f"| --- | --- | --- | --- | --- |\n{cells}\nText.\n")


def test_a_table_that_is_right_is_accepted():
    path = made_up(GOOD)
    assert [row.caller for row in path] == [None, 0, 1, 1, 3, 0]
    assert [row.lock for row in path] == ["-"] + 4 * ["tx.lock"] + ["-"]
    assert not complaints(path, Sources(TEXTS))
    # a, b b b, a, a: there and back.
    assert write_path.moves(path) == 2
    assert write_path.moves(made_up(GOOD[:2] + GOOD[:1])) == 1


@pytest.mark.parametrize("at, row, complaint", [
    (0, ("start", B, "thread", "-"), f"0 start: not defined in {B}"),
    (0, ("locked", B, "thread", "tx.lock"), "0 locked: nothing takes its address"),
    (1, ("· leaf", A, "", "tx.lock"), "nobody above it takes tx.lock"),
    (1, ("· send", B, "softirq", "tx.lock"), "1 send: may sleep, in softirq"),
    (1, ("· send", B, "softirq", "tx.lock"), "1 send: in another context than its caller"),
    (2, ("· · locked", B, "", "-"), "2 locked: asserts tx.lock, which the table does not name"),
    (2, ("· · locked", B, "", "-"), "2 locked: its caller has tx.lock, and does not release it"),
    (2, ("· · start", A, "", ""), "2 start: send does not call it"),
    # Named in a comment of send() alone.
    (2, ("· · leaf", A, "", ""), "2 leaf: send does not call it"),
    # Called by name in another file, but private to its own.
    (1, ("· hidden", B, "", "-"), "1 hidden: start does not call it"),
])
def test_a_table_that_is_wrong_is_found(at, row, complaint):
    table = [*GOOD]
    table[at] = row
    assert any(complaint in found for found in complaints(made_up(table), Sources(TEXTS)))


def test_the_table_is_written_as_it_is_read():
    path = write_path.rows(page())
    assert write_path.render(path) in page(), "tests/check/write_path.py writes it anew"
    path = made_up(GOOD)
    again = write_path.moved(path, {"start": {A}, "send": {"new.c"}, "leaf": {"x.c", "y.c"}})
    assert [row.file for row in again] == [A, "new.c", B, B, A, A]
    assert write_path.render(again).splitlines()[:2] == \
        [f"| A1 | `start` | {A} | thread | - |", "| A2 | · `send` | new.c | | tx.lock |"]


def test_a_call_from_nowhere_is_found():
    with pytest.raises(ValueError):
        made_up([GOOD[0], GOOD[2]])


def test_a_picture_shows_its_floors():
    assert picture("```\n main.c  control/\n  client/ exporter/\n```\n") == \
        {"": 0, "control": 0, "client": 1, "exporter": 1}


# How the sources write to a lock whose row has the name on the right.
ALIASES = {"e->lock": "export->lock", "s->export->lock": "export->lock", "p->export->lock": "export->lock",
           "q->dev->lock": "dev->lock", "q->dev->report.lock": "dev->report.lock",
           "other->disk->open_mutex": "disk->open_mutex", "sk->sk_peer_lock": "sk_peer_lock",
           "p->export->memory.lock": "export->memory.lock",
           "e->memory.lock": "export->memory.lock", "a->rate_lock": "account->rate_lock", "all->lock": "dev->copies.lock"}
LOCKS = re.compile(r"\b(?:mutex_(?:try)?lock\w*|spin_(?:try)?lock\w*|(?:read|write)_lock\w*|down_(?:read|write)\w*)"
                   r"\((?:&|[^()]*, )?(\w+(?:(?:->|\.)\w+)*)")


def unlisted(text, files):
    """Locks that the sources take and the table of the page does not name."""
    table = text.split("\n## Locks\n")[1]
    taken = {(ALIASES.get(lock, lock), name) for name, code in files.items()
             for lock in LOCKS.findall(without_comments(code))}
    return sorted(f"{lock} ({name})" for lock, name in taken
                  if f"`{lock}`" not in table and f"`{re.sub('.*->', '', lock)}`" not in table)


def test_the_table_of_locks_has_every_lock(known):
    assert not unlisted(page(), known.files)


def test_a_lock_that_is_not_in_the_table_is_found():
    text = "\n## Locks\n\n| `dev->lock`, `tx.lock` | x | y |\n"
    assert unlisted(text, {"a.c": "mutex_lock(&new_lock);", "b.c": "spin_lock_irq(&x->y.lock);"}) == \
        ["new_lock (a.c)", "x->y.lock (b.c)"]
    assert not unlisted(text, {"a.c": "mutex_lock(&q->dev->lock); if (mutex_trylock(&c->tx.lock)) {}"})


def unpaired(texts, files):
    """Comments of @texts ({name: text}) that pair with a function that is not there, or is not in the file they name."""
    functions = {name: set(re.findall(r"\b(\w+)\(", code)) for name, code in files.items()}
    found = []
    for name, text in texts.items():
        for function, file in re.findall(r"[Pp]airs with (\w+)\(\)(?: in (\w+\.c))?", re.sub(r"\s*\n\s*\*\s*", " ", text)):
            places = [code for path, code in functions.items() if not file or path.endswith(f"/{file}")]
            if not any(function in names for names in places):
                found.append(f"{name}: {function}() in {file or 'the module'}")
    return found


def test_comments_pair_with_functions_that_exist(known):
    texts = {str(p.relative_to(TOP / "module")): p.read_text() for p in sources("module")}
    assert len(re.findall("[Pp]airs with", "".join(texts.values()))) > 10
    assert not unpaired(texts, known.files)


def test_a_pair_that_does_not_exist_is_found():
    files = {"conn/send.c": "static void tx_unmark(void)\n{\n}\n"}
    assert unpaired({"conn/x.c": "/* pairs with unmark() in send.c */"}, files) == ["conn/x.c: unmark() in send.c"]
    assert unpaired({"conn/x.c": "/* pairs with tx_unmark() in connection.c */"}, files)
    assert unpaired({"conn/x.c": "/*\n * Pairs with\n * gone() */"}, files)
    assert not unpaired({"conn/x.c": "/* pairs with tx_unmark()\n * in send.c */"}, files)


PEER_STATE = re.compile(r"(?:\bp->state\s*=[^=]|WRITE_ONCE\(p->state,)")


def test_peers_change_state_in_one_place(known):
    """Readers have peers_lock, and dstor_peer_set_state() takes it."""
    found = [name for name, code in known.files.items() if name.startswith("exporter/")
             for _ in PEER_STATE.findall(code)]
    assert found == ["exporter/peer_list.c"]
    assert PEER_STATE.search("p->state = DSTOR_PEER_LIVE;") and not PEER_STATE.search("if (p->state == x)")
