// SPDX-License-Identifier: GPL-2.0
/*
 * A disk in memory that can keep one write back: /dev/nbd0 (or another), served over a socket
 * pair by this process.
 *
 *	holdnbd DEVICE MEGABYTES SECONDS MAGIC
 *
 * The first write whose data begins with MAGIC is kept inside for SECONDS, or until SIGUSR1;
 * everything else, the same sector included, is done at once. That is what a disk may do with a
 * command: it reached it, it is not lost, and it will be executed. Says on stdout "ready", then
 * "held T" and "released T", T the machine's monotonic time in seconds. Ends when the device
 * is disconnected. One thread serves; a second process sits in NBD_DO_IT.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 512
#define LONGEST (32U << 20)

struct disk {
	int sock;
	int let_go;		/* readable once SIGUSR1 has come */
	char *data;
	uint64_t size;
	const char *magic;
	double seconds;		/* to keep it back */
	bool done_before;	/* the one write was chosen */
	/* the write that is kept back */
	char *held;
	struct nbd_request request;
	uint32_t len;
	double until;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void say(const char *what)
{
	printf("%s %.3f\n", what, now());
	fflush(stdout);
}

/* False when the other end has closed. */
static bool get(int fd, void *to, size_t len)
{
	char *p = to;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static void put(int fd, const void *from, size_t len)
{
	const char *p = from;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			exit(0);
		p += n;
		len -= n;
	}
}

static void answer(struct disk *d, const struct nbd_request *r, uint32_t error,
		   const void *data, size_t len)
{
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC), .error = htobe32(error) };

	memcpy(reply.handle, r->handle, sizeof(reply.handle));
	put(d->sock, &reply, sizeof(reply));
	if (len)
		put(d->sock, data, len);
}

static bool is_the_one(const struct disk *d, const char *data, uint32_t len)
{
	size_t n = strlen(d->magic);

	return !d->done_before && n && len >= n && !memcmp(data, d->magic, n);
}

static void keep_back(struct disk *d, const struct nbd_request *r, char *data, uint32_t len)
{
	d->done_before = true;
	d->held = data;
	d->request = *r;
	d->len = len;
	d->until = now() + d->seconds;
	say("held");
}

static void release(struct disk *d)
{
	memcpy(d->data + be64toh(d->request.from), d->held, d->len);
	say("released");
	answer(d, &d->request, 0, NULL, 0);
	free(d->held);
	d->held = NULL;
}

static void do_write(struct disk *d, const struct nbd_request *r, uint64_t from, uint32_t len,
		     bool fits)
{
	char *data = malloc(len ? len : 1);

	if (!data || !get(d->sock, data, len))
		exit(0);
	if (fits && is_the_one(d, data, len)) {
		keep_back(d, r, data, len);
		return;
	}
	if (fits)
		memcpy(d->data + from, data, len);
	free(data);
	answer(d, r, fits ? 0 : EINVAL, NULL, 0);
}

static void serve_one(struct disk *d)
{
	struct nbd_request r;
	uint64_t from;
	uint32_t len;
	bool fits;

	if (!get(d->sock, &r, sizeof(r)) || be32toh(r.magic) != NBD_REQUEST_MAGIC)
		exit(0);
	from = be64toh(r.from);
	len = be32toh(r.len);
	fits = len <= LONGEST && from <= d->size && len <= d->size - from;
	switch (be32toh(r.type) & 0xffff) {
	case NBD_CMD_READ:
		answer(d, &r, fits ? 0 : EINVAL, d->data + from, fits ? len : 0);
		break;
	case NBD_CMD_WRITE:
		do_write(d, &r, from, len, fits);
		break;
	case NBD_CMD_DISC:
		exit(0);
	case NBD_CMD_FLUSH:
		/* Memory: nothing to do. It covers what was answered, and the held one was not. */
		answer(d, &r, 0, NULL, 0);
		break;
	default:
		answer(d, &r, EINVAL, NULL, 0);
	}
}

static void serve(struct disk *d)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = d->sock, .events = POLLIN },
			{ .fd = d->held ? d->let_go : -1, .events = POLLIN },
		};
		double left = d->held ? d->until - now() : 1;

		if (left > 0)
			poll(p, 2, left * 1000 + 1);
		if (d->held && (p[1].revents || d->until <= now()))
			release(d);
		if (p[0].revents)
			serve_one(d);
	}
}

static int signal_to_read(void)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	return signalfd(-1, &usr1, SFD_CLOEXEC);
}

/* The child: the kernel's half. Returns only when the device is disconnected. */
static void kernel_half(int dev, int sock, uint64_t size)
{
	if (ioctl(dev, NBD_SET_BLKSIZE, BLOCK) || ioctl(dev, NBD_SET_SIZE_BLOCKS, size / BLOCK) ||
	    ioctl(dev, NBD_SET_FLAGS, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH) ||
	    ioctl(dev, NBD_CLEAR_SOCK) || ioctl(dev, NBD_SET_SOCK, sock))
		die("holdnbd: set up");
	ioctl(dev, NBD_DO_IT);
	ioctl(dev, NBD_CLEAR_SOCK);
	exit(0);
}

static void wait_until_it_is_there(const char *path, uint64_t size)
{
	char name[64];
	uint64_t sectors = 0;
	int tries;

	snprintf(name, sizeof(name), "/sys/block/%s/pid", strrchr(path, '/') + 1);
	for (tries = 0; tries < 500 && access(name, F_OK); tries++)
		usleep(20000);
	if (access(name, F_OK))
		die(name);
	snprintf(name, sizeof(name), "/sys/block/%s/size", strrchr(path, '/') + 1);
	for (tries = 0; tries < 500 && sectors != size / 512; tries++) {
		FILE *f = fopen(name, "re");

		if (!f || fscanf(f, "%lu", &sectors) != 1)
			die(name);
		fclose(f);
		usleep(20000);
	}
}

int main(int argc, char **argv)
{
	struct disk d = { };
	int pair[2], dev;

	if (argc != 5 || !strrchr(argv[1], '/')) {
		fprintf(stderr, "usage: holdnbd DEVICE MEGABYTES SECONDS MAGIC\n");
		return 2;
	}
	d.size = strtoull(argv[2], NULL, 10) << 20;
	d.seconds = strtod(argv[3], NULL);
	d.magic = argv[4];
	d.data = calloc(1, d.size);
	dev = open(argv[1], O_RDWR | O_CLOEXEC);
	if (!d.data || dev < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("holdnbd");
	d.let_go = signal_to_read();
	if (d.let_go < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("holdnbd: signal");
	if (!fork()) {
		close(pair[0]);
		kernel_half(dev, pair[1], d.size);
	}
	close(pair[1]);
	d.sock = pair[0];
	close(dev);
	if (fork()) {
		/* the parent serves; the other child only looks whether the device is there */
		serve(&d);
	}
	close(d.sock);
	wait_until_it_is_there(argv[1], d.size);
	puts("ready");
	fflush(stdout);
	return 0;
}
