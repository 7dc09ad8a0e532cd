/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Serve read as bytes, whole and checked: what livezoned restores state from. No LMDB, no
 * reader's slot, and a copy of the file, so that nothing that happens to serve meanwhile
 * (or has happened to it before) can end livezoned.
 */
#pragma once

#include "lib/serve/mdb_image.h"
#include "lib/base/reason.h"
#include "lib/serve/layout.h"

struct serve_image {
	void *bytes;
	uint64_t size;
	struct mdb_image image;
	struct serve_meta meta;
};

/* Reads `dir` and checks all of it. STATUS_NOT_FOUND; STATUS_FOREIGN: another schema;
 * STATUS_CORRUPT: not intact. */
int serve_image_open(const char *dir, struct serve_image *out, struct reason *reason);
void serve_image_close(struct serve_image *image); /* zeroed is allowed */

/* Every node, in key order, until fn returns another value than 0. */
typedef int (*serve_image_fn)(void *context, const struct name_key *owner,
	const struct node *node, struct reason *reason);
int serve_image_walk(const struct serve_image *image, serve_image_fn fn, void *context,
	struct reason *reason);
