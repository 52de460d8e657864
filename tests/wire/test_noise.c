// SPDX-License-Identifier: GPL-2.0
/*
 * Mode NOISE: HMAC and HKDF against their RFCs, the handshake against a published
 * vector (cacophony.txt) and against itself with everything wrong that can be,
 * the channel against docs/vectors/channel.txt.
 */
#include "primitives.h"
#include "blocks.h"
#include "channel.h"
#include "hello.h"
#include "id.h"
#include "noise.h"

#define P (&primitives)
static struct dstor_part part(const void *data, size_t len)
{
	return (struct dstor_part){ data, len };
}

/* RFC 4231, cases 1 and 2; data in one part and in three */
static void hmac_of_the_rfc(void **state)
{
	const char *what = "what do ya want for nothing?";
	struct dstor_part one = part("Hi There", 8);
	struct dstor_part three[] = { part(what, 5), part(what + 5, 0), part(what + 5, 23) };
	u8 key[20], got[DSTOR_HASH_LEN], want[DSTOR_HASH_LEN];

	memset(key, 0x0b, sizeof(key));
	dstor_hmac(P, key, sizeof(key), &one, 1, got);
	unhex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", want, 32);
	assert_memory_equal(got, want, 32);
	dstor_hmac(P, (const u8 *)"Jefe", 4, three, 3, got);
	unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want, 32);
	assert_memory_equal(got, want, 32);
}

/* RFC 5869, A.1 and A.3 */
static void hkdf_of_the_rfc(void **state)
{
	u8 ikm[22], salt[13], info[10], out[2][DSTOR_HASH_LEN], want[2 * DSTOR_HASH_LEN];

	memset(ikm, 0x0b, sizeof(ikm));
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = i;
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = 0xf0 + i;
	dstor_hkdf(P, part(salt, sizeof(salt)), part(ikm, sizeof(ikm)), part(info, sizeof(info)),
		   out[0], 2);
	unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf", want, 32);
	unhex("34007208d5b887185865", want + 32, 10);
	assert_memory_equal(out, want, 42);
	dstor_hkdf(P, part(salt, 0), part(ikm, sizeof(ikm)), part(info, 0), out[0], 2);
	unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d", want, 32);
	unhex("9d201395faa4b61a96c8", want + 32, 10);
	assert_memory_equal(out, want, 42);
}

static void same_bytes(void **state)
{
	assert_true(P->same("abc", "abc", 3));
	assert_true(P->same("abc", "xyz", 0));
	assert_false(P->same("abc", "abd", 3));
	assert_false(P->same("abc", "bbc", 3));
}

/* "message" is text in docs/vectors and bytes in cacophony.txt */
static void load_cacophony(struct values *all)
{
	FILE *file = fopen("tests/wire/cacophony.txt", "r");
	char line[512], *value;

	assert_non_null(file);
	memset(all, 0, sizeof(*all));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		value = strstr(line, ": ");
		if (line[0] == '#' || !value)
			continue;
		*value = 0;
		snprintf(all->v[all->n].name, sizeof(all->v[0].name), "%.23s", line);
		all->v[all->n].len = unhex(value + 2, all->v[all->n].data, ROOM);
		all->n++;
	}
	fclose(file);
}

struct pair {
	struct dstor_noise a, b;	/* initiator, responder */
};

static void published_vector(void **state)
{
	static struct values all;
	struct pair n;
	u8 out[ROOM], back[ROOM], key[4][DSTOR_KEY_LEN], hash[2][DSTOR_HASH_LEN];
	const u8 *psk;
	size_t first = 5;

	load_cacophony(&all);
	assert_int_equal(all.n, first + 12);
	psk = get(&all, "psk", DSTOR_KEY_LEN);
	dstor_noise_begin(&n.a, P, true, get(&all, "prologue", 9), 9, psk,
			  get(&all, "initiator", 32));
	dstor_noise_begin(&n.b, P, false, get(&all, "prologue", 9), 9, psk,
			  get(&all, "responder", 32));
	for (size_t i = 0; i < 6; i++) {
		const u8 *payload = all.v[first + 2 * i].data;
		size_t len = all.v[first + 2 * i].len;
		const u8 *message = all.v[first + 2 * i + 1].data;
		size_t message_len = all.v[first + 2 * i + 1].len;

		if (i < 2) {
			struct dstor_noise *from = i ? &n.b : &n.a, *to = i ? &n.a : &n.b;

			assert_int_equal(message_len, len + 48);
			assert_true(dstor_noise_write(from, payload, len, out));
			assert_true(dstor_noise_read(to, message, message_len, back));
		} else {
			if (i == 2) {
				assert_true(dstor_noise_split(&n.a, key[0], key[1], hash[0]));
				assert_true(dstor_noise_split(&n.b, key[3], key[2], hash[1]));
				assert_memory_equal(key[0], key[2], 32);
				assert_memory_equal(key[1], key[3], 32);
				assert_memory_equal(hash[0], get(&all, "hash", 32), 32);
				assert_memory_equal(hash[1], hash[0], 32);
			}
			P->encrypt(out, payload, len, NULL, 0, i / 2 - 1, key[i & 1]);
			assert_true(P->decrypt(back, message, message_len, NULL, 0, i / 2 - 1,
					       key[i & 1]));
		}
		assert_memory_equal(out, message, message_len);
		assert_memory_equal(back, payload, len);
	}
}

