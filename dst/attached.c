// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps what the module does not show of a device (OPTION_UNSEEN), in the format
 * of dst.conf. A device ends with the machine, and so does /run. Nothing of it is
 * needed for the device to work: failures are not reported. Called by attach,
 * detach, save.
 */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attached.h"

static void attached_path(char path[PATH_MAX], const char *folder, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

static bool attached_is_needed(const struct option_values *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->value[i].option->flags & OPTION_UNSEEN)
			return true;
	return false;
}

/* @path, and a folder for it at the end, without complaint if it is there. */
static void attached_make_folder(const char *folder)
{
	char path[PATH_MAX];
	char *p;

	snprintf(path, sizeof(path), "%s", folder);
	for (p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	mkdir(path, 0755);
}

void attached_keep(const char *folder, const char *name, const struct option_values *v)
{
	char path[PATH_MAX];
	bool done;
	FILE *f;
	size_t i;

	attached_forget(folder, name);
	if (!attached_is_needed(v))
		return;
	attached_make_folder(folder);
	attached_path(path, folder, name);
	f = fopen(path, "wxe");
	if (!f)
		return;
	fprintf(f, "[device %s]\n", name);
	for (i = 0; i < v->n; i++)
		if (v->value[i].option->flags & (OPTION_UNSEEN | OPTION_NEEDED))
			fprintf(f, "%s = %s\n", v->value[i].option->name, v->value[i].text);
	done = !ferror(f);
	if (fclose(f) || !done)
		unlink(path);
}

void attached_forget(const char *folder, const char *name)
{
	char path[PATH_MAX];

	attached_path(path, folder, name);
	unlink(path);
}

const struct config_section *attached_load(const char *folder, const char *name,
					   struct config *c)
{
	char path[PATH_MAX];

	attached_path(path, folder, name);
	if (config_load(path, c, NULL))
		return NULL;
	return config_find(c, OBJECT_DEVICE, name);
}
