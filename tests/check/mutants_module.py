#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One-line mutants of module/, and the scenario that kills each.

    tests/check/mutants_module.py [NAME...]    builds each (or all) for uml-debug, and runs its scenario
    tests/check/mutants_module.py --build [NAME...]    builds them and runs nothing
    tests/check/mutants_module.py --control    runs these scenarios with the module as it is: all pass

docs/protocol.md names them beside its requirements. A mutant is killed when the scenario
itself fails, with words that the table expects: a machine that does not boot, or a module
that does not build, kills nothing. `make mutants-module` runs the control and all mutants.
"""
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OUT = TOP / "build/mutants-module"
KERNEL = "uml-debug"

# name: (file, text that occurs once in it, what stands there instead, scenario, a pattern of what the scenario then says)
MUTANTS = {
    "hello-without-its-tag": ("module/exporter/hello.c",
        "dstor_conn_expect(&p->conn, sizeof(struct dstor_hello) +\n\t\t\t\t  (p->channel ? DSTOR_TAG_LEN : 0));",
        "dstor_conn_expect(&p->conn, sizeof(struct dstor_hello));",
        "test_hostile_keys::test_a_client_from_the_document", "NoneType"),
    "client-sends-more-than-its-hello": ("module/client/handshake.c", "first += sizeof(s->out.hello);",
        "first += sizeof(s->out.hello) + DSTOR_FRAME_LEN;",
        "test_hostile_peers::test_garbage_beside_a_client_that_works", "dst attach"),
    "handshake-patience-longer": ("module/exporter/peer.c", "#define HANDSHAKE_MS 10000", "#define HANDSHAKE_MS 16000",
        "test_hostile_peers::test_patience_of_the_exporter", r"assert False|8 < t"),

    "greeting-refused-goes-on": ("module/exporter/hello.c",
        "\t} else {\n\t\tdstor_peer_set_state(p, DSTOR_PEER_ENDING);\n\t}\n\tdstor_peer_send_message(p, answer);",
        "\t}\n\tdstor_peer_send_message(p, answer);",
        "test_features::test_features_of_a_greeting", "TimeoutError"),
    "client-goes-on-when-refused": ("module/client/handshake.c",
        "ret = handshake_unauthenticated(q, \"it has no rule with this key\", err);", "return 0;",
        "test_keys::test_wrong_keys_and_none", "authentication failed"),

    "renewal-without-fence": ("module/exporter/admission.c", "const char *wait = queue->busy > 0 ?",
        "const char *wait = queue->busy > 0 && !(p->hello.flags & DSTOR_HELLO_RENEWAL) ?",
        "test_race_exporter::test_renewal_beside_a_command_is_a_fence", "assert"),

    "strangers-learn-of-exports": ("module/exporter/hello.c", "\tif (k.admitted) {", "\tif (false) {",
        "test_hostile_crowds::test_strangers_are_told_nothing", "DENIED.*NO_EXPORT|NO_EXPORT.*DENIED"),

    "answer-before-the-data": ("module/exporter/command.c", "if (dstor_conn_frame(&p->conn)->length)\n\t\tp->commands.refused = cmd;\n\telse\n\t\tsend_answer(p, cmd);",
        "send_answer(p, cmd);",
        "test_protocol_is_enforced::test_no_answer_before_the_data", "assert"),
    "response-seq-ignored": ("module/client/queue.c", "return t->seq == le64_to_cpu(f->seq) ? t : NULL;", "return t;",
        "test_client_is_careful::test_responses_to_nothing_that_was_asked[name]", "assert"),
    "response-op-ignored": ("module/client/queue.c", "!t || t->op != f->op || t->decrypting", "!t || t->decrypting",
        "test_client_is_careful::test_responses_to_nothing_that_was_asked[name]", "assert"),
    "response-length-ignored": ("module/client/queue.c", "if (le32_to_cpu(f->length) != blk_rq_bytes(rq))",
        "if (le32_to_cpu(f->length) > blk_rq_bytes(rq))",
        "test_client_is_careful::test_responses_to_nothing_that_was_asked[length]", "assert|status"),
    "waits-not-known": ("module/client/queue.c", "\tcase DSTOR_STATE_BUSY:\n\tcase DSTOR_STATE_WAITS:\n", "\tcase DSTOR_STATE_BUSY:\n",
        "test_client_is_careful::test_one_that_waits_has_time", "assert|status 1|still running"),
    "eviction-not-heard": ("module/client/queue.c", "if (flags & DSTOR_CHANGE_EVICTED ||\n\t    (", "if ((",
        "test_client_is_careful::test_what_no_exporter_sends_yet", "reconnects.*assert|assert"),

    "digest-of-data-alone": ("module/conn/digest.c", "d->crc = crc32c(~0, f, sizeof(*f));", "d->crc = ~0;",
        "test_changing_memory::test_damaged_is_an_answer", "AssertionError"),
    "header-digest-ignored": ("module/conn/receive.c", "if (crypto_memneq(digest, c->rx.buf + DSTOR_FRAME_LEN, c->digest.len))",
        "if (false)", "test_protocol_is_enforced::test_frames_that_end_the_connection", "'OK'"),
    "data-digest-ignored": ("module/conn/receive.c", "if (crypto_memneq(digest, c->rx.buf, c->digest.len))", "if (false)",
        "test_flipped_bits::test_one_bit[up-data]", "assert|differ"),
    "damage-not-counted": ("module/exporter/peer.c", "\t\tthis_cpu_inc(p->export->stats->checksum_errors);\n", "",
        "test_flipped_bits::test_one_bit[up-data]", "assert"),
    "damaged-read-closes": ("module/client/damage.c", "if (t->damaged || t->repeated) {", "if (t->op == DSTOR_OP_READ || t->damaged || t->repeated) {",
        "test_flipped_bits::test_one_bit[down-data]", "assert"),
    "digests-after-ping": ("module/exporter/hello.c", "strscpy(w.cipher, DSTOR_CIPHER_PING, sizeof(w.cipher));",
        "strscpy(w.cipher, DSTOR_CIPHER_PING, sizeof(w.cipher));\n\t\tstrscpy(w.checksum, \"crc32c\", sizeof(w.checksum));",
        "test_protocol_is_enforced::test_ask_and_ping", "TimeoutError|TypeError"),
    "damaged-write-sent-from-its-own-memory": ("module/client/damage.c", "\t\tt->message.bio = &t->copy->buffer->bio;\n\t\tt->message.iter = dstor_bio_buffer_all(blk_rq_bytes(rq));\n", "",
        "test_changing_memory::test_a_buffer_that_is_rewritten[crc32c]", "assert|still running"),
    "damaged-copy-sent-again": ("module/client/damage.c", "if (t->damaged || t->repeated) {", "if (t->damaged) {",
        "test_changing_memory::test_damaged_once_and_twice", "assert|still running"),
    "digest-of-the-callers-memory": ("module/conn/receive.c", "return c->ops->memory_is_shared && c->digest.len && c->rx.sink.bio;",
        "return false;", "test_changing_memory::test_one_page_twice_in_a_read", "assert|still running"),

    "waits-said-once": ("module/exporter/hello.c", "#define WAIT_MS 1000", "#define WAIT_MS 60000",
        "test_no_ghost_writes::test_write_held_by_a_slow_disk", "assert"),
    "own-place-is-anybodys": ("module/exporter/session.c", "\t\tif (is_of_client(s, p))\n\t\t\town = session_older(own, s);",
        "\t\town = session_older(own, s);", "test_rejoin::test_other_clients_keep_their_sessions", "EXPIRED"),

    "resent-without-its-mark": ("module/client/link.c", "\t\t\tf->flags |= cpu_to_le16(DSTOR_REQ_RESEND);\n\t\t\tt->attempt.resends++;", "\t\t\tt->attempt.resends++;",
        "test_resends::test_one_transaction_resent_many_times", "6 == 0"),
    "busy-sent-again": ("module/client/queue.c", "\tcase DSTOR_STATE_BUSY:\n\tcase DSTOR_STATE_WAITS:\n\t\tdstor_attempt_goes_on(&t->attempt, dstor_now_ms());\n\t\tbreak;\n\tcase DSTOR_STATE_UNKNOWN:\n",
        "\tcase DSTOR_STATE_BUSY:\n\tcase DSTOR_STATE_WAITS:\n\tcase DSTOR_STATE_UNKNOWN:\n",
        "test_resends::test_ack_that_is_late_is_asked_for_not_resent", "assert"),
    "outage-lasts-a-budget-for-each": ("module/client/link.c", "\t\tp.retries = 0;\n", "\t\tp.retries = p.retries;\n",
        "test_long_outages::test_budget_ends", r"assert .*<|timeout|Timeout"),
    "exporter-never-pings": ("module/exporter/peer.c", "if (dstor_conn_wants_ping(&p->conn, p->ping_ms) &&", "if (false &&",
        "test_hostile_peers::test_idle_connections_live_and_silent_ones_do_not", "assert"),
    "client-never-pings": ("module/client/watchdog.c", "if (dstor_conn_wants_ping(&q->conn, ping_ms) &&", "if (false &&",
        "test_client_is_careful::test_an_idle_client_pings", "assert"),
    "pong-of-another-number": ("module/exporter/peer.c", "dstor_peer_send_frame(p, DSTOR_FRAME_PONG, 0, 0, 0, le64_to_cpu(f->seq), 0);",
        "dstor_peer_send_frame(p, DSTOR_FRAME_PONG, 0, 0, 0, le64_to_cpu(f->seq) + 1, 0);",
        "test_protocol_is_enforced::test_ask_and_ping", "pong"),
    "half-a-write-executed": ("module/exporter/command.c",
        "void dstor_command_drop_ready(struct dstor_peer *p)\n{\n\tstruct dstor_command *cmd, *n;\n",
        "static void command_execute(struct dstor_command *cmd);\n\nvoid dstor_command_drop_ready(struct dstor_peer *p)\n{\n"
        "\tstruct dstor_command *cmd, *n;\n\n\tif (p->commands.receiving) {\n\t\tcommand_execute(p->commands.receiving);\n"
        "\t\tp->commands.receiving = NULL;\n\t}\n",
        "test_hostile_peers::test_half_a_write_never_reaches_the_disk", "assert"),
    "state-of-one-alone": ("module/exporter/peer_message.c", "dstor_peer_send_frame(p, DSTOR_FRAME_STATE, DSTOR_STATE_ALL, slot,",
        "dstor_peer_send_frame(p, DSTOR_FRAME_STATE, 0, slot,",
        "test_hung_disk::test_one_answer_speaks_for_all", "assert"),
    "full-unsaid": ("module/exporter/peer.c", "\t\tdstor_peer_tell_full(p);\n", "",
        "test_hung_disk::test_an_exporter_that_is_full_says_so", "assert|severed"),
    "answers-without-end": ("module/exporter/progress.c", "if (p->progress.n_notes < most &&", "if (most &&",
        "test_hostile_crowds::test_answers_that_nobody_reads_are_few[ping]", "bytes of frames were taken"),
    "stands-still-for-ever": ("module/exporter/peer.c", "if (p->state == DSTOR_PEER_LIVE && dstor_peer_stands_still(p))", "if (false)",
        "test_hostile_crowds::test_answers_that_nobody_reads_are_few[ask]", "nothing was closed"),

    "no-bye": ("module/client/detach.c", "\tif (!dstor_oldest(dev, &age, &retry, &in_flight))\n\t\tdstor_device_say_bye(dev);\n", "",
        "test_forced_detach::test_orderly_detach_waits_for_nothing_and_loses_nothing", "clients|assert"),
    "change-on-one-connection": ("module/exporter/session.c", "void dstor_session_notify(struct dstor_session *s, enum dstor_notice n)\n{\n\tunsigned int i;\n\n\tfor (i = 0; i < s->n_queues; i++)",
        "void dstor_session_notify(struct dstor_session *s, enum dstor_notice n)\n{\n\tunsigned int i;\n\n\tfor (i = 0; i < 1; i++)",
        "test_resize_is_live::test_each_connection_is_told", "None.*1, 16"),
    "smaller-size-told": ("module/exporter/peer_message.c", "if (size <= p->bounds.size)", "if (size == p->bounds.size)",
        "test_resize_is_live::test_a_size_below_the_former_is_not_told", "assert"),
    "size-within-a-block": ("module/exporter/disk.c", "return size & ~((u64)e->disk.geometry.logical_block - 1);", "return size;",
        "test_resize_is_live::test_a_disk_that_ends_within_a_block", "impossible size"),

    "the-same-ephemeral-key": ("module/exporter/keys.c", "get_random_bytes(ephemeral, sizeof(ephemeral));", "memset(ephemeral, 7, sizeof(ephemeral));",
        "test_hostile_keys::test_nothing_recorded_works_again", "assert"),
    "known-key-told": ("module/exporter/keys.c", "\tif (ok) {\n", "\tif (s.found && !ok)\n\t\tanswer->features_optional = cpu_to_le64(1);\n\tif (ok) {\n",
        "test_hostile_keys::test_every_failure_is_the_same_answer", "assert"),
    "altered-hello-answered": ("module/exporter/hello.c", "dstor_handshake_failed(p, \"its hello was altered\");\n\t\t\treturn DSTOR_RX_CLOSE;", "dstor_handshake_failed(p, \"its hello was altered\");",
        "test_hostile_keys::test_nothing_recorded_works_again", "assert"),
    "replayed-unheard": ("module/exporter/peer.c", "\t\tdstor_peer_notify(p, DSTOR_NOTICE_REPLAYED);\n", "",
        "test_readers_wait::test_readers_wait_for_the_replay", "TimeoutError"),
    "gate-not-kept": ("module/exporter/lease_file.c", "r->keeps = h->gate.keeps;", "r->keeps = 0;",
        "test_readers_wait::test_readers_wait_for_the_replay", "the reader was served"),
    "replay-granted-to-all": ("module/exporter/gate.c", "dstor_replay_gate_grants(&e->holder.gate))", "true)",
        "test_readers_wait::test_who_keeps_nothing_keeps_nobody_waiting", "assert"),
    "wait-unsaid": ("module/exporter/peer_message.c",
        "if (!(waits || dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_MEMORY) ||",
        "if (!(dstor_conn_pauses_for(&p->conn, DSTOR_PAUSE_MEMORY) ||",
        "test_readers_wait::test_readers_wait_for_the_replay", "the reader was served"),
    "forgery-not-counted": ("module/exporter/peer.c", "\tthis_cpu_inc(p->export->stats->auth_failures);\n\tpr_warn_ratelimited(\"dstor: export %s: client %s: authentication failed: a frame was altered",
        "\tpr_warn_ratelimited(\"dstor: export %s: client %s: authentication failed: a frame was altered",
        "test_sealed_stream::test_one_bit_of_a_write[48]", "assert"),
    "forged-data-accepted": ("module/conn/decrypt.c", "if (decrypt_bio(op, h->tfm[h->now], nonce, from.bio, from.iter, length))\n\t\t\treturn DSTOR_NOT_DECRYPTED;",
        "decrypt_bio(op, h->tfm[h->now], nonce, from.bio, from.iter, length);",
        "test_sealed_stream::test_one_bit_of_a_write[4143]", "assert"),
    "nonce-of-what-is-thrown-away": ("module/conn/decrypt.c", "u64 nonce = dstor_stream_next(&h->stream, length);",
        "u64 nonce = c->rx.sink.bio ? dstor_stream_next(&h->stream, length) : 0;",
        "test_hostile_keys::test_nonsense_that_is_well_sealed", "assert"),
    "aes-not-known": ("module/conn/cipher.c", "if (!strcmp(name, AES))", "if (false)",
        "test_keys::test_no_cipher_in_common", "cipher"),
    "keyed-digest-not-counted": ("module/conn/digest.c",
        "\tcrypto_shash_update(desc, (const u8 *)&count, sizeof(count));\n", "",
        "test_sealed_stream::test_a_checksum_with_a_key[repeat-4192]", "assert"),
    "renewal-without-draining": ("module/client/renewal.c", "g->drained = is_drained(q);", "g->drained = true;",
        "test_key_rotation::test_fresh_keys_by_time_and_by_bytes[fresh_ms]", "assert"),
    "refused-renewal-ends-the-connection": ("module/client/renewal.c", "kept = !q->renewal.over && q->state == DSTOR_Q_LIVE;", "kept = false;",
        "test_key_rotation::test_a_key_that_the_exporter_does_not_have_yet", "assert|still running"),
    "a-key-is-a-client": ("module/exporter/rules.c", "\tif (a->client[0] || b->client[0])\n\t\treturn !strcmp(a->client, b->client);\n", "",
        "test_key_rotation::test_resume_with_the_other_key[/tmp/a.key-/tmp/b.key]", "connected|assert"),
    "any-key-is-the-client": ("module/exporter/rules.c", "\t\treturn !strcmp(a->client, b->client);", "\t\treturn true;",
        "test_key_rotation::test_other_clients_key_takes_nothing_over[False]", "in use|assert"),
    "keyed-digest-of-memory-that-changes": ("module/conn/send.c", "\tif (m->bio && c->tx.copies)\n\t\tc->tx.from = copy_data(c, m);\n", "",
        "test_changing_memory::test_a_buffer_that_is_rewritten_with_a_key[--cipher none --checksum 'hmac(sha256)']", "assert"),
}

# Requirements without a mutant, and why.
WITHOUT = {
    "R6.5": "it permits any order: the order that a client needs is that of the layer above",
}


def scenario_of(name):
    """(file, function, parameters or None)"""
    return re.fullmatch(r"(\w+)::(\w+)(?:\[(.*)\])?", MUTANTS[name][3], re.S).groups()


def node_of(name):
    file, function, parameters = scenario_of(name)
    return f"tests/vm/{file}.py::{function}[{KERNEL}{'-' + parameters if parameters else ''}]"


def mutated(name):
    """The text of the mutant's file; its line must occur exactly once."""
    path, old, new, _, _ = MUTANTS[name]
    text = (TOP / path).read_text()
    if text.count(old) != 1 or old == new:
        raise ValueError(f"{name}: {text.count(old)} times in {path}: {old!r}")
    return text.replace(old, new)


