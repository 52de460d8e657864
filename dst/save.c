// SPDX-License-Identifier: GPL-2.0
/*
 * dst save: writes the running configuration as a file, option by option of the
 * table in options.c. The module does not show a device's key, not even the
 * name of its file: attach keeps that (attached.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attached.h"
#include "choice.h"
#include "save.h"

const char help_save[] =
"Writes what runs to the configuration file (/etc/dst/dst.conf), for dst up.\n"
"The file that was there stays as FILE.old.\n"
"\n"
"  FILE       another file; - for standard output\n";

/* The values of @o to write; none where up would do the same without it. */
static void save_texts(const struct option_spec *o, const void *object,
		       const struct config_section *told, struct text_list *l)
{
	const char *text = told ? options_text(&told->values, o->name, NULL) : NULL;

	if (o->flags & (OPTION_COMMAND | OPTION_ACTION) || !option_applies(o, object) ||
	    (o->flags & OPTION_KEYED && !info_has_key(o->kind, object)))
		return;
	if (o->flags & OPTION_UNSEEN) {
		if (text)
			text_list_add(l, "%s", text);
		return;
	}
	option_shown(o, object, l);
	/* Exactly the default, even where up would accept less. */
	if (o->standard && l->n == 1 && !strcmp(l->text[0], o->standard))
		text_list_free(l);
}

/* @told: a section with what the module does not show, or NULL */
static void save_object(FILE *f, enum object_kind kind, const char *name, const void *object,
			const struct config_section *told)
{
	const struct option_spec *o = NULL;
	struct text_list l;
	size_t i;

	fprintf(f, "\n[%s %s]\n", object_name(kind), name);
	while ((o = option_next(o, kind))) {
		l = (struct text_list){ };
		save_texts(o, object, told, &l);
		for (i = 0; i < l.n; i++)
			fprintf(f, "%s = %s\n", o->name, l.text[i]);
		text_list_free(&l);
	}
	if (kind == OBJECT_DEVICE && info_has_key(kind, object) &&
	    (!told || !options_get(&told->values, "key")))
		fputs("# It has a key; name its file here: key = /etc/dst/...\n", f);
}

void save_write(FILE *f, const struct info *info, const struct config *before,
		const char *folder)
{
	size_t i;

	fputs("# Written by dst save; dst.conf(5) says what may stand here.\n", f);
	for (i = 0; i < info->n_exports; i++)
		save_object(f, OBJECT_EXPORT, info->exports[i].name, &info->exports[i], NULL);
	for (i = 0; i < info->n_devices; i++) {
		const char *name = info->devices[i].name;
		const struct config_section *told;
		struct config kept;

		told = attached_load(folder, name, &kept);
		save_object(f, OBJECT_DEVICE, name, &info->devices[i],
			    told ? told : config_find(before, OBJECT_DEVICE, name));
		config_free(&kept);
	}
}

/* Either the whole new file is there or the old one. */
static int save_replace(const char *file, const struct info *info, const struct config *before,
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
		return refuse_errno(why, errno, "cannot write %.300s", new);
	save_write(f, info, before, ATTACHED_FOLDER);
	done = !fflush(f) && !ferror(f) && !fsync(fd);
	done = !fclose(f) && done;
	if (done && unlink(old) && errno != ENOENT)
		done = false;
	if (done && link(file, old) && errno != ENOENT)
		done = false;
	if (done && !rename(new, file))
		return 0;
	refuse_errno(why, errno, "cannot write %.300s", file);
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
		save_write(stdout, &info, &before, ATTACHED_FOLDER);
	} else if (!ret) {
		if (!access(file, F_OK))
			ret = config_load(file, &before, &why);
		if (!strcmp(file, CONFIG_FILE))
			mkdir("/etc/dst", 0755);
		if (!ret)
			ret = save_replace(file, &info, &before, &why);
	}
	config_free(&before);
	info_free(&info);
	return ret ? fail("%s", why.text) : 0;
}
