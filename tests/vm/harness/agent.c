// SPDX-License-Identifier: GPL-2.0
/*
 * The test machine's process 1: runs commands for the host over one byte stream, several at a time.
 * Usage: agent PORT. A frame is { u32 id, u32 type, u32 len } and len bytes, little-endian.
 *
 * From the host:  'R' run with bash -c     'K' kill the job and all its children
 *                 'T' new file (path \0 data)     'P' append to file (path \0 data)
 * To the host:    'H' hello   'O' stdout   'E' stderr   'X' exit (u32 wait status; for T and P an errno)
 *                 'A' taken: only where PORT is a terminal, after each ACK_EVERY bytes. User Mode Linux stops
 *                 reading a terminal for ever once it was too full, so the host sends no more than fits.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_JOBS 200
#define MAX_FRAME (1 << 20)
#define ACK_EVERY 1024

struct frame {
	uint32_t id, type, len;
};

struct job {
	uint32_t id;
	pid_t pid;
	int fd[2]; /* stdout, stderr; -1 when closed */
};

static struct job jobs[MAX_JOBS];
static int port, is_terminal;
static char buf[MAX_FRAME + 1];

static void write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd w = { .fd = fd, .events = POLLOUT };

			poll(&w, 1, 1000);
			continue;
		}
		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

static void send_frame(uint32_t id, char type, const void *data, uint32_t len)
{
	struct frame f = { .id = htole32(id), .type = htole32(type), .len = htole32(len) };

	write_all(port, &f, sizeof(f));
	write_all(port, data, len);
}

static void read_all(void *data, size_t len)
{
	static uint32_t taken;
	char *p = data;

	while (len) {
		ssize_t n = read(port, p, len);

		if (n > 0) {
			p += n;
			len -= n;
			taken += n;
			if (is_terminal && taken >= ACK_EVERY) {
				uint32_t ack = htole32(taken);

				send_frame(0, 'A', &ack, sizeof(ack));
				taken = 0;
			}
		} else if (n == 0) {
			usleep(10000); /* virtio: nobody at the other end yet */
		} else if (errno != EINTR && errno != EAGAIN) {
			_exit(1);
		}
	}
}

static void send_status(uint32_t id, uint32_t status)
{
	status = htole32(status);
	send_frame(id, 'X', &status, sizeof(status));
}

static void start(uint32_t id, char *command)
{
	static const int target[2] = { 1, 2 };
	struct job *job = NULL;
	int out[2], err[2], i;

	for (i = 0; i < MAX_JOBS && !job; i++)
		if (!jobs[i].pid)
			job = &jobs[i];
	if (!job || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		send_status(id, 126 << 8);
		return;
	}
	job->id = id;
	job->pid = fork();
	if (!job->pid) {
		int *pipes[2] = { out, err };
		int null = open("/dev/null", O_RDONLY);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(null, 0);
		for (i = 0; i < 2; i++)
			dup2(pipes[i][1], target[i]);
		execl("/bin/bash", "bash", "-c", command, NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	job->fd[0] = out[0];
	job->fd[1] = err[0];
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	if (job->pid < 0) {
		job->pid = 0;
		close(out[0]);
		close(err[0]);
		send_status(id, 126 << 8);
	}
}

/* Sends on what the job wrote; with @all until there is nothing more right now. */
static void pump(struct job *job, int which, int all)
{
	ssize_t n;

	do {
		n = read(job->fd[which], buf, 65536);
		if (n > 0)
			send_frame(job->id, which ? 'E' : 'O', buf, n);
	} while (n > 0 && all);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(job->fd[which]);
		job->fd[which] = -1;
	}
}

/* A job ends with its shell, even when a daemon it left behind still holds the pipes. */
static void reap(void)
{
	int status, i, w;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < MAX_JOBS; i++) {
			if (jobs[i].pid != pid)
				continue;
			for (w = 0; w < 2; w++) {
				if (jobs[i].fd[w] >= 0)
					pump(&jobs[i], w, 1);
				if (jobs[i].fd[w] >= 0)
					close(jobs[i].fd[w]);
			}
			jobs[i].pid = 0;
			send_status(jobs[i].id, status);
		}
	}
}

static void put(struct frame *f)
{
	size_t path = strnlen(buf, f->len);
	int fd, flags = O_WRONLY | O_CREAT | (f->type == 'T' ? O_TRUNC : O_APPEND);
	uint32_t error = 0;

	if (path == f->len)
		return send_status(f->id, EINVAL);
	fd = open(buf, flags, 0755);
	if (fd < 0)
		return send_status(f->id, errno);
	for (size_t at = path + 1; at < f->len && !error;) {
		ssize_t n = write(fd, buf + at, f->len - at);

		if (n < 0)
			error = errno;
		else
			at += n;
	}
	close(fd);
	send_status(f->id, error);
}

static void take_frame(void)
{
	struct frame f;
	int i;

	read_all(&f, sizeof(f));
	f = (struct frame){ le32toh(f.id), le32toh(f.type), le32toh(f.len) };
	if (f.len > MAX_FRAME)
		_exit(2);
	read_all(buf, f.len);
	buf[f.len] = 0;
	if (f.type == 'R')
		start(f.id, buf);
	if (f.type == 'T' || f.type == 'P')
		put(&f);
	if (f.type == 'K')
		for (i = 0; i < MAX_JOBS; i++)
			if (jobs[i].pid && jobs[i].id == f.id)
				kill(-jobs[i].pid, SIGKILL);
}

int main(int argc, char **argv)
{
	struct pollfd p[2 + 2 * MAX_JOBS];
	struct termios raw;
	sigset_t chld;
	int sfd;

	if (argc != 2)
		return 2;
	port = open(argv[1], O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (port < 0)
		return 1;
	if (!tcgetattr(port, &raw)) {
		is_terminal = 1;
		cfmakeraw(&raw);
		tcsetattr(port, TCSANOW, &raw);
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	send_frame(0, 'H', "", 0);

	for (;;) {
		int n = 2, i, w;
		struct { int job, which; } from[2 + 2 * MAX_JOBS];

		p[0] = (struct pollfd){ .fd = port, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
		for (i = 0; i < MAX_JOBS; i++)
			for (w = 0; w < 2; w++)
				if (jobs[i].pid && jobs[i].fd[w] >= 0) {
					from[n].job = i;
					from[n].which = w;
					p[n++] = (struct pollfd){ .fd = jobs[i].fd[w], .events = POLLIN };
				}
		if (poll(p, n, -1) < 0)
			continue;
		for (i = 2; i < n; i++)
			if (p[i].revents)
				pump(&jobs[from[i].job], from[i].which, 0);
		if (p[1].revents) {
			struct signalfd_siginfo info;

			while (read(sfd, &info, sizeof(info)) > 0)
				;
			reap();
		}
		if (p[0].revents & POLLIN)
			take_frame();
		else if (p[0].revents)
			usleep(10000);
	}
}
