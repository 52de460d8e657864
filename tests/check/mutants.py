#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One-line mutants of wire/, and the unit test that kills each.

    tests/check/mutants.py [NAME...]    shows for each (or for all) which unit tests fail

docs/protocol.md names them beside its requirements. A mutant is compiled alone
and linked with the unchanged rest, without sanitizers.
"""
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OUT = TOP / "build/mutants"
CFLAGS = ["-std=gnu11", "-O0", "-w", "-Iwire", "-Idst"]

# name: (file of wire/, text that occurs once in it, what stands there instead, unit test, file of tests/wire/)
MUTANTS = {
    "crc-not-inverted": ("crc32c", "return ~crc;", "return crc;", "crc32c_of_rfc3720", "names"),
    "id-last-byte-ignored": ("id", "memcmp(a, b, DSTOR_ID_LEN) ==", "memcmp(a, b, DSTOR_ID_LEN - 1) ==",
                             "ids_compare_all_their_bytes", "names"),

    "greeting-magic-ignored": ("hello", "return memcmp(g->magic, DSTOR_MAGIC, sizeof(g->magic)) == 0 &&",
                               "return true &&", "greeting_vectors", "vectors"),
    "greeting-crc-ignored": ("hello", "le32_to_cpu(g->crc) == CRC_OF(g);", "true;",
                             "one_flipped_bit_in_a_greeting_is_refused", "handshake"),
    "version-too-new-accepted": ("hello", "le16_to_cpu(g->version_min) > DSTOR_VERSION ||", "false ||",
                                 "greeting_versions", "handshake"),
    "version-too-old-accepted": ("hello", "if (le16_to_cpu(g->version) < DSTOR_VERSION ||", "if (false ||",
                                 "greeting_versions", "handshake"),
    "unknown-required-accepted": ("hello", "if (*unknown || g->mode", "if (g->mode",
                                  "greeting_names_the_unknown_features", "handshake"),
    "unknown-required-not-named": ("hello", "*unknown = le64_to_cpu(g->features_required) & ~known;",
                                   "*unknown = le64_to_cpu(g->features_required);",
                                   "greeting_names_the_unknown_features", "handshake"),
    "unknown-optional-refused": ("hello", "*unknown = le64_to_cpu(g->features_required) & ~known;",
                                 "*unknown = le64_to_cpu(g->features_required | g->features_optional) & ~known;",
                                 "greeting_names_the_unknown_features", "handshake"),
    "feature-not-ours-agreed": ("hello", "g->features_optional) & ours;", "g->features_optional);",
                                "features_are_in_use_when_both_name_them", "handshake"),
    "required-not-agreed": ("hello", "return le64_to_cpu(g->features_required | g->features_optional) & ours",
                            "return le64_to_cpu(g->features_optional) & ours",
                            "features_are_in_use_when_both_name_them", "handshake"),
    "unknown-mode-accepted": ("hello", "g->mode > DSTOR_MODE_NOISE || ", "", "greeting_reserved_and_mode", "handshake"),
    "greeting-reserved-ignored": ("hello", "!is_zero(g->reserved1, sizeof(g->reserved1)))", "false)",
                                  "greeting_reserved_and_mode", "handshake"),

    "hello-crc-ignored": ("hello", "if (le32_to_cpu(h->crc) != CRC_OF(h))", "if (false)",
                          "one_flipped_bit_in_a_hello_is_refused", "handshake"),
    "hello-kind-unknown-accepted": ("hello", "h->kind > DSTOR_HELLO_PING)", "false)", "hello_vectors", "vectors"),
    "hello-flag-unknown-accepted": ("hello", "if (h->flags & ~DSTOR_HELLO_FLAGS_KNOWN || h->reserved0",
                                    "if (h->reserved0", "hello_vectors", "vectors"),
    "hello-reserved-ignored": ("hello", "!is_zero(h->reserved2, sizeof(h->reserved2)))", "false)",
                               "hello_reserved_bytes", "handshake"),
    "hello-control-character": ("hello", "if ((u8)s[i] < ' ' || s[i] == 0x7f)", "if (false)",
                                "hello_texts", "handshake"),
    "high-bytes-shown": ("hello", "if (*s < ' ' || *s > '~')", "if ((u8)*s < ' ' || *s == 0x7f)",
                         "texts_are_cleaned_for_people", "handshake"),
    "text-not-terminated": ("hello", "\treturn i < size;", "\treturn true;", "hello_texts", "handshake"),
    "name-with-a-dot-first": ("hello", "if (name[0] == '-' || name[0] == '.')", "if (name[0] == '-')",
                              "names", "names"),
    "name-with-a-slash": ("hello", "c == '_' || c == '-' || c == '.';", "c == '_' || c == '-' || c == '.' || c == '/';",
                          "exactly_these_characters_are_of_names", "names"),
    "queue-is-queues": ("hello", "le16_to_cpu(h->queue) >= le16_to_cpu(h->queues))",
                        "le16_to_cpu(h->queue) > le16_to_cpu(h->queues))", "hello_boundaries", "handshake"),
    "one-slot-too-many": ("hello", "le16_to_cpu(h->slots) > DSTOR_SLOTS_MAX)",
                          "le16_to_cpu(h->slots) > DSTOR_SLOTS_MAX + 1)", "hello_boundaries", "handshake"),
    "max-io-odd": ("hello", "le32_to_cpu(h->max_io) % DSTOR_IO_MIN)", "false)", "hello_boundaries", "handshake"),
    "generation-zero": ("hello", "if (!le64_to_cpu(h->generation) || dstor_id_is_zero(h->session)",
                        "if (dstor_id_is_zero(h->session)", "hello_boundaries", "handshake"),
    "new-session-with-a-past": ("hello", "h->cookie || h->last_seq ||", "h->last_seq ||", "hello_vectors", "vectors"),
    "renewal-of-nothing": ("hello", "(h->flags & DSTOR_HELLO_RENEWAL || h->cookie", "(h->cookie", "hello_vectors", "vectors"),
    "list-needs-a-session": ("hello", "\tif (!attach)\n\t\treturn NULL;\n", "", "hello_vectors", "vectors"),

    "welcome-crc-ignored": ("hello", "if (le32_to_cpu(w->crc) != CRC_OF(w))", "if (false)",
                            "one_flipped_bit_in_a_welcome_is_refused", "handshake"),
    "welcome-status-unknown": ("hello", "else if (w->status > DSTOR_WELCOME_STATUS_MAX || ", "else if (",
                               "welcome_vectors", "vectors"),
    "welcome-grant-flag-unknown": ("hello", "le16_to_cpu(w->grant_flags) & ~DSTOR_GRANT_FLAGS_KNOWN ||", "false ||",
                                   "welcome_vectors", "vectors"),
    "grant-of-more-slots": ("hello", "le16_to_cpu(w->slots) > le16_to_cpu(h->slots))", "false)",
                            "welcome_grant_boundaries", "handshake"),
    "grant-of-a-larger-io": ("hello", "le32_to_cpu(w->max_io) > le32_to_cpu(h->max_io))", "false)",
                             "welcome_grant_boundaries", "handshake"),
    "size-not-aligned": ("hello", "le64_to_cpu(w->size) & (block - 1) ||", "false ||",
                         "welcome_grant_boundaries", "handshake"),
    "no-cookie-accepted": ("hello", "dstor_id_is_zero(w->life) || !w->cookie)", "dstor_id_is_zero(w->life))",
                           "welcome_vectors", "vectors"),
    "no-exporter-accepted": ("hello", "dstor_id_is_zero(w->exporter) || dstor_id_is_zero(w->life)",
                             "dstor_id_is_zero(w->life)", "welcome_vectors", "vectors"),
    "refusal-needs-a-grant": ("hello", "else if (w->status == DSTOR_WELCOME_OK && h->kind", "else if (h->kind",
                              "welcome_refusal_needs_no_grant", "handshake"),
    "checksum-downgraded": ("hello", "return choice_ok(w->checksum, h->checksums);", "return true;",
                            "welcome_choice_must_have_been_offered", "handshake"),
    "cipher-downgraded": ("hello", "if ((w->cipher[0] || h->ciphers[0]) && !choice_ok(w->cipher, h->ciphers))",
                          "if (w->cipher[0] && !choice_ok(w->cipher, h->ciphers))",
                          "welcome_choice_must_have_been_offered", "handshake"),
    "atomic-unit-any": ("hello", "min_unit <= max_unit && max_unit <= max &&", "min_unit <= max_unit &&",
                        "welcome_atomic_limits", "handshake"),
    "dma-mask-any": ("hello", "return is_mask(le32_to_cpu(w->dma_alignment)) &&", "return true &&",
                     "welcome_limits", "handshake"),
    "entry-access-unknown": ("hello", "e->access <= DSTOR_ACCESS_WRITE &&", "true &&", "entry_fields", "names"),
    "last-common-word": ("hello", "if (n && n < DSTOR_ALGO_LEN && list_has(offered, wanted, n)) {",
                         "if (n && n < DSTOR_ALGO_LEN && list_has(wanted, wanted, n)) {",
                         "algorithm_choice", "names"),

    "slot-beyond": ("frame", "if (f->op > DSTOR_OP_MAX || !f->seq || le16_to_cpu(f->slot) >= b->slots)\n",
                    "if (f->op > DSTOR_OP_MAX || !f->seq)\n", "frame_vectors", "vectors"),
    "request-flag-unknown": ("frame", "if (le16_to_cpu(f->flags) & ~request_flags(b))", "if (false)",
                             "frame_vectors", "vectors"),
    "feature-flag-always": ("frame", "(b->features & DSTOR_FEATURE_TEST ? DSTOR_REQ_TEST : 0)", "DSTOR_REQ_TEST",
                            "frame_vectors", "vectors"),
    "feature-flag-never": ("frame", "(b->features & DSTOR_FEATURE_TEST ? DSTOR_REQ_TEST : 0)", "0",
                           "flags_need_their_feature", "frame"),
    "write-length-any": ("frame", "return length == bytes && length && length <= b->max_io;",
                         "return length && length <= b->max_io;", "frame_vectors", "vectors"),
    "misaligned-accepted": ("frame", "if ((offset | bytes) & (b->block - 1))", "if (bytes & (b->block - 1))",
                            "frame_vectors", "vectors"),
    "range-overflows": ("frame", "if (offset > b->size || bytes > b->size - offset)",
                        "if (offset + bytes > b->size)", "frame_vectors", "vectors"),
    "read-only-writes": ("frame", "if (dstor_op_writes(f->op) && b->read_only)", "if (false)", "a_read_only_disk_is_not_written", "frame"),
    "discard-is-no-write": ("frame", "op == DSTOR_OP_WRITE || op == DSTOR_OP_DISCARD ||", "op == DSTOR_OP_WRITE ||",
                            "which_operations_write", "frame"),
    "extent-any": ("frame", "if (bytes > DSTOR_EXTENT_MAX)", "if (false)", "defect_8_bounds_are_checked_without_overflow", "frame"),
    "response-status-unknown": ("frame", "|| status > DSTOR_STATUS_MAX ", "", "frame_vectors", "vectors"),
    "change-of-two-codes": ("frame", "switch (flags & (DSTOR_CHANGE_ACCESS | DSTOR_CHANGE_DISK)) {",
                            "switch (flags & (flags & 8 ? 8 : 32)) {", "frame_vectors", "vectors"),
    "change-code-of-nothing": ("frame", "return !status;", "return true;", "frame_vectors", "vectors"),
    "change-access-none": ("frame", "return status == DSTOR_ACCESS_READ || status == DSTOR_ACCESS_WRITE;",
                           "return status <= DSTOR_ACCESS_WRITE;", "frame_vectors", "vectors"),
    "flushed-with-anything": ("frame", "if (flags & DSTOR_CHANGE_FLUSHED &&\n", "if (false &&\n", "frame_vectors", "vectors"),
    "change-size-of-nothing": ("frame", "? !size || size > DSTOR_SIZE_MAX : size)", "? !size || size > DSTOR_SIZE_MAX : false)",
                               "frame_vectors", "vectors"),
    "state-unknown": ("frame", "status <= DSTOR_STATE_MAX &&", "true &&", "frame_vectors", "vectors"),

    "life-ignored": ("rejoin", "h->flags & DSTOR_HELLO_RESUME && dstor_id_equal(h->life, life))", "false)",
                     "rejoin_of_a_forgotten_session", "slot"),
    "any-life-forgotten": ("rejoin", "h->flags & DSTOR_HELLO_RESUME && dstor_id_equal(h->life, life))",
                           "h->flags & DSTOR_HELLO_RESUME)", "rejoin_of_a_forgotten_session", "slot"),
    "cookie-ignored": ("rejoin", "if (cookie && (cookie == past->cookie || cookie == past->former))", "if (true)",
                       "rejoin_with_the_newest_cookie_or_the_one_before", "slot"),
    "former-cookie-refused": ("rejoin", "cookie == past->cookie || cookie == past->former", "cookie == past->cookie",
                              "rejoin_with_the_newest_cookie_or_the_one_before", "slot"),
    "last-seq-ignored": ("rejoin", "if (le64_to_cpu(h->last_seq) < past->last_seq)", "if (false)",
                         "rejoin_below_what_arrived", "slot"),

    "lower-seq-executed": ("slot", "if (seq < s->seq)", "if (false)", "slot_refuses_the_stale", "slot"),
    "write-executed-twice": ("slot", "if (f->op != DSTOR_OP_READ && f->op != DSTOR_OP_FLUSH)", "if (false)",
                             "slot_executes_what_changes_the_disk_once", "slot"),
    "read-from-memory": ("slot", "if (f->op != DSTOR_OP_READ && f->op != DSTOR_OP_FLUSH)", "if (f->op != DSTOR_OP_FLUSH)",
                         "slot_reads_and_flushes_again", "slot"),
    "busy-slot-reused": ("slot", "} else if (s->state == DSTOR_SLOT_BUSY) {", "} else if (false) {",
                         "slot_refuses_reuse_while_busy", "slot"),
    "other-op-accepted": ("slot", "f->op == s->op && ", "", "slot_refuses_a_resend_that_became_another_operation", "slot"),
    "other-place-accepted": ("slot", "le64_to_cpu(f->offset) == s->offset", "true",
                             "slot_refuses_a_resend_of_another_place_or_length", "slot"),
    "other-length-accepted": ("slot", "le32_to_cpu(f->bytes) == s->bytes", "true",
                              "slot_refuses_a_resend_of_another_place_or_length", "slot"),
    "dropped-is-done": ("slot", "s->state = DSTOR_SLOT_FREE;", "s->state = DSTOR_SLOT_DONE;",
                        "slot_dropped_is_executed_again", "slot"),
    "late-result-taken": ("slot", "if (s->seq != seq || s->state != DSTOR_SLOT_BUSY)", "if (s->state != DSTOR_SLOT_BUSY)",
                          "slot_late_news_of_another_seq_changes_nothing", "slot"),

    "lease-old-token-accepted": ("lease", "r->token != l->token", "false",
                            "lease_revoked", "lease"),
    "lease-held-is-given": ("lease", "return DSTOR_LEASE_HELD;", "return DSTOR_LEASE_AFTER_FENCE;",
                            "lease_granted_then_held", "lease"),
    "takeover-by-anybody": ("lease", "dstor_id_equal(r->client, l->client);", "true;",
                            "lease_not_taken_over_by_another_client", "lease"),
    "takeover-with-any-key": ("lease", "r->same_client && dstor_id_equal", "dstor_id_equal",
                              "lease_not_taken_over_by_another_client", "lease"),
    "takeover-from-the-living": ("lease", "l->heard_ms > r->asked_ms + ON_THE_WAY_MS", "false",
                                 "lease_not_taken_over_from_the_living", "lease"),
    "lease-by-the-id-of-a-session": ("lease", "(!l->renew || r->token || (r->has_key && r->same_client))", "true",
                                     "lease_of_a_former_life_needs_proof", "lease"),
    "given-back-as-of-this-life": ("lease", "memset(l->session, 0, DSTOR_ID_LEN);",
                                   "memset(l->session, 0, DSTOR_ID_LEN);\n\tl->renew = false;",
                                   "lease_given_back_in_a_new_life", "lease"),
    "evicted-outlives": ("lease", "return l->held && !l->revoked;", "return l->held;", "lease_revoked", "lease"),
    "evicted-holds-on": ("lease", "if (l->revoked)", "if (false)", "lease_revoked", "lease"),
    "takeover-at-once": ("lease", "now_ms - l->heard_ms >= l->silence_ms", "true",
                         "lease_not_taken_over_from_the_living", "lease"),
    "lease-ends-early": ("lease", "now_ms - l->heard_ms >= l->budget_ms;", "now_ms - l->heard_ms >= l->budget_ms - 1;",
                         "lease_silence_exactly_at_the_budget", "lease"),
    "lease-of-a-connected": ("lease", "return !l->connected && l->budget_ms", "return l->budget_ms", "lease_silence_exactly_at_the_budget", "lease"),
    "lease-time-short": ("lease", "budget < LEASE_MIN_MS ? LEASE_MIN_MS : budget", "budget", "lease_time", "time"),
    "revoked-token-stays": ("lease", "\tl->token = new_token;\n\tl->former = 0;", "\t(void)new_token;\n\tl->former = 0;", "lease_revoked", "lease"),

    "other-exporter-accepted": ("resume", "return DSTOR_RESUME_OTHER_EXPORTER;", "return DSTOR_RESUME_OK;",
                                "resume_same_exporter", "slot"),
    "other-disk-accepted": ("resume", "return DSTOR_RESUME_OTHER_DISK;", "return DSTOR_RESUME_OK;",
                            "resume_same_disk", "slot"),
    "smaller-disk-accepted": ("resume", "if (le64_to_cpu(w->size) < mine->size)", "if (false)",
                              "resume_same_disk", "slot"),
    "larger-block-accepted": ("resume", "if (le32_to_cpu(w->logical_block) > mine->block)", "if (false)",
                              "resume_same_disk", "slot"),
    "fewer-slots-accepted": ("resume", "le16_to_cpu(w->slots) < mine->slots ||", "false ||",
                             "resume_same_disk", "slot"),
    "larger-disk-refused": ("resume", "if (le64_to_cpu(w->size) < mine->size)", "if (le64_to_cpu(w->size) != mine->size)",
                            "resume_same_disk", "slot"),
    "expired-whatever-was-shown": ("resume", "w->status == DSTOR_WELCOME_EXPIRED && shown == token", "w->status == DSTOR_WELCOME_EXPIRED",
                                   "resume_ended_by_a_refusal", "slot"),
    "ended-by-any-exporter": ("resume", "if (!is_wanted(mine->exporter, w->exporter))\n\t\treturn false;", "",
                              "resume_ended_by_a_refusal", "slot"),
    "big-endian-hello": ("hello", "le16_to_cpu(h->slots) > DSTOR_SLOTS_MAX)",
                         "__builtin_bswap16(h->slots) > DSTOR_SLOTS_MAX)", "hello_vectors", "vectors"),
    "pinned-disk-not-compared": ("resume", "if (!is_wanted(mine->uuid, w->uuid))", "if (false)", "resume_pinned", "slot"),

    "budget-without-the-first": ("retry", "((u64)p->retries + 1)", "(u64)p->retries", "budget", "time"),
    "no-whole-timeout": ("retry", "(!spent || a->resends <= p->retries))", "!spent)",
                         "attempt_after_reconnection_gets_a_whole_timeout", "time"),
    "extends-for-ever": ("retry", "(!spent || a->resends <= p->retries))", "true)", "no_infinite_extension", "time"),
    "asks-never": ("retry", "return live ? DSTOR_VERDICT_ASK : DSTOR_VERDICT_WAIT;", "return DSTOR_VERDICT_WAIT;",
                   "attempt_on_a_live_connection", "time"),
    "budget-runs-in-progress": ("retry", "a->still_ms += ms;", "(void)ms;", "budget_stands_still_while_it_goes_on", "time"),
    "budget-runs-while-it-drains": ("retry", "a->still_ms += length_ms;", "(void)length_ms;",
                                    "budget_stands_still_while_the_exporter_drains", "time"),
    "attempt-does-not-begin-anew": ("retry", "a->sent_ms += ms;", "", "budget_stands_still_while_it_goes_on", "time"),
    "budget-of-the-former": ("retry", "*a = (struct dstor_attempt) { .start_ms = now_ms, .sent_ms = now_ms };",
                             "a->start_ms = a->sent_ms = now_ms;", "attempt_begins_with_nothing_of_the_former", "time"),
    "answer-to-any-question": ("retry", "a->asked && a->asked_resends == a->resends", "a->asked",
                               "answer_to_a_question_before_a_resend_says_nothing", "time"),
    "silence-without-ping": ("retry", "0x7fffffffU : ping_ms + slack;", "0x7fffffffU : slack;", "silence", "time"),
    "reconnects-at-a-fixed-pace": ("retry", "return 50U << (n - 1);", "return 50U;",
                                   "reconnect_delay_grows_to_a_bound", "time"),

    "flush-covers-the-later": ("flush_mark", "return m->flushes + 1;", "return m->flushes;",
                               "flush_covers_what_was_acked_before_it", "time"),
    "loss-during-a-flush-unsaid": ("flush_mark", "if (losses != m->losses)\n", "if (false)\n",
                                   "loss_during_a_flush_fails_it_and_the_next", "time"),
    "loss-unsaid-by-flush": ("flush_mark", "if (m->flush_told != m->losses) {", "if (false) {",
                             "loss_before_a_flush_is_reported_once", "time"),
    "loss-unsaid-by-fua": ("flush_mark", "if (m->fua_told == m->losses)\n", "if (true)\n",
                           "fua_tells_of_a_loss_by_itself", "time"),

    "psk-not-mixed": ("noise", "noise_mix_key(s, psk, 3);", "noise_mix_key(s, s->h, 3);",
                      "other_key_other_prologue", "noise"),
    "prologue-not-hashed": ("noise", "\tmix_hash(s, prologue, len);\n", "", "other_key_other_prologue", "noise"),
    "low-order-accepted": ("noise", "bool ok = s->p->x25519(shared, s->secret, s->peer);",
                           "bool ok = s->p->x25519(shared, s->secret, s->peer) || true;",
                           "points_of_low_order_and_non_canonical", "sealed"),
    "message-out-of-turn": ("noise", "(s->step == 0) == (s->initiator == writing);", "true;", "only_in_turn", "noise"),
    "keys-not-swapped": ("noise", "memcpy(receive, keys[s->initiator], DSTOR_KEY_LEN);",
                         "memcpy(receive, keys[!s->initiator], DSTOR_KEY_LEN);", "published_vector", "noise"),
    "exporter-proves-nothing": ("channel", "c->p->same(proof, said, sizeof(proof)) && ", "",
                                "every_bit_of_the_greetings_counts", "noise"),
    "nonce-stands-still": ("channel", "c->receive.nonce++,", "c->receive.nonce,",
                           "sealed_messages_once_and_in_order", "noise"),
    "key-id-of-the-key-alone": ("channel", "dstor_hmac(p, psk, DSTOR_KEY_LEN, parts, 2, hash);",
                                "dstor_hmac(p, psk, DSTOR_KEY_LEN, parts, 1, hash);", "keys_by_name", "noise"),
    "one-key-for-all-ciphers": ("channel", "(struct dstor_part){ info, len }", "(struct dstor_part){ info, sizeof(purpose) - 1 }",
                                "channel_vectors", "noise"),
    "nonce-of-frames-stands-still": ("channel", "\treturn s->nonce++;", "\treturn s->nonce;",
                                     "bytes_missing_or_too_many_at_each_edge", "sealed"),
    "padding-ignored": ("channel", "p->same(g->noise + ASK_LEN, zero, sizeof(zero)) &&", "true &&",
                        "every_bit_of_the_greetings_counts", "noise"),
    "no-next-key-by-uses": ("channel", "if (s->nonce < s->most && s->bytes", "if (s->bytes",
                            "the_next_key_at_both_limits", "sealed"),
    "no-next-key-by-bytes": ("channel", "if (s->nonce < s->most && s->bytes < DSTOR_REKEY_BYTES)",
                             "if (s->nonce < s->most)", "the_next_key_at_both_limits", "sealed"),
    "next-key-a-use-late": ("channel", "if (s->nonce < s->most && s->bytes", "if (s->nonce <= s->most && s->bytes",
                            "channel_vectors", "noise"),
    "nonce-not-from-zero": ("channel", "\ts->nonce = 0;\n\ts->bytes = 0;", "\ts->bytes = 0;",
                            "the_next_key_at_both_limits", "sealed"),
}


def compile_one(source, out):
    subprocess.run(["gcc", *CFLAGS, "-c", source, "-o", out], cwd=TOP, check=True)


def build():
    """Objects of everything that is not mutated. Returns {name: object}."""
    OUT.mkdir(parents=True, exist_ok=True)
    sources = [*(TOP / "wire").glob("*.c"), TOP / "dst/primitives.c", *(TOP / "tests/wire").glob("test_*.c")]
    objects = {s.stem: OUT / f"{s.stem}.o" for s in sources}
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda s: compile_one(s, objects[s.stem]), sources))
    return objects


def mutated(name):
    """The text of the mutant's file; its line must occur exactly once."""
    stem, old, new, _, _ = MUTANTS[name]
    text = (TOP / f"wire/{stem}.c").read_text()
    if text.count(old) != 1 or old == new:
        raise ValueError(f"{name}: {text.count(old)} times in wire/{stem}.c: {old!r}")
    return text.replace(old, new)


def failed_tests(name, objects, text=None):
    """Unit tests of the mutant's test file that fail under it; text: instead of the mutant's."""
    stem, _, _, _, test = MUTANTS[name]
    source, made, program = (OUT / f"{name}{suffix}" for suffix in (".c", ".o", ""))
    source.write_text(text or mutated(name))
    compile_one(source, made)
    wire = [o for s, o in objects.items() if not s.startswith("test_") and s != stem]
    subprocess.run(["gcc", made, objects[f"test_{test}"], *wire, "-lcmocka", "-lsodium", "-o", program], check=True)
    ran = subprocess.run([program], cwd=TOP, timeout=60, capture_output=True, text=True, errors="replace", check=False)
    for path in (source, made, program):
        path.unlink()
    return sorted(set(re.findall(r"\[  FAILED  \] (\w+)$", ran.stdout + ran.stderr, re.M)))


def main():
    objects = build()
    missed = 0
    for name in sys.argv[1:] or MUTANTS:
        failed = failed_tests(name, objects)
        killer = MUTANTS[name][3]
        good = killer in failed
        missed += not good
        print(f"{name}: {'' if good else f'NOT KILLED by {killer}; '}{', '.join(failed) or 'lives'}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
