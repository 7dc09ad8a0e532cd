/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Serve read as bytes, whole and checked: what livezoned restores state from. No LMDB, no
 * reader's slot, and a copy of the file, so that nothing that happens to serve meanwhile
 * (or has happened to it before) can end livezoned.
 */
#pragma once

#include "lib/mdb_image.h"
#include "lib/reason.h"
#include "lib/store.h"

struct store_image {
	void *bytes;
	uint64_t size;
	struct mdb_image image;
	struct store_meta meta;
};

/* Reads `dir` and checks all of it. STATUS_NOT_FOUND; STATUS_FOREIGN: another schema;
 * STATUS_CORRUPT: not intact. */
int store_image_open(const char *dir, struct store_image *out, struct reason *reason);
void store_image_close(struct store_image *image); /* zeroed is allowed */

/* Every node, in key order, until fn returns another value than 0. */
typedef int (*store_image_fn)(void *context, const struct name_key *owner,
	const struct node *node, struct reason *reason);
int store_image_walk(const struct store_image *image, store_image_fn fn, void *context,
	struct reason *reason);
