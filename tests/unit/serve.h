/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A serve environment in a directory of its own for tests of store and look-up: written
 * through serve_writer, looked into inside its transaction (as explain does), removed at
 * the end.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "lib/serve/writer.h"
#include "tests/unit/unit.h"

struct serve {
	char root[64];
	char dir[80];
	struct serve_writer *writer;
	struct serve_txn *txn;
};

/* Nothing but a root for it. */
static inline void
serve_place(struct serve *serve)
{
	*serve = (struct serve){ .root = "/tmp/livezone-unit-XXXXXX" };
	assert_non_null(mkdtemp(serve->root));
	snprintf(serve->dir, sizeof(serve->dir), "%s/serve", serve->root);
}

static inline void
serve_init(struct serve *serve)
{
	struct serve_meta meta = { .revision = 1, .instance = "instance-of-test" };
	struct reason reason;

	serve_place(serve);
	assert_int_equal(
		serve_writer_create(serve->dir, 1 << 24, &serve->writer, &reason), STATUS_OK);
	assert_int_equal(serve_writer_begin(serve->writer, &serve->txn, &reason), STATUS_OK);
	assert_int_equal(serve_writer_put_meta(serve->txn, &meta, &reason), STATUS_OK);
}

static inline void
serve_put_flagged(struct serve *serve, const char *owner, uint32_t flags,
	const struct node_rrset *rrsets, size_t count)
{
	struct name_key key = unit_key(owner);
	struct reason reason;
	uint8_t *value;

	assert_int_equal(serve_writer_reserve(serve->txn, &key,
				 node_size(rrsets, count), &value, &reason),
		STATUS_OK);
	node_encode(&key, 7, flags, rrsets, count, value);
}

static inline void
serve_put(struct serve *serve, const char *owner, const struct node_rrset *rrsets,
	size_t count)
{
	serve_put_flagged(serve, owner, 0, rrsets, count);
}

/* Ends the transaction and puts the directory in its place. */
static inline void
serve_publish(struct serve *serve)
{
	struct reason reason;

	assert_int_equal(serve_writer_commit(serve->txn, &reason), STATUS_OK);
	serve->txn = NULL;
	assert_int_equal(serve_writer_publish(serve->writer, &reason), STATUS_OK);
}

static inline void
serve_done(struct serve *serve)
{
	if (serve->txn)
		serve_writer_abort(serve->txn);
	assert_int_equal(unit_remove(serve->root), 0);
	serve_writer_close(serve->writer);
}
