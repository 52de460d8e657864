// SPDX-License-Identifier: GPL-2.0
/*
 * Loads kernel modules by modprobe, which respects the blacklist of the
 * administrator. Called where a module has to be there first.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dst.h"
#include "module.h"

void module_load(const char *name)
{
	char * const argv[] = { "modprobe", "-q", (char *)name, NULL };
	static const char * const places[] = { "/sbin/modprobe", "/usr/sbin/modprobe" };
	posix_spawn_file_actions_t quiet;
	size_t i;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (access(places[i], X_OK) ||
		    posix_spawn(&pid, places[i], &quiet, NULL, argv, NULL))
			continue;
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		break;
	}
	posix_spawn_file_actions_destroy(&quiet);
}
