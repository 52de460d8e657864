// SPDX-License-Identifier: GPL-2.0
/* 6.2, and later 6.1.y: a socket says by itself that it leaves the task's page_frag alone. */
#include <net/sock.h>

void probe(struct sock *sk);
void probe(struct sock *sk)
{
	sk->sk_use_task_frag = false;
}
