// SPDX-License-Identifier: GPL-2.0
/*
 * The lease of the writer, kept over a crash of the exporter (P15): one small
 * file for each export, written before the client is told. Without it a
 * restarted exporter would believe the first writer that comes, also one that
 * was replaced before the crash, and would give the lease away while its holder
 * is still on the way back.
 *
 * The file has two records, and the one with the higher number counts. Each save
 * overwrites the other one, so a save that a crash tears loses nothing: it was not
 * yet told to anybody. A file that was made says so, by a word of its own; one
 * without a record and without that word is damaged, and is not believed.
 *
 * A save runs in a work and without export->lock: the disk that has the file may be
 * another than the exported one, and hang by itself. The file is opened in the context
 * of whoever exports.
 */
#include <linux/fs.h>
#include <linux/sched/mm.h>

#include "core/point.h"
#include "core/work.h"
#include "exporter/export.h"
#include "exporter/lease_file.h"
#include "exporter/session.h"
#include "wire/crc32c.h"
#include "wire/hello.h"
#include "wire/id.h"

#define MAGIC "DSTleas3"
#define MAGIC_2 "DSTleas2"	/* without what the holder keeps */
#define FRESH "DSTfresh"	/* by dst export, in one step: nothing is known yet */
#define FORMER_MAGIC "DSTlease"	/* one record, as versions before this one had it */
#define RECORD_STEP 4096	/* no two records in one block of a disk */

