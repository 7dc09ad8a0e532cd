/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The bytes of an LMDB file (lib/serve/mdb_image.h). The input changes a good one, which was written
 * by LMDB for this process: { page u8, offset u16, length u8, bytes }, and cuts it at the end
 * where the input says so (a page number of 255).
 */
#include "lib/serve/mdb_image.h"

#include <lmdb.h>

#include "lib/base/status.h"
#include "tests/fuzz/fuzz_file.h"

#define MAP_SIZE (1u << 20)
#define ENTRIES 200
#define LONG_VALUE 9000 /* has overflow pages */

static uint8_t *good;
static uint64_t good_size;

static void
put_all(MDB_txn *txn, MDB_dbi dbi, unsigned round)
{
	static char value[LONG_VALUE];
	char text[32];

	for (unsigned i = 0; i < ENTRIES; i++) {
		MDB_val key = { 0, text }, data = { i == 7 ? LONG_VALUE : 20 + i % 60, value };

		key.mv_size = (size_t)snprintf(text, sizeof(text), "R%08u", i * 7919 % 1000);
		if (mdb_put(txn, dbi, &key, &data, 0) != 0)
			abort();
		/* so that there are free pages */
		if (round > 0 && i % 3 == 0 && mdb_del(txn, dbi, &key, NULL) != 0)
			abort();
	}
}

static void
make_good(void)
{
	const char *directory = fuzz_directory();
	char path[FUZZ_PATH_MAX + 32];
	void *bytes;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, MAP_SIZE) != 0
		|| mdb_env_open(env, directory, MDB_NOSYNC, 0600) != 0)
		abort();
	for (unsigned round = 0; round < 2; round++) {
		if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
			abort();
		put_all(txn, dbi, round);
		if (mdb_txn_commit(txn) != 0)
			abort();
	}
	mdb_env_close(env);
	snprintf(path, sizeof(path), "%s/data.mdb", directory);
	if (mdb_image_load(path, &bytes, &good_size, NULL) != STATUS_OK)
		abort();
	good = fuzz_must(malloc(good_size));
	memcpy(good, bytes, good_size);
	mdb_image_unload(bytes, good_size);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", directory);
	unlink(path);
	rmdir(directory);
}

/* Changes what the input says; returns how much of the file is left. */
static uint64_t
damage(uint8_t *bytes, const uint8_t *data, size_t size)
{
	while (size > 4) {
		uint8_t page = fuzz_take_u8(&data, &size);
		uint64_t at = fuzz_take_u16(&data, &size) % 4096 + page * UINT64_C(4096);
		size_t len = fuzz_take_u8(&data, &size);

		if (page == UINT8_MAX)
			return at % (good_size + 1);
		if (len > size)
			len = size;
		if (at + len <= good_size)
			memcpy(bytes + at, data, len);
		data += len, size -= len;
	}
	return good_size;
}

/* What is shown lies in the file. */
struct view {
	const uint8_t *from, *to;
	uint64_t count;
};

static int
see_entry(void *context, const struct mdb_image_text *key, const struct mdb_image_text *value,
	struct reason *reason)
{
	struct view *view = context;

	(void)reason;
	FUZZ_CHECK(key->at >= view->from && key->at + key->len <= view->to);
	FUZZ_CHECK(value->at >= view->from && value->at + value->len <= view->to);
	/* pages used twice are not looked for by a walk, but it ends */
	FUZZ_CHECK(++view->count < 100 * ENTRIES);
	return 0;
}

static void
walk(const uint8_t *bytes, uint64_t size)
{
	struct view view = { bytes, bytes + size, 0 };
	struct reason reason = { "" };
	struct mdb_image image;
	uint64_t damaged;

	if (mdb_image_open(bytes, size, 0, &image, &reason) == STATUS_OK) {
		if (mdb_image_verify(&image, see_entry, &view, &reason) != STATUS_OK)
			FUZZ_CHECK(reason.text[0] != '\0');
		else
			FUZZ_CHECK(view.count == image.tree[MDB_IMAGE_MAIN].entries);
	} else {
		FUZZ_CHECK(reason.text[0] != '\0');
	}
	view.count = 0;
	reason.text[0] = '\0';
	if (mdb_image_open_damaged(bytes, size, &image, &reason) == STATUS_OK)
		mdb_image_walk(&image, 0, UINT8_MAX, see_entry, &view, &damaged, &reason);
	else
		FUZZ_CHECK(reason.text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	uint64_t left;

	if (!good)
		make_good();
	bytes = fuzz_must(malloc(good_size));
	memcpy(bytes, good, good_size);
	left = damage(bytes, data, size);
	if (left < good_size) {
		/* exactly as long as what is left */
		uint8_t *shorter = fuzz_must(malloc(left > 0 ? left : 1));

		memcpy(shorter, bytes, left);
		free(bytes);
		bytes = shorter;
	}
	walk(bytes, left);
	free(bytes);
	return 0;
}
