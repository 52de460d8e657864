// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of exports, under /var/lib/dst. P5 rests on it: the instance may
 * stay only when no volatile cache can have been lost since it was chosen, so
 * when in doubt (a crash, no file) there is a new one. P6 rests on it: a disk
 * keeps its UUID, another disk gets another.
 *
 * A file is replaced in one step (write, fsync, rename, fsync), under a lock of
 * its name. Called by export and unexport.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "id.h"
#include "primitives.h"
#include "export_state.h"
#include "values.h"

#define FORMAT "dst-export-state 1"
#define NO_BOOT "none"

/*
 * Derived from what is random: the same disk gets the same UUID again, and machines that
 * were cloned before their first export, disks included, get different ones.
 */
static void make_uuid(const struct state *s, const struct state_start *start,
		      u8 uuid[DSTOR_ID_LEN])
{
	char text[2 * DISK_IDENTITY_LEN];
	u8 digest[DSTOR_HASH_LEN];

	snprintf(text, sizeof(text), "dst export\n%s\n%s\n%s", hex_text(s->exporter).s,
		 start->name, start->identity);
	sha256(text, strlen(text), digest);
	memcpy(uuid, digest, DSTOR_ID_LEN);
	/* RFC 9562: version 8 (our own making), variant 1 */
	uuid[6] = (uuid[6] & 0x0f) | 0x80;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static void choose_disk(struct state *s, const struct state_start *start)
{
	struct state_disk d = { };
	unsigned int i;

	for (i = 0; i < s->n && strcmp(s->disks[i].identity, start->identity); i++)
		;
	if (i < s->n) {
		d = s->disks[i];
	} else {
		copy_text(d.identity, sizeof(d.identity), start->identity);
		make_uuid(s, start, d.uuid);
		if (s->n < STATE_DISKS_MAX)
			s->n++;
		i = s->n - 1;
	}
	memmove(s->disks + 1, s->disks, i * sizeof(*s->disks));
	s->disks[0] = d;
}

bool state_is_foreign(const struct state *s, const char *hardware)
{
	return s->hardware[0] && hardware[0] && strcmp(s->hardware, hardware);
}

void state_begin(struct state *s, const struct state_start *start, u64 *token)
{
	if (dstor_id_is_zero(s->exporter))
		memcpy(s->exporter, start->fresh + DSTOR_ID_LEN, DSTOR_ID_LEN);
	copy_text(s->hardware, sizeof(s->hardware), start->hardware);
	if (dstor_id_is_zero(s->instance) || (!s->clean && strcmp(s->boot, start->boot)))
		memcpy(s->instance, start->fresh, DSTOR_ID_LEN);
	copy_text(s->boot, sizeof(s->boot), start->boot);
	s->clean = false;
	choose_disk(s, start);
	*token = s->disks[0].token;
	s->disks[0].token = 0;
}

void state_end(struct state *s, u64 token)
{
	s->clean = true;
	if (s->n)
		s->disks[0].token = token;
}

void state_lost(struct state *s)
{
	copy_text(s->boot, sizeof(s->boot), NO_BOOT);
	s->clean = false;
}

void state_format(const struct state *s, char text[STATE_TEXT_MAX])
{
	unsigned int i;
	int n;

	n = snprintf(text, STATE_TEXT_MAX, FORMAT "\nboot %s\ninstance %s\nclean %d\n", s->boot,
		     hex_text(s->instance).s, s->clean);
	if (!dstor_id_is_zero(s->exporter))
		n += snprintf(text + n, STATE_TEXT_MAX - n, "exporter %s\n",
			      hex_text(s->exporter).s);
	if (s->hardware[0])
		n += snprintf(text + n, STATE_TEXT_MAX - n, "hardware %s\n", s->hardware);
	for (i = 0; i < s->n; i++)
		n += snprintf(text + n, STATE_TEXT_MAX - n, "disk %s %016llx %s\n",
			      hex_text(s->disks[i].uuid).s,
			      (unsigned long long)s->disks[i].token, s->disks[i].identity);
}

/* "UUID TOKEN IDENTITY" */
static bool parse_disk(char *value, struct state *s)
{
	struct state_disk *d = &s->disks[s->n];
	char *token = strchr(value, ' '), *identity = token ? strchr(token + 1, ' ') : NULL;
	u8 bytes[8];
	int i;

	if (!identity || s->n == STATE_DISKS_MAX || strlen(identity + 1) >= sizeof(d->identity))
		return false;
	*token++ = '\0';
	*identity++ = '\0';
	if (!parse_hex(value, d->uuid, DSTOR_ID_LEN) || !parse_hex(token, bytes, sizeof(bytes)) ||
	    dstor_id_is_zero(d->uuid) || !*identity)
		return false;
	for (d->token = 0, i = 0; i < 8; i++)
		d->token = d->token << 8 | bytes[i];
	copy_text(d->identity, sizeof(d->identity), identity);
	s->n++;
	return true;
}

static bool parse_value(const char *key, char *value, struct state *s)
{
	if (!strcmp(key, "boot") && strlen(value) < sizeof(s->boot))
		copy_text(s->boot, sizeof(s->boot), value);
	else if (!strcmp(key, "instance"))
		return parse_hex(value, s->instance, DSTOR_ID_LEN) &&
		       !dstor_id_is_zero(s->instance);
	else if (!strcmp(key, "exporter"))
		return parse_hex(value, s->exporter, DSTOR_ID_LEN) &&
		       !dstor_id_is_zero(s->exporter);
	else if (!strcmp(key, "hardware") && strlen(value) < sizeof(s->hardware))
		copy_text(s->hardware, sizeof(s->hardware), value);
	else if (!strcmp(key, "clean") && (!strcmp(value, "0") || !strcmp(value, "1")))
		s->clean = *value == '1';
	else if (!strcmp(key, "disk"))
		return parse_disk(value, s);
	else
		return false;
	return true;
}

int state_parse(char *text, struct state *s, struct reason *why)
{
	char *line, *value, *next = text;
	int number = 0;

	memset(s, 0, sizeof(*s));
	while ((line = strsep(&next, "\n")) && (*line || next)) {
		if (!number++) {
			if (strcmp(line, FORMAT))
				return refuse(why, "it is not of this version");
			continue;
		}
		value = strchr(line, ' ');
		if (!value)
			return refuse(why, "line %d is damaged", number);
		*value++ = '\0';
		if (!parse_value(line, value, s))
			return refuse(why, "line %d is damaged", number);
	}
	/* A file that was cut off at a line's end would hide that something is missing. */
	if (!s->boot[0] || dstor_id_is_zero(s->instance) || !s->n)
		return refuse(why, "it is incomplete");
	return 0;
}

/* One lock file serves all names: each locks a byte of its own, as far as the hash goes. */
static off_t lock_offset(const char *name)
{
	u8 digest[DSTOR_HASH_LEN];

	sha256(name, strlen(name), digest);
	return (off_t)digest[0] << 16 | digest[1] << 8 | digest[2];
}

int state_open(struct state_file *f, const char *folder, const char *name, struct reason *why)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	f->lock = -1;
	snprintf(f->name, sizeof(f->name), "export-%s", name);
	snprintf(f->path, sizeof(f->path), "%s/%s", folder, f->name);
	if (mkdir(folder, 0700) && errno != EEXIST)
		return refuse_errno(why, errno, "cannot make %s, where exports are remembered",
				    folder);
	f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return refuse_errno(why, errno, "cannot open %s, where exports are remembered",
				    folder);
	l.l_start = lock_offset(name);
	f->lock = openat(f->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->lock < 0 || fcntl(f->lock, F_OFD_SETLKW, &l)) {
		refuse_errno(why, errno, "cannot write to %s, where exports are remembered",
			     folder);
		state_close(f);
		return -1;
	}
	return 0;
}

