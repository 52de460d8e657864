// SPDX-License-Identifier: GPL-2.0
/*
 * The file of a UNIX socket outlives its socket (unix(7)); export and
 * unexport take it away when nobody answers there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "module.h"
#include "transport.h"

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

/* True when the socket that made the file is gone. */
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
		return refuse(why, "%s exists and is not a socket; name another path", u->socket);
	if (nobody_listens(u->socket) && unlink(u->socket))
		return refuse_errno(why, errno, "cannot remove the old socket %s", u->socket);
	return 0;
}
