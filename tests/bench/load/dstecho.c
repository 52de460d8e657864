// SPDX-License-Identifier: GPL-2.0
/*
 * The limit that the benchmarks hold DST against: two kernel threads that exchange
 * messages over one loopback TCP connection with blocking calls, one at a time, as
 * many bytes each way as one I/O needs. One run per insmod, which fails with -EAGAIN
 * when it is done; the result is one line of JSON in the kernel log.
 *
 *   insmod dstecho.ko up=48 down=4144 ms=1000
 */
#include <linux/in.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#define BYTES_MAX (1 << 20)

static uint bytes_up = 48;
static uint bytes_down = 4144;
static uint ms = 1000;
module_param_named(up, bytes_up, uint, 0);
module_param_named(down, bytes_down, uint, 0);
module_param(ms, uint, 0);

static struct socket *listener, *here, *there;
static void *buffer[2];

static int whole(struct socket *sock, bool send, void *data, size_t len)
{
	while (len) {
		struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
		struct kvec kv = { .iov_base = data, .iov_len = len };
		int n = send ? kernel_sendmsg(sock, &msg, &kv, 1, len) :
			       kernel_recvmsg(sock, &msg, &kv, 1, len, MSG_WAITALL);

		if (n <= 0)
			return n ? n : -ECONNRESET;
		data += n;
		len -= n;
	}
	return 0;
}

static int echo(void *unused)
{
	while (!whole(there, false, buffer[1], bytes_up) && !whole(there, true, buffer[1], bytes_down))
		;
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int connect(void)
{
	/* void * below: the type of these addresses differs between kernels. */
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int ret = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &listener);

	ret = ret ?: kernel_bind(listener, (void *)&a, sizeof(a));
	ret = ret ?: kernel_listen(listener, 1);
	if (!ret)
		ret = kernel_getsockname(listener, (struct sockaddr *)&a);
	ret = ret < 0 ? ret : sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &here);
	ret = ret ?: kernel_connect(here, (void *)&a, sizeof(a), 0);
	ret = ret ?: kernel_accept(listener, &there, 0);
	if (!ret) {
		tcp_sock_set_nodelay(here->sk);
		tcp_sock_set_nodelay(there->sk);
	}
	return ret;
}

static void run(void)
{
	u64 began = ktime_get_ns(), until = began + (u64)ms * NSEC_PER_MSEC, now, n = 0;

	do {
		if (whole(here, true, buffer[0], bytes_up) || whole(here, false, buffer[0], bytes_down))
			break;
		n++;
		now = ktime_get_ns();
	} while (now < until);
	now = ktime_get_ns();
	pr_info("{\"dev\":\"echo\",\"up\":%u,\"down\":%u,\"ios\":%llu,\"ns\":%llu,\"iops\":%llu,\"errors\":%d}\n",
		bytes_up, bytes_down, n, now - began, n * NSEC_PER_SEC / (now - began), now < until);
}

static int __init dstecho_init(void)
{
	struct task_struct *task = NULL;
	unsigned int i;
	int ret = -EINVAL;

	if (!bytes_up || !bytes_down || bytes_up > BYTES_MAX || bytes_down > BYTES_MAX)
		return ret;
	ret = connect();
	for (i = 0; i < 2; i++) {
		buffer[i] = kvzalloc(BYTES_MAX, GFP_KERNEL);
		if (!buffer[i])
			ret = -ENOMEM;
	}
	if (!ret) {
		task = kthread_run(echo, NULL, "dstecho");
		ret = PTR_ERR_OR_ZERO(task);
	}
	if (!ret) {
		run();
		kernel_sock_shutdown(here, SHUT_RDWR);
		kthread_stop(task);
	}
	if (there)
		sock_release(there);
	if (here)
		sock_release(here);
	if (listener)
		sock_release(listener);
	kvfree(buffer[0]);
	kvfree(buffer[1]);
	return ret ?: -EAGAIN;
}

module_init(dstecho_init);
MODULE_DESCRIPTION("TCP echo inside the kernel, for DST's benchmarks");
MODULE_LICENSE("GPL");