struct lease_record {
	u8 magic[8];
	__le64 number;			/* of the save, from 1 */
	u8 uuid[DSTOR_ID_LEN];		/* of the disk it is about */
	u8 session[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	__le64 token;
	__le64 former;			/* accepted, too, until the holder has shown the token */
	__le64 budget_ms;
	__le64 silence_ms;
	char name[DSTOR_NAME_LEN];	/* of the client, for people */
	char address[DSTOR_TEXT_LEN];	/* likewise */
	char rule_client[DSTOR_NAME_LEN]; /* as the rule named it that its key passed */
	u8 fingerprint[DSTOR_ID_LEN];	/* of its key */
	u8 has_key;
	u8 held;
	u8 keeps;			/* of struct dstor_replay_gate, as the next two */
	u8 late;
	u8 whole[DSTOR_ID_LEN];
	__le32 crc;
};

static_assert(sizeof(struct lease_record) <= 512);

struct former_record {
	u8 magic[8];
	u8 uuid[DSTOR_ID_LEN];
	u8 session[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	__le64 token;
	__le64 former;
	__le64 budget_ms;
	char name[DSTOR_NAME_LEN];
	u8 held;
	u8 reserved[3];
	__le32 crc;
};

static __le32 crc_of(const struct lease_record *r)
{
	return cpu_to_le32(dstor_crc32c(r, offsetof(struct lease_record, crc)));
}

static bool is_record(const struct lease_record *r)
{
	return !memcmp(r->magic, MAGIC, sizeof(r->magic)) && r->crc == crc_of(r);
}

/* The second kind ends where the third goes on, and has zeroes for keeps and late. */
static void convert_2(struct lease_record *r)
{
	const size_t len = offsetof(struct lease_record, whole);
	__le32 crc;

	memcpy(&crc, r->whole, sizeof(crc));
	if (memcmp(r->magic, MAGIC_2, sizeof(r->magic)) ||
	    crc != cpu_to_le32(dstor_crc32c(r, len)))
		return;
	memcpy(r->magic, MAGIC, sizeof(r->magic));
	memset(r->whole, 0, DSTOR_ID_LEN);
	r->crc = crc_of(r);
}

/* Makes a record of a former one: with the number 0, and without what that does not know. */
static void convert_former(struct lease_record *r)
{
	struct former_record f;

	memcpy(&f, r, sizeof(f));
	if (memcmp(f.magic, FORMER_MAGIC, sizeof(f.magic)) ||
	    f.crc != cpu_to_le32(dstor_crc32c(&f, offsetof(struct former_record, crc))))
		return;
	memset(r, 0, sizeof(*r));
	memcpy(r->magic, MAGIC, sizeof(r->magic));
	memcpy(r->uuid, f.uuid, DSTOR_ID_LEN);
	memcpy(r->session, f.session, DSTOR_ID_LEN);
	memcpy(r->client, f.client, DSTOR_ID_LEN);
	r->token = f.token;
	r->former = f.former;
	r->budget_ms = f.budget_ms;
	memcpy(r->name, f.name, sizeof(r->name));
	r->held = f.held;
	r->crc = crc_of(r);
}

static void take_record(struct dstor_export *e, const struct lease_record *r)
{
	struct dstor_export_holder *h = &e->holder;

	memcpy(e->lease.session, r->session, DSTOR_ID_LEN);
	memcpy(e->lease.client, r->client, DSTOR_ID_LEN);
	e->lease.token = le64_to_cpu(r->token);
	e->lease.former = le64_to_cpu(r->former);
	e->lease.budget_ms = le64_to_cpu(r->budget_ms);
	e->lease.silence_ms = le64_to_cpu(r->silence_ms);
	e->lease.held = r->held;
	dstor_lease_new_life(&e->lease, dstor_now_ms());
	strscpy(h->name, r->name, sizeof(h->name));
	strscpy(h->address, r->address, sizeof(h->address));
	dstor_text_clean(h->name);
	dstor_text_clean(h->address);
	strscpy(h->peer_id.client, r->rule_client, sizeof(h->peer_id.client));
	memcpy(h->peer_id.fingerprint, r->fingerprint, DSTOR_ID_LEN);
	h->peer_id.has_key = r->has_key;
	h->gate.keeps = r->keeps;
	h->gate.late = r->late;
	memcpy(h->gate.whole, r->whole, DSTOR_ID_LEN);
}

static void fill_record(const struct dstor_export *e, struct lease_record *r)
{
	const struct dstor_export_holder *h = &e->holder;

	memset(r, 0, sizeof(*r));
	memcpy(r->magic, MAGIC, sizeof(r->magic));
	r->number = cpu_to_le64(e->lease_file.number + 1);
	memcpy(r->uuid, e->config.uuid, DSTOR_ID_LEN);
	/* One that is evicted drains in this life; a next one knows nothing of it. */
	r->held = dstor_lease_outlives(&e->lease);
	if (r->held) {
		memcpy(r->session, e->lease.session, DSTOR_ID_LEN);
		r->keeps = h->gate.keeps;
		r->late = h->gate.late;
		memcpy(r->whole, h->gate.whole, DSTOR_ID_LEN);
	}
	memcpy(r->client, e->lease.client, DSTOR_ID_LEN);
	r->token = cpu_to_le64(e->lease.token);
	r->former = cpu_to_le64(e->lease.former);
	r->budget_ms = cpu_to_le64(e->lease.budget_ms);
	r->silence_ms = cpu_to_le64(e->lease.silence_ms);
	strscpy(r->name, h->name, sizeof(r->name));
	strscpy(r->address, h->address, sizeof(r->address));
	strscpy(r->rule_client, h->peer_id.client, sizeof(r->rule_client));
	memcpy(r->fingerprint, h->peer_id.fingerprint, DSTOR_ID_LEN);
	r->has_key = h->peer_id.has_key;
	r->crc = crc_of(r);
}

static int write_at(struct file *file, const void *data, size_t len, loff_t pos)
{
	ssize_t n = dstor_point_fails(LEASE_SAVE);

	if (!n)
		n = kernel_write(file, data, len, &pos);
	if (n == len)
		return vfs_fsync(file, 1);
	return n < 0 ? n : -EIO;
}

static int lease_file_read(struct dstor_export *e, const char *path, struct dstor_error *err)
{
	struct lease_record r[2] = { };
	const struct lease_record *best = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(r); i++) {
		loff_t pos = i * RECORD_STEP;
		ssize_t n = kernel_read(e->lease_file.file, &r[i], sizeof(r[i]), &pos);

		if (n < 0)
			return dstor_fail(err, n, "cannot read %s: error %zd", path, -n);
		convert_former(&r[i]);
		convert_2(&r[i]);
		if (is_record(&r[i]) &&
		    (!best || le64_to_cpu(r[i].number) > le64_to_cpu(best->number)))
			best = &r[i];
	}
	if (!best && memcmp(r[0].magic, FRESH, sizeof(r[0].magic)))
		return dstor_fail(err, -EUCLEAN,
				  "%s is damaged: who wrote last is not known; see that no former client writes, then remove it",
				  path);
	if (!best)
		return 0;
	e->lease_file.number = le64_to_cpu(best->number);
	/* About another disk: nothing is known. */
	if (dstor_id_equal(best->uuid, e->config.uuid))
		take_record(e, best);
	return 0;
}

/*
 * dst export has made it, in one step. One of a former release has not: a crash before
 * the word is written leaves a file that the next export refuses.
 */
static struct file *open_or_make(const char *path)
{
	const int flags = O_RDWR | O_DSYNC | O_NOFOLLOW | O_LARGEFILE;
	struct file *file = filp_open(path, flags, 0);
	int ret;