static void two_sides(struct pair *n, const u8 *psk_b, const char *prologue_b)
{
	u8 psk[DSTOR_KEY_LEN], a[DSTOR_KEY_LEN], b[DSTOR_KEY_LEN];

	memset(psk, 1, sizeof(psk));
	memset(a, 2, sizeof(a));
	memset(b, 3, sizeof(b));
	dstor_noise_begin(&n->a, P, true, "prologue", 8, psk, a);
	dstor_noise_begin(&n->b, P, false, prologue_b, 8, psk_b ? psk_b : psk, b);
}

/* After a failure nothing works any more, and no key is left. */
static void is_dead(struct dstor_noise *s)
{
	struct dstor_noise dead = { .p = P, .step = s->step };
	u8 m[64] = {0}, k[DSTOR_KEY_LEN];

	assert_memory_equal(s, &dead, sizeof(dead));
	assert_false(dstor_noise_write(s, m, 0, m));
	assert_false(dstor_noise_read(s, m, 48, m));
	assert_false(dstor_noise_split(s, k, k, k));
	dstor_noise_wipe(s);
	assert_memory_equal(s, &dead, sizeof(dead));
}

static void every_bit_of_the_handshake_counts(void **state)
{
	u8 one[48], two[64], payload[16] = "proof", got[16];
	struct pair n;

	for (size_t bit = 0; bit < 8 * sizeof(one); bit++) {
		/* The highest bit of an X25519 key is not used, but it is hashed. */
		two_sides(&n, NULL, "prologue");
		assert_true(dstor_noise_write(&n.a, NULL, 0, one));
		one[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_noise_read(&n.b, one, sizeof(one), got));
		is_dead(&n.b);
	}
	for (size_t bit = 0; bit < 8 * sizeof(two); bit++) {
		two_sides(&n, NULL, "prologue");
		assert_true(dstor_noise_write(&n.a, NULL, 0, one));
		assert_true(dstor_noise_read(&n.b, one, sizeof(one), got));
		assert_true(dstor_noise_write(&n.b, payload, sizeof(payload), two));
		two[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_noise_read(&n.a, two, sizeof(two), got));
		is_dead(&n.a);
	}
}

static void other_key_other_prologue(void **state)
{
	u8 one[48], got[16], psk[DSTOR_KEY_LEN] = {0};
	struct pair n;

	two_sides(&n, psk, "prologue");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_false(dstor_noise_read(&n.b, one, sizeof(one), got));
	two_sides(&n, NULL, "prologuf");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_false(dstor_noise_read(&n.b, one, sizeof(one), got));
}

static void only_in_turn(void **state)
{
	u8 one[48], got[16], k[DSTOR_KEY_LEN];
	struct pair n;

	two_sides(&n, NULL, "prologue");
	assert_false(dstor_noise_split(&n.a, k, k, k));
	two_sides(&n, NULL, "prologue");
	assert_false(dstor_noise_write(&n.b, NULL, 0, one));
	two_sides(&n, NULL, "prologue");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_false(dstor_noise_read(&n.a, one, sizeof(one) - 1, got));
	two_sides(&n, NULL, "prologue");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_false(dstor_noise_write(&n.a, NULL, 0, one));
	two_sides(&n, NULL, "prologue");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_false(dstor_noise_read(&n.b, one, 47, got));
}

/* Points of low order (RFC 7748, section 6.1): the secret would be known to everybody. */
static void low_order_is_refused(void **state)
{
	u8 one[48] = {0}, two[64], got[16];
	struct pair n;

	two_sides(&n, NULL, "prologue");
	assert_true(dstor_noise_write(&n.a, NULL, 0, one));
	assert_true(dstor_noise_read(&n.b, one, sizeof(one), got));
	memset(n.b.peer, 0, sizeof(n.b.peer));
	assert_false(dstor_noise_write(&n.b, NULL, 0, two));
	is_dead(&n.b);
}

/* Our part of docs/vectors/channel.txt */

struct ends {
	struct dstor_greeting ask, answer;
	struct dstor_channel client, exporter;
	u8 psk[DSTOR_KEY_LEN];
};

