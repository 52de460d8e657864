// SPDX-License-Identifier: GPL-2.0
/*
 * Where the tracepoints live. They are called in transaction.c and link.c.
 */
#define CREATE_TRACE_POINTS
#include "client/trace.h"
