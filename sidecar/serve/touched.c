/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Lists of names.
 */
#include "sidecar/serve/touched.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/status.h"

static int compare_pointers(const void *left, const void *right);
static void names_done(struct touched_names *names);

int
touched_add(struct touched_names *names, const struct name_key *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		const struct name_key **grown =
			reallocarray(names->name, room, sizeof(*grown));

		if (!grown)
			return STATUS_NO_MEMORY;
		names->name = grown;
		names->room = room;
	}
	names->name[names->count++] = name;
	return STATUS_OK;
}

void
touched_sort(struct touched_names *names)
{
	size_t i, kept = 0;
	bool is_sorted = true;

	for (i = 1; is_sorted && i < names->count; i++)
		is_sorted = name_key_compare(names->name[i - 1], names->name[i]) <= 0;
	if (!is_sorted)
		qsort(names->name, names->count, sizeof(names->name[0]),
			compare_pointers);
	for (i = 0; i < names->count; i++)
		if (kept == 0
			|| name_key_compare(names->name[kept - 1], names->name[i]) != 0)
			names->name[kept++] = names->name[i];
	names->count = kept;
}

static int
compare_pointers(const void *left, const void *right)
{
	return name_key_compare(*(const struct name_key *const *)left,
		*(const struct name_key *const *)right);
}

void
touched_clear(struct touched *touched)
{
	touched->names.count = touched->reverse.count = touched->apexes.count = 0;
}

void
touched_done(struct touched *touched)
{
	names_done(&touched->names);
	names_done(&touched->reverse);
	names_done(&touched->apexes);
}

static void
names_done(struct touched_names *names)
{
	free(names->name);
	*names = (struct touched_names){ 0 };
}