void state_close(struct state_file *f)
{
	if (f->lock >= 0)
		close(f->lock);
	close(f->folder);
}

int state_load(struct state_file *f, struct state *s, struct reason *why)
{
	char text[STATE_TEXT_MAX];
	struct reason what;
	ssize_t n;
	int fd;

	memset(s, 0, sizeof(*s));
	fd = openat(f->folder, f->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		refuse_errno(why, errno, "cannot read %s", f->path);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	text[n] = '\0';
	if (state_parse(text, s, &what))
		return refuse(why, "cannot use %s (%s); restore or remove it: without, %s", f->path,
			      what.text, "the export begins anew");
	return 1;
}

/* No export's name begins with a dot. */
#define LEASE_NAME ".lease-%s"
/* What the module takes for a lease of which nothing is known yet. */
#define LEASE_FRESH "DSTfresh"

void state_lease_path(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, STATE_FOLDER "/" LEASE_NAME, name);
}

static bool write_all(int fd, const char *text)
{
	size_t n = strlen(text);

	return write(fd, text, n) == (ssize_t)n;
}

/* After a crash there is the former file, or the new one, in whole. */
static bool replace_file(const struct state_file *f, const char *name, const char *text)
{
	char new[sizeof(f->name) + 16];
	int fd, error;
	bool done;

	snprintf(new, sizeof(new), ".%s.new", f->name);
	fd = openat(f->folder, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	done = fd >= 0 && write_all(fd, text) && !fsync(fd);
	if (fd >= 0 && close(fd))
		done = false;
	if (done && !renameat(f->folder, new, f->folder, name) && !fsync(f->folder))
		return true;
	error = errno;
	unlinkat(f->folder, new, 0);
	errno = error;
	return false;
}

int state_save(struct state_file *f, const struct state *s, struct reason *why)
{
	char text[STATE_TEXT_MAX];

	state_format(s, text);
	return replace_file(f, f->name, text) ? 0 :
	       refuse_errno(why, errno, "cannot write %s", f->path);
}

int state_make_lease(struct state_file *f, struct reason *why)
{
	char name[sizeof(f->name) + 8];

	snprintf(name, sizeof(name), LEASE_NAME, f->name + strlen("export-"));
	if (!faccessat(f->folder, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (errno == ENOENT && replace_file(f, name, LEASE_FRESH))
		return 0;
	return refuse_errno(why, errno, "cannot make %s/%s", STATE_FOLDER, name);
}

int state_remove(struct state_file *f)
{
	return unlinkat(f->folder, f->name, 0);
}
