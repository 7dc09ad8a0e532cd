/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/status.h"
#include "sidecar/journal/backup.h"

#define RECORDS 5
#define DIR_MAX 64

static char root[] = "/tmp/livezone-backup-XXXXXX";
static char dir[DIR_MAX];
static struct state *store;
static atomic_bool is_over;

static void
put(unsigned number, uint64_t revision)
{
	static const uint8_t block[] = { 0, 4, 10, 0, 0, 1 };
	struct state_record record = {
		.rrset = { .type = RRSET_A, .ttl = 5, .count = 1, .rdata = block,
			.rdata_len = sizeof(block) },
		.revision = revision,
		.expires_ms = number == 1 ? 4102444800000 : 0,
		.lease_ms = number == 1 ? 30000 : 0,
		.source_len = 2,
		.source = "ci",
	};
	struct name_key *owner = &record.rrset.owner;
	struct state_txn *txn;
	struct reason reason;

	owner->len = 7;
	memcpy(owner->bytes, "\4live\1?", 7);
	owner->bytes[6] = (uint8_t)('a' + number);
	assert_int_equal(state_begin_write(store, &txn, &reason), 0);
	assert_int_equal(state_put(txn, NULL, &record, &reason), 0);
	assert_int_equal(state_set_revision(txn, revision, &reason), 0);
	assert_int_equal(state_commit(txn, &reason), 0);
}

static int
setup(void **state)
{
	struct reason reason;
	char path[DIR_MAX];

	(void)state;
	if (!mkdtemp(root))
		return -1;
	snprintf(dir, sizeof(dir), "%s/backups", root);
	snprintf(path, sizeof(path), "%s/state", root);
	if (mkdir(path, 0700) != 0 || state_open(path, 16 << 20, &store, &reason) != 0)
		return -1;
	for (unsigned i = 0; i < RECORDS; i++)
		put(i, i + 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	state_close(store);
	return unit_remove(root);
}

static int
empty(void **state)
{
	(void)state;
	return unit_remove(dir);
}

/* Makes a backup and keeps `count`. */
static struct backup_file
make(size_t count)
{
	const struct backup_order order = { store, dir, count, &is_over, false };
	struct backup_verdict verdict;
	struct backup_file file;
	struct reason reason;

	if (backup_make(&order, &file, &verdict, &reason))
		fail_msg("%s", reason.text);
	assert_true(verdict.is_complete);
	return file;
}

static struct backup_verdict
verify(const struct backup_file *file)
{
	char *path = backup_path(dir, file->name);
	struct backup_verdict verdict;
	struct reason reason;

	if (backup_verify(path, &verdict, &reason))
		fail_msg("%s", reason.text);
	free(path);
	return verdict;
}

/* A file's bytes; the caller's to free. */
static char *
load(const struct backup_file *file, size_t *out_len)
{
	char *path = backup_path(dir, file->name);
	FILE *stream = fopen(path, "r");
	char *bytes = malloc(65536);

	assert_non_null(stream);
	*out_len = fread(bytes, 1, 65536, stream);
	assert_in_range(*out_len, 1, 65535);
	fclose(stream);
	free(path);
	return bytes;
}

static void
save(const struct backup_file *file, const char *bytes, size_t len)
{
	char *path = backup_path(dir, file->name);
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, len, stream), len);
	assert_int_equal(fclose(stream), 0);
	free(path);
}

