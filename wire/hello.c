// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake: greeting, hello, welcome and the entries of a list. Sets CRCs and
 * checks fixed-size messages. Everything that arrives is checked here before a caller
 * acts on it.
 */
#include "crc32c.h"
#include "hello.h"
#include "id.h"

#define CRC_OF(msg) dstor_crc32c((msg), sizeof(*(msg)) - sizeof((msg)->crc))

static bool is_zero(const void *data, size_t len)
{
	const u8 *p = data;

	while (len--)
		if (*p++)
			return false;
	return true;
}

/* Terminated, and without control characters: it may reach a terminal. */
static bool is_text(const char *s, size_t size)
{
	size_t i;

	for (i = 0; i < size && s[i]; i++)
		if ((u8)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return i < size;
}

/* The signed char of some processors is negative from 0x80 on. */
void dstor_text_clean(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static bool is_power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

bool dstor_name_ok(const char *name, size_t size)
{
	size_t i;

	if (name[0] == '-' || name[0] == '.')
		return false;
	for (i = 0; i < size && name[i]; i++)
		if (!name_char(name[i]))
			return false;
	return i > 0 && i < size && i < DSTOR_NAME_LEN;
}

void dstor_greeting_init(struct dstor_greeting *g, enum dstor_mode mode, u64 features)
{
	memset(g, 0, sizeof(*g));
	memcpy(g->magic, DSTOR_MAGIC, sizeof(g->magic));
	g->version = cpu_to_le16(DSTOR_VERSION);
	g->version_min = cpu_to_le16(DSTOR_VERSION);
	g->mode = mode;
	g->features_optional = cpu_to_le64(features);
}

void dstor_greeting_set_crc(struct dstor_greeting *g)
{
	g->crc = cpu_to_le32(CRC_OF(g));
}

bool dstor_greeting_is_ours(const struct dstor_greeting *g)
{
	return memcmp(g->magic, DSTOR_MAGIC, sizeof(g->magic)) == 0 &&
	       le32_to_cpu(g->crc) == CRC_OF(g);
}

u64 dstor_features_agreed(const struct dstor_greeting *g, u64 ours)
{
	return le64_to_cpu(g->features_required | g->features_optional) & ours;
}

enum dstor_greeting_status dstor_greeting_check(const struct dstor_greeting *g, u64 known,
						u64 *unknown)
{
	*unknown = le64_to_cpu(g->features_required) & ~known;
	if (le16_to_cpu(g->version) < DSTOR_VERSION ||
	    le16_to_cpu(g->version_min) > DSTOR_VERSION ||
	    le16_to_cpu(g->version_min) > le16_to_cpu(g->version))
		return DSTOR_GREETING_VERSION;
	if (*unknown || g->mode > DSTOR_MODE_NOISE || g->reserved0 ||
	    !is_zero(g->reserved1, sizeof(g->reserved1)))
		return DSTOR_GREETING_FEATURE;
	return DSTOR_GREETING_OK;
}

void dstor_hello_set_crc(struct dstor_hello *h)
{
	h->crc = cpu_to_le32(CRC_OF(h));
}

static const char *hello_fault(const struct dstor_hello *h)
{
	bool attach = h->kind == DSTOR_HELLO_ATTACH;

	if (le32_to_cpu(h->crc) != CRC_OF(h))
		return "checksum of the hello is wrong";
	if (h->kind < DSTOR_HELLO_ATTACH || h->kind > DSTOR_HELLO_PING)
		return "unknown kind of hello";
	if (h->flags & ~DSTOR_HELLO_FLAGS_KNOWN || h->reserved0 || h->reserved1 ||
	    !is_zero(h->reserved2, sizeof(h->reserved2)))
		return "reserved bits are set";
	if (!is_text(h->export, sizeof(h->export)) ||
	    !is_text(h->client_name, sizeof(h->client_name)) ||
	    !is_text(h->checksums, sizeof(h->checksums)) ||
	    !is_text(h->ciphers, sizeof(h->ciphers)))
		return "a text is not terminated or has control characters";
	if (!attach)
		return NULL;
	if (!dstor_name_ok(h->export, sizeof(h->export)) ||
	    (h->client_name[0] && !dstor_name_ok(h->client_name, sizeof(h->client_name))))
		return "a name has characters that no name has";
	if (!le16_to_cpu(h->queues) || le16_to_cpu(h->queues) > DSTOR_QUEUES_MAX ||
	    le16_to_cpu(h->queue) >= le16_to_cpu(h->queues))
		return "number of connections out of range";
	if (!le16_to_cpu(h->slots) || le16_to_cpu(h->slots) > DSTOR_SLOTS_MAX)
		return "number of slots out of range";
	if (le32_to_cpu(h->max_io) < DSTOR_IO_MIN || le32_to_cpu(h->max_io) > DSTOR_IO_MAX ||
	    le32_to_cpu(h->max_io) % DSTOR_IO_MIN)
		return "largest I/O out of range";
	if (!le64_to_cpu(h->generation) || dstor_id_is_zero(h->session) ||
	    dstor_id_is_zero(h->client))
		return "session, client or generation is zero";
	if (!le32_to_cpu(h->ping_ms) || !le32_to_cpu(h->timeout_ms))
		return "ping or timeout is zero";
	if (!(h->flags & DSTOR_HELLO_RESUME) &&
	    (h->flags & DSTOR_HELLO_RENEWAL || h->cookie || h->last_seq ||
	     !dstor_id_is_zero(h->life)))
		return "a new session cannot have a past";
	return NULL;
}

enum dstor_welcome_status dstor_hello_check(const struct dstor_hello *h, const char **why)
{
	*why = hello_fault(h);
	return *why ? DSTOR_WELCOME_MALFORMED : DSTOR_WELCOME_OK;
}

void dstor_welcome_set_crc(struct dstor_welcome *w)
{
	w->crc = cpu_to_le32(CRC_OF(w));
}

static bool block_ok(u32 n)
{
	return n >= DSTOR_BLOCK_MIN && n <= DSTOR_BLOCK_MAX && is_power_of_two(n);
}

size_t dstor_word_len(const char *s)
{
	size_t n = 0, depth = 0;

	while (s[n] && (depth || s[n] != ',')) {
		depth += s[n] == '(';
		depth -= depth && s[n] == ')';
		n++;
	}
	return n;
}

static bool list_has(const char *list, const char *word, size_t len)
{
	while (*list) {
		size_t n = dstor_word_len(list);

		if (n && n == len && !memcmp(list, word, len))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* The exporter may choose only from the wanted list: anything else is a downgrade. */
static bool choice_ok(const char *chosen, const char *wanted)
{
	return list_has(wanted, chosen, dstor_word_len(chosen)) && !chosen[dstor_word_len(chosen)];
}

static bool protection_ok(const struct dstor_welcome *w, const struct dstor_hello *h)
{
	/* A client that offers ciphers has a key and does not go on in the clear. */
	if ((w->cipher[0] || h->ciphers[0]) && !choice_ok(w->cipher, h->ciphers))
		return false;
	if (w->checksum[0])
		return choice_ok(w->checksum, h->checksums);
	/* The cipher "none" leaves everything to a checksum with a key. */
	return w->cipher[0] ? memcmp(w->cipher, "none", 5) != 0 : !h->checksums[0];
}

static bool is_mask(u32 n)
{
	return !(n & (n + 1));
}

static bool atomic_ok(const struct dstor_welcome *w, u32 block)
{
	u32 max = le32_to_cpu(w->atomic_max), boundary = le32_to_cpu(w->atomic_boundary);
	u32 min_unit = le32_to_cpu(w->atomic_unit_min), max_unit = le32_to_cpu(w->atomic_unit_max);

	if (!max)
		return !boundary && !min_unit && !max_unit;
	return is_power_of_two(min_unit) && is_power_of_two(max_unit) && min_unit >= block &&
	       min_unit <= max_unit && max_unit <= max && max % min_unit == 0 &&
	       (!boundary || (is_power_of_two(boundary) && boundary >= max_unit));
}

static bool limits_ok(const struct dstor_welcome *w, u32 block)
{
	return is_mask(le32_to_cpu(w->dma_alignment)) &&
	       le32_to_cpu(w->dma_alignment) < DSTOR_IO_MIN &&
	       le32_to_cpu(w->alignment_offset) % block == 0 &&
	       w->unique_id_type <= DSTOR_UNIQUE_ID_MAX && w->unique_id_len <= DSTOR_ID_LEN &&
	       !w->unique_id_type == !w->unique_id_len && atomic_ok(w, block);
}

static const char *grant_fault(const struct dstor_welcome *w, const struct dstor_hello *h)
{
	u32 block = le32_to_cpu(w->logical_block);

	if (w->access != DSTOR_ACCESS_READ && w->access != DSTOR_ACCESS_WRITE)
		return "exporter grants an unknown access";
	if (!le16_to_cpu(w->queues) || le16_to_cpu(w->queues) > DSTOR_QUEUES_MAX)
		return "exporter allows an impossible number of connections";
	if (!le16_to_cpu(w->slots) || le16_to_cpu(w->slots) > le16_to_cpu(h->slots))
		return "exporter grants more slots than were asked for";
	if (le32_to_cpu(w->max_io) < DSTOR_IO_MIN || le32_to_cpu(w->max_io) % DSTOR_IO_MIN ||
	    le32_to_cpu(w->max_io) > le32_to_cpu(h->max_io))
		return "exporter grants a larger I/O than was asked for";
	if (!block_ok(block) || le32_to_cpu(w->physical_block) < block ||
	    !is_power_of_two(le32_to_cpu(w->physical_block)))
		return "exporter reports an impossible block size";
	if (!le64_to_cpu(w->size) || le64_to_cpu(w->size) & (block - 1) ||
	    le64_to_cpu(w->size) > DSTOR_SIZE_MAX)
		return "exporter reports an impossible size";
	if (dstor_id_is_zero(w->uuid) || dstor_id_is_zero(w->instance) ||
	    dstor_id_is_zero(w->exporter) || dstor_id_is_zero(w->life) || !w->cookie)
		return "exporter has no identity";
	if (!limits_ok(w, block))
		return "exporter reports impossible limits";
	if (!protection_ok(w, h))
		return "exporter chose a checksum or cipher that was not offered";
	return NULL;
}

bool dstor_welcome_check(const struct dstor_welcome *w, const struct dstor_hello *h,
			 const char **why)
{
	*why = NULL;
	if (le32_to_cpu(w->crc) != CRC_OF(w))
		*why = "checksum of the exporter's answer is wrong";
	else if (w->status > DSTOR_WELCOME_STATUS_MAX || w->reserved1[0] || w->reserved1[1] ||
		 !is_zero(w->reserved2, sizeof(w->reserved2)) ||
		 le16_to_cpu(w->grant_flags) & ~DSTOR_GRANT_FLAGS_KNOWN ||
		 le32_to_cpu(w->disk_flags) & ~DSTOR_DISK_FLAGS_KNOWN)
		*why = "exporter's answer has unknown bits";
	else if (!is_text(w->checksum, sizeof(w->checksum)) ||
		 !is_text(w->cipher, sizeof(w->cipher)) || !is_text(w->reason, sizeof(w->reason)))
		*why = "exporter's answer has a text that is not terminated";
	else if (le32_to_cpu(w->entries) > DSTOR_ENTRIES_MAX)
		*why = "exporter's list is too long";
	else if (w->status == DSTOR_WELCOME_OK && h->kind == DSTOR_HELLO_ATTACH)
		*why = grant_fault(w, h);
	return !*why;
}

void dstor_entry_set_crc(struct dstor_entry *e)
{
	e->crc = cpu_to_le32(CRC_OF(e));
}

bool dstor_entry_check(const struct dstor_entry *e)
{
	return le32_to_cpu(e->crc) == CRC_OF(e) && dstor_name_ok(e->name, sizeof(e->name)) &&
	       e->access <= DSTOR_ACCESS_WRITE &&
	       !(le32_to_cpu(e->disk_flags) & ~DSTOR_DISK_FLAGS_KNOWN) &&
	       is_zero(e->reserved, sizeof(e->reserved));
}

int dstor_algorithm_choose(const char *wanted, const char *offered, char chosen[DSTOR_ALGO_LEN])
{
	while (*wanted) {
		size_t n = dstor_word_len(wanted);

		if (n && n < DSTOR_ALGO_LEN && list_has(offered, wanted, n)) {
			memset(chosen, 0, DSTOR_ALGO_LEN);
			memcpy(chosen, wanted, n);
			return 0;
		}
		wanted += n + (wanted[n] == ',');
	}
	return -1;
}

const char *dstor_welcome_text(u8 status)
{
	static const char * const text[] = {
		[DSTOR_WELCOME_OK] = "ok",
		[DSTOR_WELCOME_WAIT] = "older writes are still draining",
		[DSTOR_WELCOME_MALFORMED] = "the exporter could not understand the hello",
		[DSTOR_WELCOME_NO_EXPORT] = "no such export",
		[DSTOR_WELCOME_DENIED] = "access denied by the exporter's --allow rules",
		[DSTOR_WELCOME_IN_USE] = "export is in use by another writing client",
		[DSTOR_WELCOME_STALE] = "a newer connection exists",
		[DSTOR_WELCOME_EXPIRED] = "this session has expired: it was replaced or forgotten",
		[DSTOR_WELCOME_EVICTED] = "this client was evicted",
		[DSTOR_WELCOME_ALGORITHM] = "no checksum or cipher in common",
		[DSTOR_WELCOME_STOPPING] = "the export is being stopped",
		[DSTOR_WELCOME_BUSY] = "the exporter is out of resources",
	};

	return status <= DSTOR_WELCOME_STATUS_MAX ? text[status] : "unknown answer";
}

const char *dstor_welcome_reason(struct dstor_welcome *w)
{
	if (!w->reason[0])
		return dstor_welcome_text(w->status);
	dstor_text_clean(w->reason);
	return w->reason;
}

const char *dstor_greeting_text(u8 status)
{
	switch (status) {
	case DSTOR_GREETING_OK:
		return "ok";
	case DSTOR_GREETING_VERSION:
		return "no protocol version in common";
	case DSTOR_GREETING_FEATURE:
		return "the other side lacks a required feature";
	case DSTOR_GREETING_KEY_REQUIRED:
		return "the exporter admits only clients with a key";
	case DSTOR_GREETING_REFUSED:
		return "authentication failed";
	case DSTOR_GREETING_BUSY:
		return "the exporter has too many connections in the handshake";
	}
	return "unknown answer";
}
