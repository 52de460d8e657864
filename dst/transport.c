// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel modules are loaded by modprobe, which knows what the administrator
 * forbade. The file of a UNIX socket outlives its socket (unix(7)); export and
 * unexport take it away when nobody answers there.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "transport.h"

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

void transport_load(const struct uri *u)
{
	if (geteuid())
		return;
	if (u->transport == TRANSPORT_TIPC)
		module_load("tipc");
	if (u->transport == TRANSPORT_SMC)
		module_load("smc");
	if (u->transport == TRANSPORT_VSOCK && u->cid == VMADDR_CID_LOCAL)
		module_load("vsock_loopback");
}

/* Nobody: the socket that made the file is gone. */
static bool nobody_listens(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0)
		return false;
	memcpy(sun.sun_path, path, strlen(path));
	refused = connect(fd, (struct sockaddr *)&sun,
			  offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1) &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

int transport_sweep(const struct uri *u, struct reason *why)
{
	struct stat st;

	if (u->transport != TRANSPORT_UNIX || lstat(u->socket, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return refuse(why, "%s is there already, and is no socket", u->socket);
	if (nobody_listens(u->socket) && unlink(u->socket))
		return refuse(why, "cannot remove the old socket %s: %s", u->socket,
			      strerror(errno));
	return 0;
}