def copy_tree():
    """A copy of what the module is made of; files that did not change keep their time, and their objects. Returns a hash of all."""
    tree, digest = OUT / "tree", hashlib.sha256()
    for part in ("Makefile", "module", "wire", "include", "dst", "dist"):
        source = TOP / part
        for path in [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file()):
            target, data = tree / path.relative_to(TOP), path.read_bytes()
            digest.update(str(path).encode() + data)
            if not target.exists() or target.read_bytes() != data:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    return tree, digest.hexdigest()


def make(tree):
    """Builds dstor.ko in the copy; what make said if that failed."""
    cache = Path(os.environ.get("DST_CACHE", Path.home() / ".cache/dst"))
    # A mutant may leave something unused.
    done = subprocess.run(["make", "-C", str(tree), "module", "ARCH=um", f"KVER={KERNEL}", f"KDIR={cache / KERNEL}",
                           "KCFLAGS=-Wno-error"], check=False, capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
    return done.stderr[-2000:] if done.returncode else ""


def build(name, tree, digest):
    """Makes the folder that stands for build/ (Machine.load) in a run of the mutant, unless it is there. Why it failed, or nothing."""
    path, folder, text = MUTANTS[name][0], OUT / "built" / name, mutated(name)
    key = digest + hashlib.sha256(text.encode()).hexdigest()
    stamp = folder / "sources"
    if stamp.exists() and stamp.read_text() == key:
        return ""
    (tree / path).write_text(text)
    wrong = make(tree)
    shutil.copy(TOP / path, tree / path)
    if not wrong:
        (folder / KERNEL).mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "build" / KERNEL / "dstor.ko", folder / KERNEL)
        shutil.copy(TOP / "build/dst", folder)
        stamp.write_text(key)
    return wrong