static size_t
count_lines(const char *bytes, size_t len)
{
	size_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static void
a_backup_says_what_it_holds(void **state)
{
	struct backup_file file = make(3);
	struct backup_verdict verdict = verify(&file);
	struct stat info;
	char *path = backup_path(dir, file.name);

	(void)state;
	assert_string_equal(file.name, "livezone-00000001-r5.jsonl");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	free(path);
	assert_int_equal(stat(dir, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_true(verdict.is_complete);
	assert_true(verdict.has_header);
	assert_int_equal(verdict.records, RECORDS);
	assert_int_equal(verdict.revision, 5);
	assert_int_equal(strlen(verdict.instance), 2 * STATE_INSTANCE_SIZE);
	assert_true(verdict.created_ms > 0);
	assert_int_equal(verdict.line, 0);
}

/* Compares what is read with what put() wrote. */
static int
take_record(void *context, const struct state_record *record, struct reason *reason)
{
	unsigned *count = context;

	assert_int_equal(record->rrset.owner.bytes[6], 'a' + *count);
	assert_int_equal(record->rrset.type, RRSET_A);
	assert_int_equal(record->rrset.ttl, 5);
	assert_int_equal(record->rrset.count, 1);
	assert_memory_equal(record->rrset.rdata, "\0\4\12\0\0\1", 6);
	assert_int_equal(record->revision, *count + 1);
	assert_int_equal(record->lease_ms, *count == 1 ? 30000 : 0);
	assert_int_equal(record->expires_ms, 0);
	assert_int_equal(record->source_len, 2);
	assert_memory_equal(record->source, "ci", 2);
	if (++*count == RECORDS + 1)
		return reason_set(reason, STATUS_FULL, "enough");
	return 0;
}

static int
stop_at_three(void *context, const struct state_record *record, struct reason *reason)
{
	unsigned *count = context;

	(void)record;
	return ++*count == 3 ? reason_set(reason, STATUS_FULL, "enough") : 0;
}

static void
records_come_back_as_they_were(void **state)
{
	struct backup_file file = make(3);
	char *path = backup_path(dir, file.name);
	struct backup_verdict verdict;
	struct reason reason;
	unsigned count = 0;

	(void)state;
	assert_int_equal(backup_read(path, take_record, &count, &verdict, &reason), 0);
	assert_int_equal(count, RECORDS);
	assert_true(verdict.is_complete);
	count = 0;
	assert_int_equal(
		backup_read(path, stop_at_three, &count, &verdict, &reason), STATUS_FULL);
	assert_string_equal(reason.text, "enough");
	assert_int_equal(count, 3);
	assert_int_equal(verdict.records, 2);
	free(path);
}

/* Another text, and the trailer that belongs to it. */
static void
forge(const struct backup_file *file, const char *from, const char *to)
{
	size_t len;
	char *bytes = load(file, &len), *place, *trailer, crc[9];

	bytes[len] = '\0';
	place = strstr(bytes, from);
	trailer = strstr(bytes, "{\"livezone\":\"end\"");
	assert_true(place && trailer);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(place, to, strlen(to));
	snprintf(crc, sizeof(crc), "%08x",
		~checksum_crc32c_more(0xffffffffu, bytes, (size_t)(trailer - bytes)));
	memcpy(strstr(trailer, "\"crc\":\"") + 7, crc, 8);
	save(file, bytes, len);
	free(bytes);
}

static void
an_rrset_that_is_refused_is_no_end_of_the_backup(void **state)
{
	struct backup_file file = make(3);
	char *path = backup_path(dir, file.name);
	struct backup_verdict verdict;
	struct reason reason;
	unsigned count = 0;

	(void)state;
	forge(&file, "10.0.0.1", "10.0.0.x");
	assert_true(verify(&file).is_complete);
	assert_int_equal(
		backup_read(path, stop_at_three, &count, &verdict, &reason), STATUS_INVALID);
	assert_string_not_equal(reason.text, "");
	assert_int_equal(verdict.line, 2);
	free(path);
}

/* Of a file that has these bytes only. */
static struct backup_verdict
verify_broken(const struct backup_file *file, const char *bytes, size_t len)
{
	struct backup_verdict verdict;

	save(file, bytes, len);
	verdict = verify(file);
	assert_false(verdict.is_complete);
	return verdict;
}

static void
a_backup_that_is_cut_anywhere_is_not_complete(void **state)
{
	struct backup_file file = make(3);
	size_t len, cut;
	char *bytes = load(&file, &len);

	(void)state;
	for (cut = 0; cut < len - 1; cut++) {
		const struct backup_verdict verdict = verify_broken(&file, bytes, cut);

		/* a line without its end is whole when only that is missing */
		assert_int_equal(verdict.has_header,
			count_lines(bytes, cut) > 0 || bytes[cut] == '\n');
		assert_string_not_equal(verdict.damage.text, "");
	}
	save(&file, bytes, len - 1);
	assert_true(verify(&file).is_complete);
	free(bytes);
}

static void
damage_is_found_in_every_byte(void **state)
{
	struct backup_file file = make(3);
	size_t len, i;
	char *bytes = load(&file, &len);

	(void)state;
	for (i = 0; i < len - 1; i++) {
		bytes[i] ^= 0x11;
		verify_broken(&file, bytes, len);
		bytes[i] ^= 0x11;
	}
	free(bytes);
}

static void
a_line_that_is_missing_or_twice_is_found(void **state)
{
	struct backup_file file = make(3);
	size_t len, first, second;
	char *bytes = load(&file, &len), other[65536];

	(void)state;
	first = (size_t)(strchr(bytes, '\n') - bytes) + 1;
	second = (size_t)(strchr(bytes + first, '\n') - bytes) + 1;
	memcpy(other, bytes, first);
	memcpy(other + first, bytes + second, len - second);
	verify_broken(&file, other, len - (second - first));
	memcpy(other, bytes, second);
	memcpy(other + second, bytes + first, len - first);
	verify_broken(&file, other, len + (second - first));
	free(bytes);
}

static void
the_oldest_go_when_there_are_too_many(void **state)
{
	struct backup_list list;
	struct reason reason;
	char *strange = backup_path(dir, "livezone-2-r5.jsonl");

	(void)state;
	assert_int_equal(backup_list(dir, &list, &reason), STATUS_NOT_FOUND);
	for (unsigned i = 0; i < 4; i++)
		make(3);
	assert_int_equal(fclose(fopen(strange, "w")), 0);
	assert_int_equal(backup_list(dir, &list, &reason), 0);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.file[0].number, 4);
	assert_int_equal(list.file[0].revision, 5);
	assert_int_equal(list.file[2].number, 2);
	backup_list_done(&list);
	make(1);
	assert_int_equal(backup_list(dir, &list, &reason), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.file[0].name, "livezone-00000005-r5.jsonl");
	backup_list_done(&list);
	assert_int_equal(access(strange, F_OK), 0);
	free(strange);
}

static void
count_skipped(
	void *context, const struct backup_file *file, const struct backup_verdict *verdict)
{
	assert_true(file->number > 0);
	assert_false(verdict->is_complete);
	++*(unsigned *)context;
}

static void
the_newest_complete_one_is_chosen(void **state)
{
	struct backup_file file[3], chosen;
	struct backup_verdict verdict;
	struct reason reason;
	unsigned skipped = 0;
	size_t len, at;
	char *bytes;

	(void)state;
	assert_int_equal(backup_choose(dir, NULL, NULL, NULL, &chosen, &verdict, &reason),
		STATUS_NOT_FOUND);
	for (unsigned i = 0; i < 3; i++)
		file[i] = make(3);
	assert_int_equal(backup_choose(dir, NULL, NULL, NULL, &chosen, &verdict, &reason), 0);
	assert_int_equal(chosen.number, 3);
	bytes = load(&file[0], &len);
	save(&file[2], "", 0);
	save(&file[1], bytes, len / 2);
	assert_int_equal(
		backup_choose(dir, NULL, count_skipped, &skipped, &chosen, &verdict, &reason), 0);
	assert_int_equal(chosen.number, 1);
	assert_true(verdict.is_complete);
	assert_int_equal(skipped, 2);
	/* none is whole: nothing is restored from a part */
	for (at = len; bytes[at - 2] != '\n'; at--)
		;
	save(&file[0], bytes, at - 2);
	assert_int_equal(backup_choose(dir, NULL, NULL, NULL, &chosen, &verdict, &reason),
		STATUS_NOT_FOUND);
	free(bytes);
}

static void
giving_up_leaves_nothing(void **state)
{
	const struct backup_order order = { store, dir, 1, &is_over, false };
	struct backup_file file = make(1);
	struct backup_verdict verdict;
	struct reason reason;
	char *partial = backup_path(dir, "livezone.partial");

	(void)state;
	atomic_store(&is_over, true);
	assert_int_equal(backup_make(&order, &file, &verdict, &reason), STATUS_UNAVAILABLE);
	atomic_store(&is_over, false);
	assert_int_not_equal(access(partial, F_OK), 0);
	assert_true(verify(&file).is_complete);
	/* what was left by one that was killed is in nobody's way */
	assert_int_equal(fclose(fopen(partial, "w")), 0);
	make(1);
	assert_int_not_equal(access(partial, F_OK), 0);
	free(partial);
}

static void
a_directory_that_cannot_be_is_said(void **state)
{
	char path[DIR_MAX + 16];
	struct backup_order order = { store, path, 1, &is_over, false };
	struct backup_verdict verdict;
	struct backup_file file;
	struct reason reason;

	(void)state;
	snprintf(path, sizeof(path), "%s/none/backups", root);
	assert_int_equal(backup_make(&order, &file, &verdict, &reason), STATUS_IO);
	assert_non_null(strstr(reason.text, "none/backups: cannot be made: No such file"));
	snprintf(path, sizeof(path), "%s/state/data.mdb", root);
	assert_int_equal(backup_make(&order, &file, &verdict, &reason), STATUS_IO);
	assert_non_null(strstr(reason.text, "data.mdb: cannot be opened: Not a directory"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, empty)
	const struct CMUnitTest tests[] = {
		TEST(a_backup_says_what_it_holds),
		TEST(records_come_back_as_they_were),
		TEST(an_rrset_that_is_refused_is_no_end_of_the_backup),
		TEST(a_backup_that_is_cut_anywhere_is_not_complete),
		TEST(damage_is_found_in_every_byte),
		TEST(a_line_that_is_missing_or_twice_is_found),
		TEST(the_oldest_go_when_there_are_too_many),
		TEST(the_newest_complete_one_is_chosen),
		TEST(giving_up_leaves_nothing),
		TEST(a_directory_that_cannot_be_is_said),
	};

	return cmocka_run_group_tests_name("backup", tests, setup, teardown);
}
