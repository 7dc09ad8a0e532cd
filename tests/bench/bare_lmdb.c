/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What LMDB alone can do with livezone's own data, for scripts/bench: the bytes are read
 * back from livezoned's state and serve environments, so that both sides move the same keys
 * and values. Prints one line of JSON.
 *
 *	bare_lmdb commits FROM-STATE DIR SECONDS
 *		DIR is filled with the RRset records (table 'R') of the state; then, for so
 *		many seconds, one put of one of them per durable commit: LMDB's defaults.
 *
 *	bare_lmdb load FROM-STATE FROM-SERVE STATE-DIR SERVE-DIR BATCHES
 *		Every pair of both environments is put into two empty ones, in key order with a
 *		plain mdb_put: state with LMDB's defaults, serve with MDB_NOSYNC. BATCHES
 *		transactions of equal size for each, the state's commit before the serve's,
 *		as livezoned does.
 */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MAP_SIZE (8ull << 30)

struct pair {
	MDB_val key, value;
};

struct pairs {
	struct pair *all;
	size_t count, room;
	uint64_t bytes;
};

struct target {
	MDB_env *env;
	MDB_dbi dbi;
};

static void
check(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bare_lmdb: %s: %s\n", what, mdb_strerror(rc));
	exit(1);
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU time of this process, user and system. */
static double
cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static MDB_val
copy_of(MDB_val from)
{
	MDB_val to = { from.mv_size, malloc(from.mv_size ? from.mv_size : 1) };

	if (!to.mv_data) {
		fprintf(stderr, "bare_lmdb: out of memory\n");
		exit(1);
	}
	memcpy(to.mv_data, from.mv_data, from.mv_size);
	return to;
}

static void
pairs_add(struct pairs *pairs, MDB_val key, MDB_val value)
{
	if (pairs->count == pairs->room) {
		pairs->room = pairs->room ? pairs->room * 2 : 1024;
		pairs->all = realloc(pairs->all, pairs->room * sizeof(*pairs->all));
		if (!pairs->all) {
			fprintf(stderr, "bare_lmdb: out of memory\n");
			exit(1);
		}
	}
	pairs->all[pairs->count++] = (struct pair){ copy_of(key), copy_of(value) };
	pairs->bytes += key.mv_size + value.mv_size;
}

/* All pairs of an environment, or those whose key begins with `table`. The environment
 * is never closed: livezoned may have it open. */
static struct pairs
pairs_read(const char *dir, char table)
{
	struct pairs pairs = { 0 };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	check(mdb_env_create(&env), dir);
	check(mdb_env_set_mapsize(env, MAP_SIZE), dir);
	check(mdb_env_open(env, dir, MDB_RDONLY, 0), dir);
	check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), dir);
	check(mdb_dbi_open(txn, NULL, 0, &dbi), dir);
	check(mdb_cursor_open(txn, dbi, &cursor), dir);
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (!table || (key.mv_size && *(char *)key.mv_data == table))
			pairs_add(&pairs, key, value);
	check(rc == MDB_NOTFOUND ? 0 : rc, dir);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (!pairs.count) {
		fprintf(stderr, "bare_lmdb: %s: no data\n", dir);
		exit(1);
	}
	return pairs;
}

static struct target
target_open(const char *dir, unsigned flags)
{
	struct target target;
	MDB_txn *txn;

	check(mdb_env_create(&target.env), dir);
	check(mdb_env_set_mapsize(target.env, MAP_SIZE), dir);
	check(mdb_env_open(target.env, dir, flags, 0640), dir);
	check(mdb_txn_begin(target.env, NULL, 0, &txn), dir);
	check(mdb_dbi_open(txn, NULL, 0, &target.dbi), dir);
	check(mdb_txn_commit(txn), dir);
	return target;
}

static void
target_put(const struct target *target, const struct pairs *pairs, size_t from, size_t to)
{
	MDB_txn *txn;
	size_t i;

	check(mdb_txn_begin(target->env, NULL, 0, &txn), "begin");
	for (i = from; i < to; i++)
		check(mdb_put(txn, target->dbi, &pairs->all[i].key, &pairs->all[i].value, 0),
			"put");
	check(mdb_txn_commit(txn), "commit");
}

static void
run_commits(char **argv)
{
	struct pairs records = pairs_read(argv[0], 'R');
	struct target target = target_open(argv[1], 0);
	double seconds = strtod(argv[2], NULL), began, took, cpu;
	size_t commits = 0;

	target_put(&target, &records, 0, records.count);
	cpu = cpu_s();
	began = now_s();
	do {
		size_t at = commits++ % records.count;

		target_put(&target, &records, at, at + 1);
		took = now_s() - began;
	} while (took < seconds);
	printf("{\"commits\":%zu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_us\":%.1f,"
	       "\"records\":%zu,\"key_bytes\":%zu,\"value_bytes\":%zu}\n",
		commits, took, (double)commits / took,
		(cpu_s() - cpu) * 1e6 / (double)commits, records.count,
		records.all[0].key.mv_size, records.all[0].value.mv_size);
}

static void
run_load(char **argv)
{
	struct pairs state = pairs_read(argv[0], 0), serve = pairs_read(argv[1], 0);
	struct target to_state = target_open(argv[2], 0);
	struct target to_serve = target_open(argv[3], MDB_NOSYNC);
	size_t batches = strtoul(argv[4], NULL, 10), i;
	double cpu = cpu_s(), began = now_s(), took;

	for (i = 0; i < batches; i++) {
		target_put(&to_state, &state, state.count * i / batches,
			state.count * (i + 1) / batches);
		target_put(&to_serve, &serve, serve.count * i / batches,
			serve.count * (i + 1) / batches);
	}
	took = now_s() - began;
	printf("{\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"state_pairs\":%zu,\"state_bytes\":%llu,"
	       "\"serve_pairs\":%zu,\"serve_bytes\":%llu,\"batches\":%zu}\n",
		took, cpu_s() - cpu, state.count, (unsigned long long)state.bytes, serve.count,
		(unsigned long long)serve.bytes, batches);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "commits") == 0) {
		run_commits(argv + 2);
	} else if (argc == 7 && strcmp(argv[1], "load") == 0 && atoi(argv[6]) > 0) {
		run_load(argv + 2);
	} else {
		fprintf(stderr, "usage: bare_lmdb commits FROM-STATE DIR SECONDS\n"
			"       bare_lmdb load FROM-STATE FROM-SERVE STATE-DIR SERVE-DIR BATCHES\n");
		return 2;
	}
	return 0;
}
