/* SPDX-License-Identifier: GPL-2.0 */
/* The output of dst show, one file for each form of it. */
#ifndef DST_SHOW_H
#define DST_SHOW_H

#include "info.h"

/* show_table.c */
/* @identities: with a line that says which exporter and which disk each is */
void show_table(const struct info *info, bool identities);
/* Rates between @then and @now, which are @ms apart; @then NULL: nothing is known yet. */
void show_rates(const struct info *now, const struct info *then, u64 ms);

/* show_json.c */
void show_json(const struct info *info, bool pretty);

/* show_prometheus.c */
void show_prometheus(const struct info *info);

/* show_why.c */
void show_why(const struct device_info *d);

#endif
