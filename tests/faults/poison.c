/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Writes a poisoned value into serve, as a second writer beside livezoned would:
 *
 *	poison DIRECTORY NAME KIND
 *
 * KIND: garbage    bytes that are no node
 *	 empty      nothing
 *	 other      the value of the next name
 *	 version    a node of a version that nobody knows
 *	 malformed  more records than there are, with a good checksum
 */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
must(int code, const char *what)
{
	if (code) {
		fprintf(stderr, "poison: %s: %s\n", what, mdb_strerror(code));
		exit(1);
	}
}

/* CRC32C of two pieces, bit by bit (RFC 3720 appendix B.4). */
static uint32_t
crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* 'N', then the labels from the root, each behind its length. */
static size_t
key_of(const char *name, uint8_t *out)
{
	const char *end = name + strlen(name);
	size_t used = 1;

	out[0] = 'N';
	while (end > name) {
		const char *start = end;

		while (start > name && start[-1] != '.')
			start--;
		out[used++] = (uint8_t)(end - start);
		memcpy(out + used, start, (size_t)(end - start));
		used += (size_t)(end - start);
		end = start > name ? start - 1 : start;
	}
	return used;
}

int
main(int argc, char **argv)
{
	static uint8_t bytes[70000];
	uint8_t key_bytes[256];
	MDB_val key = { .mv_data = key_bytes }, value, next;
	uint32_t crc;
	MDB_env *env;
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_dbi dbi;

	if (argc != 4)
		return 2;
	key.mv_size = key_of(argv[2], key_bytes);
	must(mdb_env_create(&env), "create");
	must(mdb_env_set_mapsize(env, (size_t)1 << 30), "map size");
	must(mdb_env_open(env, argv[1], MDB_NOSYNC, 0), argv[1]);
	must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	must(mdb_dbi_open(txn, NULL, 0, &dbi), "open");
	must(mdb_cursor_open(txn, dbi, &cursor), "cursor");
	must(mdb_cursor_get(cursor, &key, &value, MDB_SET), argv[2]);
	memcpy(bytes, value.mv_data, value.mv_size);
	if (!strcmp(argv[3], "garbage")) {
		for (size_t i = 0; i < value.mv_size; i++)
			bytes[i] = (uint8_t)(i * 7 + 1);
	} else if (!strcmp(argv[3], "empty")) {
		value.mv_size = 0;
	} else if (!strcmp(argv[3], "other")) {
		must(mdb_cursor_get(cursor, &next, &value, MDB_NEXT), "next");
		memcpy(bytes, value.mv_data, value.mv_size);
	} else if (!strcmp(argv[3], "version")) {
		bytes[5] = 77;
	} else if (!strcmp(argv[3], "malformed")) {
		bytes[22]++; /* records of the first RRset, behind head and type */
	} else {
		return 2;
	}
	/* crc u32, the rest: lib/serve/node.h */
	if (!strcmp(argv[3], "version") || !strcmp(argv[3], "malformed")) {
		crc = crc32c(0xffffffffu, key_bytes + 1, key.mv_size - 1);
		crc = ~crc32c(crc, bytes + 4, value.mv_size - 4);
		memcpy(bytes, &crc, sizeof(crc));
	}
	key.mv_data = key_bytes;
	key.mv_size = key_of(argv[2], key_bytes);
	value.mv_data = bytes;
	must(mdb_put(txn, dbi, &key, &value, 0), "put");
	mdb_cursor_close(cursor);
	must(mdb_txn_commit(txn), "commit");
	/* not closed: the locks are livezoned's and Unbound's, too (lmdb.h; ITS#10095) */
	return 0;
}
