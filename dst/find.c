// SPDX-License-Identifier: GPL-2.0
/*
 * Finds what was shown by its name. The module shows names in order, so that a
 * thousand of them need no walk. Pure.
 */
#include <stdlib.h>

#include "info.h"

static int by_name(const void *name, const void *object)
{
	/* It is the first member of both. */
	return strcmp(name, object);
}

const struct export_info *info_export(const struct info *info, const char *name)
{
	return info->n_exports ? bsearch(name, info->exports, info->n_exports,
					 sizeof(*info->exports), by_name) : NULL;
}

const struct device_info *info_device(const struct info *info, const char *name)
{
	return info->n_devices ? bsearch(name, info->devices, info->n_devices,
					 sizeof(*info->devices), by_name) : NULL;
}
