// SPDX-License-Identifier: GPL-2.0
/* 7.x: kernel threads have an empty root of their own, not that of init. */
#include <linux/fs_struct.h>

int probe(void);
int probe(void)
{
	scoped_with_init_fs()
		return current->fs->users;
	return 0;
}