def built_alone(name):
    """Another run may want the same copy of the tree."""
    with open(OUT / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build(name, *copy_tree())


def run(build_folder, *nodes):
    """(how it ended, report) of scenarios with the module in that folder."""
    done = subprocess.run([sys.executable, "-B", "-m", "pytest", "-v", "--tb=short", "--kernel", KERNEL, *nodes], check=False,
                          cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env={**os.environ, "DST_BUILD": str(build_folder)})
    return done.returncode, done.stdout


def said(report):
    """What the scenario failed with: the lines that pytest marks, without the log of the machine."""
    return "\n".join(re.findall(r"^E +(\S.*)$", report, re.M))


HARNESS = re.compile(r"HarnessError|MachineDied|LogFinding|its clock ran ahead")


def judge(name, status, report):
    """Why the mutant is not killed, or nothing."""
    words = said(report)
    if status == 0:
        return "lives"
    if not re.search(r"^FAILED ", report, re.M):
        return f"its scenario did not run: {report[-600:]}"
    if HARNESS.search(words):
        return f"the machine is at fault: {words[-600:]}"
    if not re.search(MUTANTS[name][4], words, re.S):
        return f"the scenario says something else: {words[-600:]}"
    return ""


def kill(name):
    """(is it killed, one line about it)"""
    began = time.monotonic()
    status, report = run(OUT / "built" / name, node_of(name))
    wrong = judge(name, status, report)
    if wrong:
        return False, f"{name}: NOT KILLED by {node_of(name)}: {wrong}"
    return True, f"{name}: killed in {time.monotonic() - began:.0f} s: {said(report).splitlines()[0][:150]}"


def control():
    """The scenarios pass with the module as it is."""
    nodes = list(dict.fromkeys(node_of(name) for name in MUTANTS))
    status, report = run(TOP / "build", *nodes)
    print(report if status else report.splitlines()[-1])
    return status


def main():
    if sys.argv[1:] == ["--control"]:
        return control()
    OUT.mkdir(parents=True, exist_ok=True)
    only_build = sys.argv[1:2] == ["--build"]
    names = sys.argv[1 + only_build:] or list(MUTANTS)
    missed = 0
    for name in names:
        wrong = built_alone(name)
        killed, line = (False, f"{name}: NOT KILLED: it does not build: {wrong}") if wrong else \
            (True, f"{name}: built") if only_build else kill(name)
        missed += not killed
        print(line, flush=True)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
