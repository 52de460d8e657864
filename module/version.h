/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The version of DST, of the module, the utility and the packages alike: this is
 * the only place. The version of the protocol is in wire/protocol.h.
 */
#ifndef DSTOR_VERSION_H
#define DSTOR_VERSION_H

#define DSTOR_RELEASE "0.1.0"

#endif
