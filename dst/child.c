// SPDX-License-Identifier: GPL-2.0
/*
 * Runs export, attach, set, detach and unexport for up and down. A process for
 * each, because a command parses its options once, may exit, and leaves nothing
 * of a key behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

static void ATTRIBUTE(noreturn) child_command(int (*command)(int argc, char **argv),
					      const char *name,
					      const struct text_list *args, int complaints)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char **argv = calloc(args->n + 2, sizeof(*argv));
	size_t i;
	int ret;

	if (!argv || null < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(complaints, STDERR_FILENO) < 0)
		_exit(DST_EXIT_FAILED);
	argv[0] = (char *)name;
	for (i = 0; i < args->n; i++)
		argv[i + 1] = args->text[i];
	report_as(name);
	optind = 0;
	ret = command(args->n + 1, argv);
	fflush(stderr);
	_exit(ret);
}

/* Takes the child's message, without "dst: NAME: " and the end of the line. */
static void listen_to(int fd, const char *name, struct reason *why)
{
	char text[sizeof(why->text) + 64], prefix[64];
	size_t n = 0;
	ssize_t got;

	do {
		got = read(fd, text + n, sizeof(text) - 1 - n);
		if (got > 0)
			n += got;
	} while ((got > 0 && n < sizeof(text) - 1) || (got < 0 && errno == EINTR));
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	n = snprintf(prefix, sizeof(prefix), "dst: %.40s: ", name);
	refuse(why, "%.511s", strncmp(text, prefix, n) ? text : text + n);
}

int child_run(int (*command)(int argc, char **argv), const char *name,
	      const struct text_list *args, struct reason *why)
{
	int pipes[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe2(pipes, O_CLOEXEC))
		return refuse(why, "cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (!pid)
		child_command(command, name, args, pipes[1]);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return refuse(why, "cannot start a process: %s", strerror(errno));
	}
	listen_to(pipes[0], name, why);
	close(pipes[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return refuse(why, "dst %s was killed by signal %d", name, WTERMSIG(status));
}
