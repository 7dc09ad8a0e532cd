/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What happens to an LMDB file while nobody has it open.
 */
#pragma once

#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

#define DAMAGE_PAGE 4096

/* Bytes of data.mdb in `dir`. */
static inline void
damage_bytes(const char *dir, uint64_t at, const void *bytes, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
	close(fd);
}

/* The same, all of one value. */
static inline void
damage_fill(const char *dir, uint64_t at, uint8_t byte, size_t len)
{
	uint8_t bytes[DAMAGE_PAGE];

	assert_in_range(len, 1, sizeof(bytes));
	memset(bytes, byte, len);
	damage_bytes(dir, at, bytes, len);
}

/* A meta page: behind its header, what says that it is one and where the trees are. */
static inline void
damage_meta(const char *dir, unsigned page)
{
	damage_fill(dir, (uint64_t)page * DAMAGE_PAGE + 16, 0x55, 64);
}

/* Through LMDB, which knows no checksums: one entry is removed, or the last byte of its value
 * is another. */
static inline void
damage_entry(const char *dir, const void *name, size_t len, bool is_removed)
{
	uint8_t bytes[512];
	MDB_val key = { len, (void *)(uintptr_t)name }, value;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0); /* as large as it was */
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &key, &value), 0);
	assert_in_range(value.mv_size, 1, sizeof(bytes));
	memcpy(bytes, value.mv_data, value.mv_size);
	bytes[value.mv_size - 1] ^= 0x20;
	value.mv_data = bytes;
	assert_int_equal(is_removed ? mdb_del(txn, dbi, &key, NULL)
				    : mdb_put(txn, dbi, &key, &value, 0),
		0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static inline void
damage_value(const char *dir, const void *name, size_t len)
{
	damage_entry(dir, name, len, false);
}

static inline void
damage_remove(const char *dir, const void *name, size_t len)
{
	damage_entry(dir, name, len, true);
}
