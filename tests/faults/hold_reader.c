/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Holds a read transaction on an LMDB environment until its standard input ends:
 *
 *	hold_reader DIRECTORY
 *
 * Says "held" when it has one: from then on no page of that commit is used again.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
must(int code, const char *what)
{
	if (code) {
		fprintf(stderr, "hold_reader: %s: %s\n", what, mdb_strerror(code));
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	MDB_env *env;
	MDB_txn *txn;
	char byte;

	if (argc != 2)
		return 2;
	must(mdb_env_create(&env), "create");
	must(mdb_env_set_mapsize(env, (size_t)1 << 34), "map size");
	must(mdb_env_open(env, argv[1], MDB_RDONLY | MDB_NOTLS, 0), argv[1]);
	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
	puts("held");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0; /* not closed: the process's end does it, as it does for Unbound */
}
