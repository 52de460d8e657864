// SPDX-License-Identifier: GPL-2.0
/*
 * dst down: removes the objects that the configuration file names, devices
 * first. One that cannot be removed stays, and does not stop the others.
 */
#include <stdio.h>

#include "child.h"
#include "choice.h"

const char help_down[] =
"Detaches and unexports what the configuration file names (/etc/dst/dst.conf).\n"
"What is not in it is left alone; what is in use stays, unless --force.\n"
"\n"
"  --dry-run        only print what would be done: - gone\n"
"  --export NAME    only the section of this export\n"
"  --device NAME    only the section of this device\n"
"  --force          even what is in use\n";

static int take_away(const struct config_section *s, bool force, struct reason *why)
{
	struct text_list args = { };
	int ret;

	text_list_add(&args, "%s", s->name);
	if (force)
		text_list_add(&args, "--force");
	if (s->kind == OBJECT_DEVICE)
		ret = child_run(cmd_detach, "detach", &args, why);
	else
		ret = child_run(cmd_unexport, "unexport", &args, why);
	text_list_free(&args);
	return ret;
}

/* In the opposite order of up. Returns how many stay; @why is the first's. */
static int down_objects(const struct choice *c, const struct config *config,
			const struct config_section *only, const struct info *info,
			struct reason *why)
{
	enum object_kind kind;
	struct reason what;
	int stay = 0;
	size_t i;

	for (kind = OBJECT_DEVICE; kind; kind >>= 1) {
		for (i = config->n; i--;) {
			const struct config_section *s = &config->sections[i];

			if (s->kind != kind || (only && s != only))
				continue;
			if (kind == OBJECT_DEVICE ? !info_device(info, s->name) :
						    !info_export(info, s->name))
				continue;
			if (!c->dry_run && take_away(s, c->force, &what)) {
				if (!stay++)
					refuse(why, "%s \"%s\": %.400s", object_name(kind),
					       s->name, what.text);
				continue;
			}
			printf("- %s %s\n", object_name(kind), s->name);
		}
	}
	return stay;
}

int cmd_down(int argc, char **argv)
{
	const struct config_section *only;
	struct info info = { };
	struct config config;
	struct reason why;
	struct choice c;
	int ret = choice_take(&c, argc, argv, "DF");

	if (ret)
		return ret;
	ret = choice_load(&c, &config, &only, &why);
	if (!ret)
		ret = choice_running(&info, &why);
	if (!ret)
		ret = down_objects(&c, &config, only, &info, &why);
	info_free(&info);
	config_free(&config);
	if (ret > 1)
		return fail("%s; %d more stay, too", why.text, ret - 1);
	return ret ? fail("%s", why.text) : 0;
}
