// SPDX-License-Identifier: GPL-2.0
/*
 * A disk in memory whose volatile cache really is lost: /dev/nbd0 (or another), served over a
 * socket pair by this process.
 *
 *	cutnbd DEVICE MEGABYTES FLUSH_MS
 *
 * A write goes to the cache; a flush, which takes FLUSH_MS, or FUA takes it to the medium. At
 * SIGUSR1 the power fails: the cache is what the medium is from then on, and all that comes is
 * answered with an error. At SIGUSR2 power is back. Says on stdout "ready", "off" with the
 * numbers of the blocks of 4 KiB that were lost, and "on". Ends when the device is
 * disconnected. One thread serves; a second process sits in NBD_DO_IT.
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
#include <unistd.h>

#define SECTOR 512
#define BLOCK 4096
#define LONGEST (32U << 20)
#ifndef NBD_CMD_FLAG_FUA
#define NBD_CMD_FLAG_FUA (1 << 16)
#endif

struct disk {
	int sock;
	int power;		/* readable once a signal has come */
	char *cache;
	char *medium;
	char *buffer;
	uint64_t size;
	unsigned int flush_ms;
	bool off;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
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
	if (len && !error)
		put(d->sock, data, len);
}

static void power_off(struct disk *d)
{
	uint64_t n;

	printf("off");
	for (n = 0; n < d->size / BLOCK; n++)
		if (memcmp(d->cache + n * BLOCK, d->medium + n * BLOCK, BLOCK))
			printf(" %llu", (unsigned long long)n);
	memcpy(d->cache, d->medium, d->size);
	d->off = true;
	puts("");
	fflush(stdout);
}

/* A signal has come. */
static void power_changed(struct disk *d)
{
	struct signalfd_siginfo s;

	if (!get(d->power, &s, sizeof(s)))
		exit(1);
	if (s.ssi_signo == SIGUSR1) {
		power_off(d);
		return;
	}
	d->off = false;
	puts("on");
	fflush(stdout);
}

/* False: the power has failed before it was done. */
static bool flush(struct disk *d)
{
	struct pollfd p = { .fd = d->power, .events = POLLIN };

	if (d->flush_ms && poll(&p, 1, d->flush_ms) > 0)
		power_changed(d);
	if (d->off)
		return false;
	memcpy(d->medium, d->cache, d->size);
	return true;
}

static void serve_one(struct disk *d)
{
	struct nbd_request r;
	uint32_t len, type, error;
	uint64_t from;

	if (!get(d->sock, &r, sizeof(r)) || be32toh(r.magic) != NBD_REQUEST_MAGIC)
		exit(0);
	from = be64toh(r.from);
	len = be32toh(r.len);
	type = be32toh(r.type);
	error = d->off ? EIO : 0;
	if ((type & 0xffff) != NBD_CMD_FLUSH && (from > d->size || len > d->size - from))
		error = EINVAL;
	switch (type & 0xffff) {
	case NBD_CMD_READ:
		answer(d, &r, error, d->cache + from, len);
		return;
	case NBD_CMD_WRITE:
		if (len > LONGEST || !get(d->sock, d->buffer, len))
			exit(0);
		if (!error)
			memcpy(d->cache + from, d->buffer, len);
		break;
	case NBD_CMD_TRIM:
		if (!error)
			memset(d->cache + from, 0, len);
		break;
	case NBD_CMD_DISC:
		exit(0);
	case NBD_CMD_FLUSH:
		from = 0;
		len = 0;
		if (!error && !flush(d))
			error = EIO;
		break;
	default:
		error = EINVAL;
	}
	if (!error && type & NBD_CMD_FLAG_FUA)
		memcpy(d->medium + from, d->cache + from, len);
	answer(d, &r, error, NULL, 0);
}

static void serve(struct disk *d)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = d->sock, .events = POLLIN },
			{ .fd = d->power, .events = POLLIN },
		};

		poll(p, 2, -1);
		if (p[1].revents)
			power_changed(d);
		if (p[0].revents)
			serve_one(d);
	}
}

static int signals_to_read(void)
{
	sigset_t usr;

	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigaddset(&usr, SIGUSR2);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	return signalfd(-1, &usr, SFD_CLOEXEC);
}

/* The child: the kernel's half. Returns only when the device is disconnected. */
static void kernel_half(int dev, int sock, uint64_t size)
{
	if (ioctl(dev, NBD_SET_BLKSIZE, SECTOR) || ioctl(dev, NBD_SET_SIZE_BLOCKS, size / SECTOR) ||
	    ioctl(dev, NBD_SET_FLAGS, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
		  NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM) ||
	    ioctl(dev, NBD_CLEAR_SOCK) || ioctl(dev, NBD_SET_SOCK, sock))
		die("cutnbd: set up");
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

	if (argc != 4 || !strrchr(argv[1], '/')) {
		fprintf(stderr, "usage: cutnbd DEVICE MEGABYTES FLUSH_MS\n");
		return 2;
	}
	d.size = strtoull(argv[2], NULL, 10) << 20;
	d.flush_ms = strtoul(argv[3], NULL, 10);
	d.cache = calloc(1, d.size);
	d.medium = calloc(1, d.size);
	d.buffer = malloc(LONGEST);
	dev = open(argv[1], O_RDWR | O_CLOEXEC);
	if (!d.cache || !d.medium || !d.buffer || dev < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("cutnbd");
	d.power = signals_to_read();
	if (d.power < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		die("cutnbd: signal");
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