static void greet(struct ends *e, struct values *all)
{
	memcpy(e->psk, get(all, "psk", DSTOR_KEY_LEN), sizeof(e->psk));
	dstor_greeting_init(&e->ask, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	assert_true(dstor_channel_ask(&e->client, P, e->psk, get(all, "client_secret", 32),
				      &e->ask));
	dstor_greeting_init(&e->answer, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
}

static bool accept(struct ends *e, struct values *all)
{
	return dstor_channel_accept(&e->exporter, P, e->psk, get(all, "exporter_secret", 32),
				    &e->ask, &e->answer);
}

static FILE *open_vectors(struct values *handshake)
{
	FILE *file = fopen("docs/vectors/channel.txt", "r");

	assert_non_null(file);
	assert_true(read_block(file, handshake, true));
	return file;
}

static void check_frames(FILE *file, struct ends *e)
{
	struct dstor_stream up, down, unused[2];
	static struct values v;
	unsigned int n = 0;

	dstor_channel_frames(&e->client, "chacha20-poly1305", &up, &unused[0]);
	dstor_channel_frames(&e->exporter, "chacha20-poly1305", &unused[1], &down);
	assert_int_equal(up.most, DSTOR_REKEY_USES);
	up.most = 4;
	while (read_block(file, &v, true)) {
		const u8 *header = get(&v, "header", 32), *data = get(&v, "data", 512);
		const u8 *want = get(&v, "sealed", 32 + 16 + 512 + 16);
		u8 out[32 + 16 + 512 + 16];

		assert_string_equal(get(&v, "cipher", 0), "chacha20-poly1305");
		assert_int_equal(dstor_stream_begin(&up, P), n == 2);
		assert_memory_equal(up.key, get(&v, "key", 32), 32);
		assert_int_equal(up.nonce, atoi((const char *)get(&v, "nonce", 0)));
		if (!n)
			assert_memory_equal(down.key, up.key, 32);
		P->encrypt(out, header, 32, NULL, 0, dstor_stream_next(&up, 32), up.key);
		P->encrypt(out + 48, data, 512, header, 32, dstor_stream_next(&up, 512), up.key);
		assert_memory_equal(out, want, sizeof(out));
		n++;
	}
	assert_int_equal(n, 3);
}

static void channel_vectors(void **state)
{
	static struct values all, hello;
	u8 m[DSTOR_HELLO_LEN + DSTOR_TAG_LEN];
	FILE *file = open_vectors(&all);
	struct ends e;

	greet(&e, &all);
	assert_memory_equal(&e.ask, get(&all, "ask", 128), 128);
	assert_true(dstor_channel_names(P, e.psk, &e.ask));
	assert_true(accept(&e, &all));
	assert_memory_equal(&e.answer, get(&all, "answer", 128), 128);
	assert_true(dstor_greeting_is_ours(&e.answer));
	assert_true(dstor_channel_confirm(&e.client, &e.answer));
	assert_memory_equal(e.client.hash, get(&all, "hash", 32), 32);
	assert_memory_equal(e.client.send.key, get(&all, "client_key", 32), 32);
	assert_memory_equal(e.exporter.send.key, get(&all, "exporter_key", 32), 32);

	assert_true(read_block(file, &hello, true));
	memcpy(m, get(&hello, "plain", DSTOR_HELLO_LEN), DSTOR_HELLO_LEN);
	dstor_channel_encrypt(&e.client, m, DSTOR_HELLO_LEN);
	assert_memory_equal(m, get(&hello, "sealed", sizeof(m)), sizeof(m));
	assert_true(dstor_channel_decrypt(&e.exporter, m, DSTOR_HELLO_LEN));
	assert_memory_equal(m, get(&hello, "plain", DSTOR_HELLO_LEN), DSTOR_HELLO_LEN);
	check_frames(file, &e);
	fclose(file);
	dstor_channel_wipe(&e.client);
	dstor_channel_wipe(&e.exporter);
	assert_null(e.client.p);
}

/* Version, features, status, mode, of either side; and what only fills the greeting. */
static void every_bit_of_the_greetings_counts(void **state)
{
	static struct values all;
	struct ends e;

	fclose(open_vectors(&all));
	for (size_t bit = 0; bit < 8 * offsetof(struct dstor_greeting, reserved1); bit++) {
		greet(&e, &all);
		((u8 *)&e.ask)[bit / 8] ^= 1 << bit % 8;
		assert_false(accept(&e, &all));
		assert_true(dstor_id_is_zero(e.exporter.send.key));
	}
	for (size_t bit = 0; bit < 8 * offsetof(struct dstor_greeting, reserved1); bit++) {
		greet(&e, &all);
		assert_true(accept(&e, &all));
		((u8 *)&e.answer)[bit / 8] ^= 1 << bit % 8;
		assert_false(dstor_channel_confirm(&e.client, &e.answer));
		assert_true(dstor_id_is_zero(e.client.send.key));
	}
}

static void keys_by_name(void **state)
{
	static struct values all;
	u8 print[2][DSTOR_ID_LEN], other[DSTOR_KEY_LEN];
	struct dstor_greeting again;
	struct dstor_channel c;
	struct ends e;

	fclose(open_vectors(&all));
	greet(&e, &all);
	memcpy(other, e.psk, sizeof(other));
	other[31] ^= 1;
	assert_false(dstor_channel_names(P, other, &e.ask));
	dstor_key_fingerprint(P, e.psk, print[0]);
	dstor_key_fingerprint(P, other, print[1]);
	assert_memory_not_equal(print[0], print[1], DSTOR_ID_LEN);
	/* Nothing links two connections of one key. */
	dstor_greeting_init(&again, DSTOR_MODE_NOISE, DSTOR_FEATURES_KNOWN);
	assert_true(dstor_channel_ask(&c, P, e.psk, other, &again));
	assert_memory_not_equal(again.key_id, e.ask.key_id, DSTOR_ID_LEN);
	assert_memory_not_equal(again.noise, e.ask.noise, 32);
	assert_true(dstor_channel_names(P, e.psk, &again));
}

/* Repeated, reordered, reflected, changed */
static void sealed_messages_once_and_in_order(void **state)
{
	static struct values all;
	u8 one[64 + DSTOR_TAG_LEN], two[64 + DSTOR_TAG_LEN], copy[64 + DSTOR_TAG_LEN];
	struct dstor_channel before;
	struct ends e;

	fclose(open_vectors(&all));
	greet(&e, &all);
	assert_true(accept(&e, &all));
	assert_true(dstor_channel_confirm(&e.client, &e.answer));
	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	dstor_channel_encrypt(&e.client, one, 64);
	dstor_channel_encrypt(&e.client, two, 64);
	before = e.exporter;
	memcpy(copy, two, sizeof(copy));
	assert_false(dstor_channel_decrypt(&e.exporter, copy, 64));
	e.exporter = before;
	memcpy(copy, one, sizeof(copy));
	copy[63] ^= 1;
	assert_false(dstor_channel_decrypt(&e.exporter, copy, 64));
	memcpy(copy, one, sizeof(copy));
	assert_false(dstor_channel_decrypt(&e.client, copy, 64));
	e.exporter = before;
	memcpy(copy, one, sizeof(copy));
	assert_true(dstor_channel_decrypt(&e.exporter, copy, 64));
	memcpy(copy, one, sizeof(copy));
	assert_false(dstor_channel_decrypt(&e.exporter, copy, 64));
}

static void the_next_key_in_time(void **state)
{
	struct dstor_stream s = { .most = 3 }, t;
	u8 first[DSTOR_KEY_LEN];

	memset(s.key, 7, sizeof(s.key));
	t = s;
	memcpy(first, s.key, sizeof(first));
	assert_false(dstor_stream_begin(&s, P));
	assert_int_equal(dstor_stream_next(&s, 32), 0);
	assert_int_equal(dstor_stream_next(&s, 4096), 1);
	assert_false(dstor_stream_begin(&s, P));
	assert_int_equal(dstor_stream_next(&s, 32), 2);
	/* A frame is sealed under one key as a whole. */
	assert_int_equal(dstor_stream_next(&s, 4096), 3);
	assert_true(dstor_stream_begin(&s, P));
	assert_memory_not_equal(s.key, first, sizeof(first));
	assert_int_equal(s.nonce, 0);
	assert_int_equal(s.bytes, 0);
	/* ... and by bytes, the same key */
	t.bytes = DSTOR_REKEY_BYTES - 1;
	assert_false(dstor_stream_begin(&t, P));
	dstor_stream_next(&t, 1);
	assert_true(dstor_stream_begin(&t, P));
	assert_memory_equal(s.key, t.key, sizeof(s.key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_of_the_rfc),
		cmocka_unit_test(hkdf_of_the_rfc),
		cmocka_unit_test(same_bytes),
		cmocka_unit_test(published_vector),
		cmocka_unit_test(every_bit_of_the_handshake_counts),
		cmocka_unit_test(other_key_other_prologue),
		cmocka_unit_test(only_in_turn),
		cmocka_unit_test(low_order_is_refused),
		cmocka_unit_test(channel_vectors),
		cmocka_unit_test(every_bit_of_the_greetings_counts),
		cmocka_unit_test(keys_by_name),
		cmocka_unit_test(sealed_messages_once_and_in_order),
		cmocka_unit_test(the_next_key_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
