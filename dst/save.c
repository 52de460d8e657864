// SPDX-License-Identifier: GPL-2.0
/*
 * dst save: writes what runs as a configuration file. Keys the module does not
 * tell, not even the names of their files: those of devices come from the file
 * that is there already.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "choice.h"
#include "values.h"

const char help_save[] =
"Writes what runs to the configuration file (/etc/dst/dst.conf), for dst up.\n"
"The file that was there stays as FILE.old; from it come the key= of devices.\n"
"\n"
"  FILE       another file; - for standard output\n";

static void save_size(FILE *f, const char *key, u64 bytes)
{
	struct text t = size_text(bytes);
	u64 same;

	/* Only if nothing is rounded. */
	if (!parse_size(t.s, &same, NULL) && same == bytes)
		fprintf(f, "%s = %s\n", key, t.s);
	else
		fprintf(f, "%s = %llu\n", key, (unsigned long long)bytes);
}

static void save_time(FILE *f, const char *key, u32 ms, u32 otherwise)
{
	if (ms == otherwise)
		return;
	if (ms % 1000)
		fprintf(f, "%s = %ums\n", key, ms);
	else
		fprintf(f, "%s = %us\n", key, ms / 1000);
}

static void save_texts(FILE *f, const char *key, const struct text_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		fprintf(f, "%s = %s\n", key, l->text[i]);
}

static bool listens_anywhere(const struct text_list *l)
{
	return l->n == 1 && (!strcmp(l->text[0], "dst://[::]") ||
			     !strcmp(l->text[0], "dst://0.0.0.0"));
}

static void save_export(FILE *f, const struct export_info *e)
{
	fprintf(f, "\n[export %s]\npath = %s\n", e->name, e->path);
	save_texts(f, "allow", &e->rules);
	if (!listens_anywhere(&e->listen))
		save_texts(f, "listen", &e->listen);
	if (e->flags & DSTOR_EXPORT_READ_ONLY)
		fputs("read-only = yes\n", f);
	if (e->flags & DSTOR_EXPORT_SHARED)
		fputs("shared = yes\n", f);
	if (e->flags & DSTOR_EXPORT_WRITE_THROUGH)
		fputs("write-through = yes\n", f);
	if (e->max_inflight != 64ULL << 20)
		save_size(f, "max-inflight", e->max_inflight);
	if (e->checksums[0] && strcmp(e->checksums, "crc32c"))
		fprintf(f, "checksum = %s\n", e->checksums);
	if (e->ciphers[0])
		fprintf(f, "cipher = %s\n", e->ciphers);
}

static void save_device(FILE *f, const struct device_info *d, const struct config_section *before)
{
	const char *key = before ? config_value(before, "key", NULL) : NULL;

	fprintf(f, "\n[device %s]\nuri = %s\n", d->name, d->uri);
	if (key)
		fprintf(f, "key = %s\n", key);
	else if (d->cipher[0] && strcmp(d->cipher, "none"))
		fputs("# It has a key; name its file here: key = /etc/dst/...\n", f);
	save_time(f, "timeout", d->timeout_ms, 5000);
	if (d->retries == DST_RETRIES_FOREVER)
		fputs("retries = forever\n", f);
	else if (d->retries != 24)
		fprintf(f, "retries = %u\n", d->retries);
	save_time(f, "ping", d->ping_ms, 1000);
	fprintf(f, "connections = %u\n", d->connections);
	if (d->queue_depth != 128)
		fprintf(f, "queue-depth = %u\n", d->queue_depth);
	if (d->max_io != DST_IO_MAX)
		save_size(f, "max-io", d->max_io);
	if (d->read_only)
		fputs("read-only = yes\n", f);
	if (!d->cipher[0] && strcmp(d->checksum, "crc32c"))
		fprintf(f, "checksum = %s\n", d->checksum[0] ? d->checksum : "none");
	if (d->cipher[0] && strcmp(d->cipher, "none"))
		fprintf(f, "cipher = %s\n", d->cipher);
}

static void write_all(FILE *f, const struct info *info, const struct config *before)
{
	size_t i;

	fputs("# Written by dst save; dst.conf(5) says what may stand here.\n", f);
	for (i = 0; i < info->n_exports; i++)
		save_export(f, &info->exports[i]);
	for (i = 0; i < info->n_devices; i++)
		save_device(f, &info->devices[i],
			    config_find(before, CONFIG_DEVICE, info->devices[i].name));
}

/* Either the whole new file is there or the old one. */
static int replace(const char *file, const struct info *info, const struct config *before,
		   struct reason *why)
{
	char new[PATH_MAX], old[PATH_MAX];
	FILE *f = NULL;
	bool done;
	int fd;

	if (snprintf(new, sizeof(new), "%s.new", file) >= (int)sizeof(new) ||
	    snprintf(old, sizeof(old), "%s.old", file) >= (int)sizeof(old))
		return refuse(why, "the name of the file is too long");
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		f = fdopen(fd, "w");
	if (!f)
		return refuse(why, "cannot write %.300s: %s", new, strerror(errno));
	write_all(f, info, before);
	done = !fflush(f) && !ferror(f) && !fsync(fd);
	done = !fclose(f) && done;
	if (done && unlink(old) && errno != ENOENT)
		done = false;
	if (done && link(file, old) && errno != ENOENT)
		done = false;
	if (done && !rename(new, file))
		return 0;
	refuse(why, "cannot write %.300s: %s", file, strerror(errno));
	unlink(new);
	return -1;
}

int cmd_save(int argc, char **argv)
{
	const char *file = CONFIG_FILE;
	struct config before = { };
	struct info info = { };
	struct reason why;
	struct choice c;
	int ret = choice_take(&c, argc, argv, "");

	if (ret)
		return ret;
	if (c.name)
		return bad_usage("everything is saved, or nothing (dst save --help)");
	file = c.file;
	ret = choice_running(&info, &why);
	if (!ret && !strcmp(file, "-")) {
		config_load(CONFIG_FILE, &before, NULL);
		write_all(stdout, &info, &before);
	} else if (!ret) {
		if (!access(file, F_OK))
			ret = config_load(file, &before, &why);
		if (!strcmp(file, CONFIG_FILE))
			mkdir("/etc/dst", 0755);
		if (!ret)
			ret = replace(file, &info, &before, &why);
	}
	config_free(&before);
	info_free(&info);
	return ret ? fail("%s", why.text) : 0;
}
