/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * claimer DIR COUNT: a process that is not ours, with COUNT reader slots of an LMDB
 * environment, or as many as there are. Says how many on standard output, and holds them
 * until it is killed.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READERS_MAX 512

int
main(int argc, char **argv)
{
	int wanted = argc == 3 ? atoi(argv[2]) : 0, claimed = 0, code;
	MDB_env *env;
	MDB_txn *txn;

	code = mdb_env_create(&env);
	if (code == 0)
		code = mdb_env_set_maxreaders(env, READERS_MAX);
	if (code == 0)
		code = mdb_env_set_mapsize(env, (size_t)1 << 30);
	if (code == 0)
		code = mdb_env_open(env, argv[1], MDB_RDONLY | MDB_NOTLS, 0);
	while (code == 0 && claimed < wanted) {
		code = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
		if (code == 0) {
			mdb_txn_reset(txn);
			claimed++;
		}
	}
	if (code != 0 && code != MDB_READERS_FULL) {
		fprintf(stderr, "claimer: %s\n", mdb_strerror(code));
		return 1;
	}
	printf("claimed %d\n", claimed);
	fflush(stdout);
	for (;;)
		pause();
}
