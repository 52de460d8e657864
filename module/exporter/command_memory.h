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
 * A command of @f with room for @data bytes. NULL: no memory; the peer is paused until
 * there is some, or its tick tries again. Sleeps for single pages only.
 */
struct dstor_command *dstor_command_new(struct dstor_peer *p, const struct dstor_frame *f,
					u32 data);
/* Frees its data, and wakes peers that wait for memory. */
void dstor_command_free_data(struct dstor_command *cmd);
void dstor_command_free(struct dstor_command *cmd);
/*
 * Gives back what the peer keeps for its next commands, so that an idle one costs little.
 * Not while it has a command. Also where it is freed.
 */
void dstor_command_drop_spares(struct dstor_peer *p);

#endif
