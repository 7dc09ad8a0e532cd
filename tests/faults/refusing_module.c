/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/* A dynlib module as livezone.so looks to an Unbound that it was not built for. */
#include <stddef.h>

int
init(void *env, int id)
{
	(void)env, (void)id;
	return 0;
}

void
deinit(void *env, int id)
{
	(void)env, (void)id;
}

void
operate(void *query, int event, int id, void *outbound)
{
	(void)query, (void)event, (void)id, (void)outbound;
}

void
inform_super(void *query, int id, void *super)
{
	(void)query, (void)id, (void)super;
}

void
clear(void *query, int id)
{
	(void)query, (void)id;
}

size_t
get_mem(void *env, int id)
{
	(void)env, (void)id;
	return 0;
}
