// SPDX-License-Identifier: GPL-2.0
/*
 * The lease of the writer, kept over a crash of the exporter (P15): one small
 * file for each export, written before the client is told. Without it a
 * restarted exporter would believe the first writer that comes, also one that
 * was replaced before the crash, and would give the lease away while its holder
 * is still on the way back.
 *
 * Under export->lock; sleeps. The file is opened in the context of whoever exports.
 */
#include <linux/fs.h>

#include "core/point.h"
#include "core/work.h"
#include "exporter/export.h"
#include "exporter/lease_file.h"
#include "wire/crc32c.h"
#include "wire/id.h"

#define MAGIC "DSTlease"

struct lease_record {
	u8 magic[8];
	u8 uuid[DSTOR_ID_LEN];		/* of the disk it is about */
	u8 session[DSTOR_ID_LEN];
	u8 client[DSTOR_ID_LEN];
	__le64 token;
	__le64 former;			/* accepted, too, until the holder has shown the token */
	__le64 budget_ms;
	char name[DSTOR_NAME_LEN];	/* of the client, for people */
	u8 held;
	u8 reserved[3];
	__le32 crc;
};

static __le32 crc_of(const struct lease_record *r)
{
	return cpu_to_le32(dstor_crc32c(r, offsetof(struct lease_record, crc)));
}

int dstor_lease_file_open(struct dstor_export *e, const char *path, struct dstor_error *err)
{
	struct lease_record r;
	loff_t pos = 0;
	struct file *file;
	ssize_t n;

	file = filp_open(path, O_RDWR | O_CREAT | O_DSYNC | O_NOFOLLOW | O_LARGEFILE, 0600);
	if (IS_ERR(file))
		return dstor_fail(err, PTR_ERR(file), "cannot open %s: error %ld", path,
				  -PTR_ERR(file));
	e->lease_file = file;
	n = kernel_read(file, &r, sizeof(r), &pos);
	if (n < 0)
		return dstor_fail(err, n, "cannot read %s: error %zd", path, -n);
	/* Empty, torn, or about another disk: nothing is known. */
	if (n != sizeof(r) || memcmp(r.magic, MAGIC, sizeof(r.magic)) || r.crc != crc_of(&r) ||
	    !dstor_id_equal(r.uuid, e->config.uuid))
		return 0;
	memcpy(e->lease.session, r.session, DSTOR_ID_LEN);
	memcpy(e->lease.client, r.client, DSTOR_ID_LEN);
	e->lease.token = le64_to_cpu(r.token);
	e->lease.former = le64_to_cpu(r.former);
	e->lease.budget_ms = le64_to_cpu(r.budget_ms);
	e->lease.held = r.held;
	dstor_lease_new_life(&e->lease, dstor_now_ms());
	memcpy(e->holder, r.name, sizeof(e->holder));
	e->holder[sizeof(e->holder) - 1] = 0;
	return 0;
}

int dstor_lease_file_save(struct dstor_export *e)
{
	struct lease_record r = {
		.token = cpu_to_le64(e->lease.token),
		.former = cpu_to_le64(e->lease.former),
		.budget_ms = cpu_to_le64(e->lease.budget_ms),
		.held = e->lease.held,
	};
	loff_t pos = 0;
	ssize_t n;

	lockdep_assert_held(&e->lock);
	if (!e->lease_file)
		return 0;
	memcpy(r.magic, MAGIC, sizeof(r.magic));
	memcpy(r.uuid, e->config.uuid, DSTOR_ID_LEN);
	memcpy(r.session, e->lease.session, DSTOR_ID_LEN);
	memcpy(r.client, e->lease.client, DSTOR_ID_LEN);
	memcpy(r.name, e->holder, sizeof(r.name));
	r.crc = crc_of(&r);
	n = dstor_point_fails(LEASE_SAVE);
	if (!n)
		n = kernel_write(e->lease_file, &r, sizeof(r), &pos);
	if (n == sizeof(r))
		n = vfs_fsync(e->lease_file, 1);
	else if (n >= 0)
		n = -EIO;
	if (n)
		pr_err("dstor: export %s: the lease cannot be kept: error %zd\n", e->name, -n);
	return n;
}

void dstor_lease_file_close(struct dstor_export *e)
{
	if (e->lease_file)
		fput(e->lease_file);
	e->lease_file = NULL;
}