	if (PTR_ERR_OR_ZERO(file) != -ENOENT)
		return file;
	file = filp_open(path, flags | O_CREAT | O_EXCL, 0600);
	if (IS_ERR(file))
		return file;
	ret = write_at(file, FRESH, sizeof(FRESH) - 1, 0);
	if (!ret)
		return file;
	fput(file);
	return ERR_PTR(ret);
}

int dstor_lease_file_open(struct dstor_export *e, const char *path, struct dstor_error *err)
{
	struct file *file = open_or_make(path);

	if (IS_ERR(file))
		return dstor_fail(err, PTR_ERR(file), "cannot open %s: error %ld", path,
				  -PTR_ERR(file));
	e->lease_file.file = file;
	return lease_file_read(e, path, err);
}

/* One change is written as it is now. Under export->lock, which it releases meanwhile. */
static void save_once(struct dstor_export *e)
{
	u32 change = e->lease_file.changes;
	struct lease_record r;
	int ret;

	fill_record(e, &r);
	mutex_unlock(&e->lock);
	/* Until it is complete the record before it counts, which stays as it is. */
	ret = write_at(e->lease_file.file, &r, sizeof(r),
		       (le64_to_cpu(r.number) & 1) * RECORD_STEP);
	mutex_lock(&e->lock);
	if (!ret)
		e->lease_file.number++;
	if (ret && ret != e->lease_file.error)
		pr_err("dstor: export %s: the lease cannot be kept: error %d\n", e->name, -ret);
	else if (!ret && e->lease_file.error)
		pr_info("dstor: export %s: the lease is kept again\n", e->name);
	e->lease_file.error = ret;
	WRITE_ONCE(e->lease_file.tried, change);
}

static void save_work(struct work_struct *work)
{
	struct dstor_export *e = container_of(work, struct dstor_export, lease_file.save);
	/* The client may be this machine, and wait for its grant to free memory. */
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&e->lock);
	while (e->lease_file.tried != e->lease_file.changes)
		save_once(e);
	e->lease_file.saved(e);
	wake_up_all(&e->wait);
	mutex_unlock(&e->lock);
	memalloc_noio_restore(noio);
}

void dstor_lease_file_init(struct dstor_export *e, void (*saved)(struct dstor_export *e))
{
	INIT_WORK(&e->lease_file.save, save_work);
	e->lease_file.saved = saved;
}

void dstor_lease_file_save(struct dstor_export *e)
{
	lockdep_assert_held(&e->lock);
	if (!e->lease_file.file)
		return;
	WRITE_ONCE(e->lease_file.changes, e->lease_file.changes + 1);
	queue_work(dstor_lease_wq, &e->lease_file.save);
}

bool dstor_lease_file_grant(struct dstor_export *e, struct dstor_session *s,
			    const struct dstor_lease *before,
			    const struct dstor_export_holder *holder_before)
{
	struct dstor_lease_file *f = &e->lease_file;

	if (!f->file)
		return false;
	WARN_ON_ONCE(f->granting);
	kref_get(&s->kref);
	f->granting = s;
	f->before = *before;
	f->holder_before = *holder_before;
	f->writer_before = s->writer;
	s->writer = true;
	dstor_lease_file_save(e);
	return true;
}

bool dstor_lease_file_idle(const struct dstor_export *e)
{
	return READ_ONCE(e->lease_file.tried) == READ_ONCE(e->lease_file.changes);
}

bool dstor_lease_file_is_saved(const struct dstor_export *e)
{
	return dstor_lease_file_idle(e) && !e->lease_file.error;
}

void dstor_lease_file_retry(struct dstor_export *e)
{
	/* When the export is stopped its writer has not left: see drop_lease(). */
	if (e->lease_file.error && !e->stopping && dstor_lease_file_idle(e))
		dstor_lease_file_save(e);
}

void dstor_lease_file_flush(struct dstor_export *e)
{
	flush_work(&e->lease_file.save);
}

void dstor_lease_file_close(struct dstor_export *e)
{
	dstor_lease_file_flush(e);
	if (e->lease_file.file)
		fput(e->lease_file.file);
	e->lease_file.file = NULL;
}
