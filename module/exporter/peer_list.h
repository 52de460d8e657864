/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The list of all peers, for peer.c. Process context; none of it sleeps.
 */
#ifndef DSTOR_PEER_LIST_H
#define DSTOR_PEER_LIST_H

struct dstor_peer;

/* Into the list, and its work is queued: it may end @p before this returns. */
void dstor_peer_enlist(struct dstor_peer *p);
void dstor_peer_delist(struct dstor_peer *p);
/* dstor_peers_end() waits for all that are counted. */
void dstor_peers_count(void);
void dstor_peers_uncount(void);

#endif
