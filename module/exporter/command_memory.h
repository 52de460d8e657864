/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of commands. In the peer's work, unless it says otherwise.
 */
#ifndef DSTOR_COMMAND_MEMORY_H
#define DSTOR_COMMAND_MEMORY_H

#include "conn/connection.h"

struct dstor_command;
struct dstor_peer;

/*
 * A command of @f with room for @data bytes, or NULL: no memory. Sleeps for
 * single pages only.
 */
struct dstor_command *dstor_command_new(struct dstor_peer *p, const struct dstor_frame *f,
					u32 data);
/* The peer is paused until memory comes back, or its tick tries again. Returns PAUSE. */
enum dstor_rx_verdict dstor_command_wait_for_memory(struct dstor_peer *p);
/* Frees its data, and wakes peers that wait for memory. */
void dstor_command_free_data(struct dstor_command *cmd);
void dstor_command_free(struct dstor_command *cmd);
/* Gives back the pages that the peer keeps for its next commands. Also where it is freed. */
void dstor_command_drop_spare_pages(struct dstor_peer *p);

#endif
