/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * For a restore at start; livezoned's main thread.
 */
#include "lib/serve/image.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/status.h"
#include "lib/serve/txn.h"

struct walk {
	serve_image_fn fn;
	void *context;
	struct serve_meta *meta; /* where the meta record goes; NULL: it was read */
	bool has_meta;
};

static int
visit_node(const struct walk *walk, const struct mdb_image_text *key,
	const struct mdb_image_text *value, struct reason *reason)
{
	struct name_key owner;
	struct node_rrset rrset;
	struct node node;
	size_t i;
	int status;

	owner.len = (uint8_t)(key->len - 1);
	memcpy(owner.bytes, key->at + 1, owner.len);
	status = node_open(value->at, value->len, &owner, &node);
	for (i = 0; status == STATUS_OK && i < node.count; i++)
		status = node_rrset(&node, i, &rrset);
	if (status != STATUS_OK)
		return reason_set(reason, status, "serve: a damaged node");
	return walk->fn ? walk->fn(walk->context, &owner, &node, reason) : STATUS_OK;
}

static int
visit(void *context, const struct mdb_image_text *key, const struct mdb_image_text *value,
	struct reason *reason)
{
	struct walk *walk = context;

	if (key->len == 1 && key->at[0] == 'M') {
		walk->has_meta = true;
		return walk->meta ? serve_decode_meta(value->at, value->len, walk->meta, reason)
				  : STATUS_OK;
	}
	if (key->at[0] == 'N' && key->len <= SERVE_KEY_MAX)
		return visit_node(walk, key, value, reason);
	return reason_set(reason, STATUS_CORRUPT, "serve: an entry of no table");
}

int
serve_image_open(const char *dir, struct serve_image *out, struct reason *reason)
{
	struct serve_image image = { 0 };
	struct walk walk = { .meta = &image.meta };
	char path[PATH_MAX];
	int status;

	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
		return reason_set(reason, STATUS_INVALID, "%s: path too long", dir);
	status = mdb_image_load(path, &image.bytes, &image.size, reason);
	if (status != STATUS_OK)
		return status;
	status = mdb_image_open(image.bytes, image.size, 0, &image.image, reason);
	if (status == STATUS_OK)
		status = mdb_image_verify(&image.image, visit, &walk, reason);
	if (status == STATUS_OK && !walk.has_meta)
		status = reason_set(reason, STATUS_CORRUPT, "serve: no meta record");
	if (status != STATUS_OK) {
		serve_image_close(&image);
		return status;
	}
	*out = image;
	return STATUS_OK;
}

void
serve_image_close(struct serve_image *image)
{
	mdb_image_unload(image->bytes, image->size);
	*image = (struct serve_image){ 0 };
}

int
serve_image_walk(const struct serve_image *image, serve_image_fn fn, void *context,
	struct reason *reason)
{
	struct walk walk = { .fn = fn, .context = context };

	return mdb_image_walk(&image->image, 0, UINT8_MAX, visit, &walk, NULL, reason);
}
