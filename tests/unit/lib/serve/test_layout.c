/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/serve.h"

#include <sys/stat.h>

#include "lib/serve/reader.h"

static struct serve serve;

static const uint8_t a_rdata[] = { 0, 4, 10, 0, 0, 5 };
static const struct node_rrset a_set = {
	.type = RRSET_A, .count = 1, .ttl = 5, .rdata = a_rdata, .rdata_len = 6
};

/* LMDB must not have one environment open twice in a process, so the writer works in a
 * child (0 = it did what it should). */
static void
write_in_child(void (*work)(void))
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		work();
		_exit(0);
	}
	unit_wait_child(child);
}

static void
write_first(void)
{
	serve_put(&serve, "www.live", &a_set, 1);
	serve_publish(&serve);
}

static void
create_and_write(void)
{
	struct serve mine = serve;
	struct serve_meta meta = { .revision = 1, .instance = "instance-of-test" };

	assert_int_equal(serve_writer_create(mine.dir, 1 << 24, &mine.writer, NULL), 0);
	assert_int_equal(serve_writer_begin(mine.writer, &mine.txn, NULL), 0);
	assert_int_equal(serve_writer_put_meta(mine.txn, &meta, NULL), 0);
	serve = mine;
	write_first();
}

static void
write_more(void)
{
	struct serve_meta meta = { .revision = 2, .instance = "instance-of-test" };

	assert_int_equal(serve_writer_open(serve.dir, 1 << 24, &serve.writer, NULL), 0);
	assert_int_equal(serve_writer_begin(serve.writer, &serve.txn, NULL), 0);
	serve_put(&serve, "more.live", &a_set, 1);
	assert_int_equal(serve_writer_put_meta(serve.txn, &meta, NULL), 0);
	assert_int_equal(serve_writer_commit(serve.txn, NULL), 0);
}

static int
setup(void **state)
{
	(void)state;
	serve_place(&serve);
	write_in_child(create_and_write);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unit_remove(serve.root);
}

static int
find(struct serve_reader *reader, const char *name)
{
	struct serve_txn *txn = serve_reader_slot(reader, 1);
	struct name_key key = unit_key(name);
	struct node node;
	int found;

	assert_int_equal(serve_reader_begin(txn), STATUS_OK);
	found = serve_find(txn, &key, &node);
	serve_reader_end(txn);
	return found;
}

static void
a_reader_sees_the_next_commit(void **state)
{
	struct serve_reader *reader;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_reader_open(serve.dir, 2, &reader, &reason), STATUS_OK);
	assert_int_equal(serve_reader_meta(reader)->revision, 1);
	assert_int_equal(find(reader, "www.live"), SERVE_EXACT);
	assert_int_equal(find(reader, "live"), SERVE_BELOW);
	assert_int_equal(find(reader, "more.live"), SERVE_NONE);
	write_in_child(write_more);
	assert_int_equal(find(reader, "more.live"), SERVE_EXACT);
	assert_int_equal(serve_reader_check(reader, &reason), STATUS_OK);
	serve_reader_close(reader);
}

static void
a_replaced_directory_is_noticed_and_the_old_data_stays(void **state)
{
	struct serve_reader *old, *new;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_reader_open(serve.dir, 2, &old, &reason), STATUS_OK);
	write_in_child(create_and_write);
	assert_int_equal(serve_reader_check(old, &reason), STATUS_FOREIGN);
	assert_int_equal(find(old, "www.live"), SERVE_EXACT);
	assert_int_equal(serve_reader_open(serve.dir, 2, &new, &reason), STATUS_OK);
	assert_int_equal(find(new, "www.live"), SERVE_EXACT);
	serve_reader_close(old);
	assert_int_equal(find(new, "www.live"), SERVE_EXACT);
	serve_reader_close(new);
}

static void
the_same_files_are_not_opened_twice(void **state)
{
	struct serve_reader *reader, *second;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason), STATUS_OK);
	assert_int_equal(serve_reader_open(serve.dir, 1, &second, &reason),
		STATUS_UNAVAILABLE);
	serve_reader_close(reader);
	assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason), STATUS_OK);
	serve_reader_close(reader);
}

/* LMDB's locks are on lock.mdb: closing one of two would end those of the other. */
static void
a_directory_with_the_same_lock_file_is_not_opened_too(void **state)
{
	struct serve_reader *reader, *second;
	char other[128], command[1024];
	struct reason reason;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", serve.root);
	snprintf(command, sizeof(command), "mkdir %s && cp %s/data.mdb %s && ln %s/lock.mdb %s",
		other, serve.dir, other, serve.dir, other);
	assert_int_equal(system(command), 0);
	assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason), STATUS_OK);
	assert_int_equal(serve_reader_open(other, 1, &second, &reason), STATUS_UNAVAILABLE);
	assert_non_null(strstr(reason.text, "open already"));
	serve_reader_close(reader);
}

static void
truncate_data(off_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	assert_int_equal(truncate(path, size), 0);
}

static void
a_truncated_file_is_refused_by_both_sides_and_left_alone(void **state)
{
	static const off_t sizes[] = { 0, 100, 4096, 8192 };
	struct serve_reader *reader;
	struct serve_writer *writer;
	struct reason reason;
	struct stat file;
	char path[128];
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	for (i = UNIT_COUNT(sizes); i-- > 0;) {
		truncate_data(sizes[i]);
		assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason),
			STATUS_CORRUPT);
		assert_int_equal(serve_writer_open(serve.dir, 1 << 24, &writer, &reason),
			STATUS_CORRUPT);
		assert_int_equal(stat(path, &file), 0);
		assert_int_equal(file.st_size, sizes[i]);
	}
}

static void
truncation_under_an_open_reader_is_noticed(void **state)
{
	struct serve_reader *reader;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason), STATUS_OK);
	truncate_data(4096);
	assert_int_equal(serve_reader_check(reader, &reason), STATUS_CORRUPT);
	assert_non_null(strstr(reason.text, "truncated"));
	serve_reader_close(reader);
}

static void
what_is_not_there_is_not_made(void **state)
{
	struct serve_reader *reader;
	struct serve_writer *writer;
	struct reason reason;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/absent", serve.root);
	assert_int_equal(serve_reader_open(path, 1, &reader, &reason), STATUS_NOT_FOUND);
	assert_int_equal(serve_writer_open(path, 1 << 24, &writer, &reason),
		STATUS_NOT_FOUND);
	assert_int_equal(access(path, F_OK), -1);
}

static void
files_have_the_modes_that_readers_need(void **state)
{
	struct stat file;
	char path[128];

	(void)state;
	assert_int_equal(stat(serve.dir, &file), 0);
	assert_int_equal(file.st_mode & 07777, 02770);
	snprintf(path, sizeof(path), "%s/data.mdb", serve.dir);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0640);
	snprintf(path, sizeof(path), "%s/lock.mdb", serve.dir);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0660);
}

static void
overwrite(const char *name, long at, const uint8_t *bytes, size_t len)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", serve.dir, name);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void
another_lmdb_format_is_foreign(void **state)
{
	static const uint8_t version[] = { 2, 0, 0, 0 };
	struct serve_reader *reader;
	struct reason reason;

	(void)state;
	overwrite("data.mdb", 20, version, sizeof(version));
	overwrite("data.mdb", 4096 + 20, version, sizeof(version));
	assert_int_equal(serve_reader_open(serve.dir, 1, &reader, &reason), STATUS_FOREIGN);
	assert_non_null(strstr(reason.text, "format 2"));
}

static void
overwrite_txn_id(void)
{
	static const uint8_t garbage[8] = { 7, 7, 7, 7 };

	overwrite("lock.mdb", 48, garbage, sizeof(garbage));
}

/* LMDB would read the meta page that lock.mdb names. */
static void
no_reader_believes_a_damaged_lock(void **state)
{
	struct serve_reader *reader;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_reader_open(serve.dir, 2, &reader, &reason), STATUS_OK);
	assert_int_equal(find(reader, "www.live"), SERVE_EXACT);
	write_in_child(overwrite_txn_id);
	assert_int_equal(serve_reader_begin(serve_reader_slot(reader, 1)), STATUS_CORRUPT);
	serve_reader_close(reader);
}

static void
no_writer_builds_on_a_damaged_lock(void **state)
{
	struct serve_writer *writer;
	struct serve_txn *txn;
	struct reason reason;

	(void)state;
	assert_int_equal(serve_writer_open(serve.dir, 1 << 24, &writer, &reason), STATUS_OK);
	write_in_child(overwrite_txn_id);
	assert_int_equal(serve_writer_begin(writer, &txn, &reason), STATUS_CORRUPT);
	serve_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reader_sees_the_next_commit),
		TEST(a_replaced_directory_is_noticed_and_the_old_data_stays),
		TEST(the_same_files_are_not_opened_twice),
		TEST(a_directory_with_the_same_lock_file_is_not_opened_too),
		TEST(a_truncated_file_is_refused_by_both_sides_and_left_alone),
		TEST(truncation_under_an_open_reader_is_noticed),
		TEST(what_is_not_there_is_not_made),
		TEST(files_have_the_modes_that_readers_need),
		TEST(another_lmdb_format_is_foreign),
		TEST(no_reader_believes_a_damaged_lock),
		TEST(no_writer_builds_on_a_damaged_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
