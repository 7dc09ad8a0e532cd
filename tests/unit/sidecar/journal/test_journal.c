/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The journal and its reader, with a disk that tears, refuses or hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "sidecar/journal/journal.h"
#include "sidecar/journal/journal_reader.h"
#include "tests/unit/record.h"

#define WAIT_MS 20000

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static char root[64];
static struct journal *journal;
static const uint8_t instance[STATE_INSTANCE_SIZE] = "instance";
static struct journal_settings settings;
static atomic_int disk_error; /* what writes to files fail with */
static atomic_bool disk_hangs;
static atomic_int syncs; /* of files that had no more than the head of a segment */
static atomic_int alarms;
static char alarm_text[1024];

/* A full disk takes a part of what is written before it refuses. */
ssize_t
__wrap_write(int fd, const void *bytes, size_t len)
{
	struct stat stat;

	if (fd <= STDERR_FILENO || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
		return __real_write(fd, bytes, len);
	while (disk_hangs)
		usleep(1000);
	if (disk_error != 0) {
		if (len > 7)
			return __real_write(fd, bytes, len / 2);
		errno = disk_error;
		return -1;
	}
	return __real_write(fd, bytes, len);
}

int
__wrap_fdatasync(int fd)
{
	struct stat stat;

	if (fstat(fd, &stat) == 0 && stat.st_size <= JOURNAL_SEGMENT_HEAD)
		syncs++;
	return __real_fdatasync(fd);
}

static void
on_alarm(void *context, const char *text)
{
	(void)context;
	snprintf(alarm_text, sizeof(alarm_text), "%s", text);
	alarms++;
}

static void
open_journal(uint64_t revision)
{
	struct reason reason = { "" };

	if (journal_open(root, instance, revision, &settings, on_alarm, NULL, &journal, &reason)
		!= STATUS_OK)
		fail_msg("%s", reason.text);
}

static void
close_journal(void)
{
	journal_close(journal);
	journal = NULL;
}

static int
setup(void **context)
{
	(void)context;
	strcpy(root, "/tmp/livezone-unit-XXXXXX");
	settings = (struct journal_settings){ .size = 256u << 20, .age_ms = 3600000 };
	disk_error = 0;
	disk_hangs = false;
	alarms = syncs = 0;
	return mkdtemp(root) ? 0 : -1;
}

static int
teardown(void **context)
{
	(void)context;
	disk_hangs = false;
	disk_error = 0;
	close_journal();
	return unit_remove(root);
}

/* Revision N puts "nN.test", with a TTL of N; every third one deletes what it put before. */
static void
append_named(uint64_t revision, uint64_t previous, unsigned items, unsigned rdata_len)
{
	struct journal_head head = { previous, revision, JOURNAL_ITEMS, "token writer" };
	static uint8_t rdata[2 + 60000];
	char owner[64];

	rdata[0] = (uint8_t)(rdata_len >> 8);
	rdata[1] = (uint8_t)rdata_len;
	journal_begin(journal, &head);
	for (unsigned i = 0; i < items; i++) {
		struct state_record record;

		snprintf(owner, sizeof(owner), "n%llu.i%u.test", (unsigned long long)revision, i);
		record = record_of(owner, 16, "api", 0);
		record.rrset.ttl = (uint32_t)revision;
		record.rrset.rdata = rdata;
		record.rrset.rdata_len = 2 + rdata_len;
		journal_add(journal, &record.rrset.owner, 16, revision % 3 == 0 ? &record : NULL,
			revision % 3 == 0 ? NULL : &record);
	}
	journal_end(journal);
}

static void
append(uint64_t revision)
{
	append_named(revision, revision - 1, 1, 4);
}

static void
flush(void)
{
	assert_true(journal_flush(journal, WAIT_MS));
}

static struct journal_reader *
open_reader(uint64_t since)
{
	struct journal_reader *reader = NULL;
	struct reason reason = { "" };

	assert_int_equal(journal_reader_open(root, since, &reader, &reason), STATUS_OK);
	return reader;
}

static struct journal_entry
next(struct journal_reader *reader)
{
	struct journal_entry entry;
	struct reason reason = { "" };

	if (journal_reader_next(reader, &entry, &reason) != STATUS_OK)
		fail_msg("%s", reason.text);
	return entry;
}

static void
expect_change(struct journal_reader *reader, uint64_t revision, unsigned items)
{
	char owner[64];

	for (unsigned i = 0; i < items; i++) {
		struct journal_entry entry = next(reader);
		struct name_key key;

		assert_int_equal(entry.event, JOURNAL_CHANGE);
		assert_int_equal(entry.revision, revision);
		assert_int_equal(entry.index, i);
		assert_int_equal(entry.is_last, i + 1 == items);
		assert_int_equal(entry.verb, JOURNAL_ITEMS);
		assert_string_equal(entry.caller, "token writer");
		assert_int_equal(entry.has_before, revision % 3 == 0);
		assert_int_equal(entry.has_after, revision % 3 != 0);
		snprintf(owner, sizeof(owner), "n%llu.i%u.test", (unsigned long long)revision, i);
		key = unit_key(owner);
		assert_int_equal(entry.owner.len, key.len);
		assert_memory_equal(entry.owner.bytes, key.bytes, key.len);
		assert_int_equal(entry.has_before ? entry.before.rrset.ttl : entry.after.rrset.ttl,
			revision);
	}
}

static void
expect_gap(struct journal_reader *reader, uint64_t previous, uint64_t revision)
{
	struct journal_entry entry = next(reader);

	assert_int_equal(entry.event, JOURNAL_GAP);
	assert_int_equal(entry.previous, previous);
	assert_int_equal(entry.revision, revision);
}

static void
expect_end(struct journal_reader *reader)
{
	assert_int_equal(next(reader).event, JOURNAL_END);
	journal_reader_close(reader);
}

static void
path_of(uint64_t base, char path[PATH_MAX])
{
	journal_reader_path(root, base, path);
}

static size_t
read_file(const char *path, uint8_t **out)
{
	struct stat stat;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0 && fstat(fd, &stat) == 0);
	*out = malloc((size_t)stat.st_size + 1);
	assert_int_equal(read(fd, *out, (size_t)stat.st_size), stat.st_size);
	close(fd);
	return (size_t)stat.st_size;
}

static void
write_file(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(__real_write(fd, bytes, len), len);
	close(fd);
}

static void
wait_alarms(int count)
{
	const uint64_t deadline = clock_boot_ms() + WAIT_MS;

	while (alarms < count) {
		if (clock_boot_ms() > deadline)
			fail_msg("no alarm number %d", count);
		usleep(1000);
	}
}

static void
what_was_appended_is_read_again(void **context)
{
	static const uint8_t two[] = { 0, 4, 10, 0, 0, 5, 0, 4, 10, 0, 0, 6 };
	struct state_record before = record_of("a.test", 1, "old", 0);
	struct state_record after = record_of("a.test", 1, "new-source", 0);
	struct journal_head head = { 7, 8, JOURNAL_SOURCE, "uid 0" };
	struct journal_reader *reader;
	struct journal_entry entry;

	(void)context;
	open_journal(7);
	after.rrset.rdata = two;
	after.rrset.rdata_len = sizeof(two);
	after.rrset.count = 2;
	after.rrset.ttl = 60;
	after.lease_ms = 5000;
	after.expires_ms = 1234567890123;
	journal_begin(journal, &head);
	journal_add(journal, &after.rrset.owner, 1, &before, &after);
	journal_end(journal);
	flush();
	reader = open_reader(7);
	entry = next(reader);
	assert_int_equal(entry.event, JOURNAL_CHANGE);
	assert_int_equal(entry.revision, 8);
	assert_int_equal(entry.verb, JOURNAL_SOURCE);
	assert_string_equal(entry.caller, "uid 0");
	assert_true(entry.wall_ms > 1700000000000);
	assert_true(entry.has_before && entry.has_after && entry.is_last);
	assert_int_equal(entry.type, 1);
	assert_int_equal(entry.before.rrset.ttl, 5);
	assert_int_equal(entry.before.source_len, 3);
	assert_memory_equal(entry.before.source, "old", 3);
	assert_int_equal(entry.after.revision, 8);
	assert_int_equal(entry.after.rrset.ttl, 60);
	assert_int_equal(entry.after.rrset.count, 2);
	assert_int_equal(entry.after.rrset.rdata_len, sizeof(two));
	assert_memory_equal(entry.after.rrset.rdata, two, sizeof(two));
	assert_int_equal(entry.after.lease_ms, 5000);
	assert_int_equal(entry.after.expires_ms, 1234567890123);
	assert_int_equal(entry.after.source_len, 10);
	assert_memory_equal(entry.after.source, "new-source", 10);
	expect_end(reader);
}

static void
reading_begins_above_a_revision_and_goes_on_after_the_end(void **context)
{
	struct journal_reader *reader;

	(void)context;
	open_journal(100);
	for (uint64_t revision = 101; revision <= 110; revision++)
		append(revision);
	flush();
	reader = open_reader(104);
	for (uint64_t revision = 105; revision <= 110; revision++)
		expect_change(reader, revision, 1);
	assert_int_equal(next(reader).event, JOURNAL_END);
	append(111);
	flush();
	expect_change(reader, 111, 1);
	expect_end(reader);
	reader = open_reader(50);
	expect_gap(reader, 50, 100);
	expect_change(reader, 101, 1);
	journal_reader_close(reader);
	expect_end(open_reader(110 + 1));
}

static void
a_revision_of_many_parts_is_one(void **context)
{
	struct journal_reader *reader;

	(void)context;
	open_journal(0);
	append(1);
	append_named(2, 1, 40, 60000);
	append(3);
	flush();
	reader = open_reader(0);
	expect_change(reader, 1, 1);
	expect_change(reader, 2, 40);
	expect_change(reader, 3, 1);
	expect_end(reader);
	reader = open_reader(2); /* passed over as a whole */
	expect_change(reader, 3, 1);
	expect_end(reader);
}

static void
of_a_torn_segment_the_whole_revisions_are_read(void **context)
{
	size_t ends[5] = { JOURNAL_SEGMENT_HEAD };
	struct journal_survey survey;
	struct reason reason = { "" };
	uint8_t *bytes;
	char path[PATH_MAX];
	struct stat stat;
	size_t len;

	(void)context;
	open_journal(0);
	path_of(0, path);
	for (unsigned revision = 1; revision <= 4; revision++) {
		append_named(revision, revision - 1, revision, 5);
		flush();
		assert_int_equal(lstat(path, &stat), 0);
		ends[revision] = (size_t)stat.st_size;
	}
	close_journal();
	len = read_file(path, &bytes);
	for (size_t cut = 0; cut <= len; cut++) {
		struct journal_reader *reader;
		unsigned whole = 0;

		write_file(path, bytes, cut);
		while (whole < 4 && ends[whole + 1] <= cut)
			whole++;
		reader = open_reader(0);
		for (unsigned revision = 1; revision <= whole; revision++)
			expect_change(reader, revision, revision);
		expect_end(reader);
		assert_int_equal(journal_reader_survey(root, &survey, &reason), STATUS_OK);
		assert_int_equal(survey.newest, whole);
	}
	free(bytes);
}

/* A power loss may leave the name of a segment and no bytes, or zeros. */
static void
a_segment_without_its_head_hides_none_of_the_others(void **context)
{
	static const uint8_t zeros[JOURNAL_SEGMENT_HEAD + 100];
	struct journal_survey survey;
	struct journal_status status;
	struct journal_reader *reader;
	struct reason reason = { "" };
	char path[PATH_MAX];

	(void)context;
	open_journal(0);
	append(1);
	append(2);
	flush();
	assert_int_equal(syncs, 1);
	close_journal();
	path_of(2, path);
	for (size_t len = 0; len <= sizeof(zeros); len += JOURNAL_SEGMENT_HEAD) {
		write_file(path, zeros, len);
		assert_int_equal(journal_reader_survey(root, &survey, &reason), STATUS_OK);
		assert_int_equal(survey.base, 0);
		assert_int_equal(survey.newest, 2);
		assert_memory_equal(survey.instance, instance, STATE_INSTANCE_SIZE);
	}
	open_journal(2);
	journal_read_status(journal, &status);
	assert_int_equal(status.gaps, 0);
	append(3);
	flush();
	reader = open_reader(0);
	for (uint64_t revision = 1; revision <= 3; revision++)
		expect_change(reader, revision, 1);
	expect_end(reader);
}

static void
of_a_torn_revision_of_many_parts_nothing_is_read(void **context)
{
	uint8_t *bytes;
	char path[PATH_MAX];
	size_t len;

	(void)context;
	open_journal(0);
	append(1);
	append_named(2, 1, 20, 60000);
	close_journal();
	path_of(0, path);
	len = read_file(path, &bytes);
	for (size_t cut = 200; cut < len; cut += 4093) {
		struct journal_reader *reader;

		write_file(path, bytes, cut);
		reader = open_reader(0);
		expect_change(reader, 1, 1);
		expect_end(reader);
	}
	free(bytes);
}

static void
a_flipped_bit_is_never_believed(void **context)
{
	uint8_t *bytes;
	char path[PATH_MAX];
	size_t len;

	(void)context;
	open_journal(0);
	for (unsigned revision = 1; revision <= 4; revision++)
		append_named(revision, revision - 1, revision, 5);
	close_journal();
	path_of(0, path);
	len = read_file(path, &bytes);
	for (size_t at = 0; at < 8 * len; at++) {
		struct journal_reader *reader;
		struct journal_entry entry;
		unsigned revision = 1, left = 1;

		bytes[at / 8] ^= (uint8_t)(1u << at % 8);
		write_file(path, bytes, len);
		reader = open_reader(0);
		while ((entry = next(reader)).event == JOURNAL_CHANGE) {
			assert_int_equal(entry.revision, revision);
			if (--left == 0)
				left = ++revision;
		}
		assert_int_equal(entry.event, JOURNAL_END);
		assert_true(left == revision && revision <= 4); /* whole ones, not all */
		journal_reader_close(reader);
		bytes[at / 8] ^= (uint8_t)(1u << at % 8);
	}
	free(bytes);
}

static void
a_start_after_a_crash_shows_what_is_missing(void **context)
{
	struct journal_reader *reader;
	struct journal_status status;
	uint8_t *bytes;
	char path[PATH_MAX];
	size_t len;

	(void)context;
	open_journal(0);
	append(1);
	append(2);
	close_journal();
	path_of(0, path);
	len = read_file(path, &bytes);
	write_file(path, bytes, len - 1); /* 2 is torn; state has 3 */
	free(bytes);
	open_journal(3);
	journal_read_status(journal, &status);
	assert_int_equal(status.gaps, 1);
	reader = open_reader(0); /* without a write */
	expect_change(reader, 1, 1);
	expect_gap(reader, 1, 3);
	expect_end(reader);
	append(4);
	flush();
	reader = open_reader(0);
	expect_change(reader, 1, 1);
	expect_gap(reader, 1, 3);
	expect_change(reader, 4, 1);
	expect_end(reader);
	reader = open_reader(3);
	expect_change(reader, 4, 1);
	expect_end(reader);
	assert_int_equal(alarms, 0);
}

static void
a_start_without_a_crash_shows_nothing_missing(void **context)
{
	struct journal_reader *reader;
	struct journal_status status;

	(void)context;
	for (uint64_t revision = 1; revision <= 5; revision++) {
		open_journal(revision - 1);
		append(revision);
		close_journal();
	}
	open_journal(5);
	journal_read_status(journal, &status);
	assert_int_equal(status.gaps, 0);
	assert_int_equal(status.oldest, 0);
	reader = open_reader(0);
	for (uint64_t revision = 1; revision <= 5; revision++)
		expect_change(reader, revision, 1);
	expect_end(reader);
}

static void
segments_of_another_state_are_set_aside(void **context)
{
	static const uint8_t other[STATE_INSTANCE_SIZE] = "other";
	struct journal_reader *reader;
	struct reason reason = { "" };
	char path[PATH_MAX], aside[PATH_MAX + 8];

	(void)context;
	open_journal(0);
	append(1);
	append(2);
	close_journal();
	open_journal(1); /* state is older than its journal */
	append(2);
	flush();
	path_of(0, path);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(aside, F_OK), 0);
	close_journal();
	assert_int_equal(journal_open(root, other, 9, &settings, on_alarm, NULL, &journal, &reason),
		STATUS_OK);
	path_of(1, path);
	assert_int_equal(access(path, F_OK), -1);
	reader = open_reader(0);
	expect_gap(reader, 0, 9);
	expect_end(reader);
}

static void
a_full_disk_costs_an_alarm_and_no_history(void **context)
{
	struct journal_reader *reader;
	struct journal_status status;

	(void)context;
	open_journal(0);
	append(1);
	flush();
	disk_error = ENOSPC;
	append(2);
	wait_alarms(1);
	assert_non_null(strstr(alarm_text, "No space left on device"));
	for (uint64_t revision = 3; revision <= 9; revision++)
		append(revision);
	journal_read_status(journal, &status);
	assert_non_null(strstr(status.error, "No space left on device"));
	assert_int_equal(status.last, 1);
	reader = open_reader(0);
	expect_change(reader, 1, 1);
	expect_end(reader);
	disk_error = 0;
	flush();
	reader = open_reader(0);
	for (uint64_t revision = 1; revision <= 9; revision++)
		expect_change(reader, revision, 1);
	expect_end(reader);
	journal_read_status(journal, &status);
	assert_string_equal(status.error, "");
	assert_int_equal(status.gaps, 0);
	assert_int_equal(alarms, 1);
}

static void
a_disk_that_hangs_costs_history_and_never_the_writer(void **context)
{
	const uint64_t begin_ms = clock_boot_ms();
	const unsigned count = 2 * JOURNAL_QUEUE_MAX / (20 * 60000);
	struct journal_reader *reader;
	struct journal_entry entry;
	struct journal_status status;
	uint64_t missing;

	(void)context;
	open_journal(0);
	append(1);
	flush();
	disk_hangs = true;
	for (uint64_t revision = 2; revision <= count; revision++)
		append_named(revision, revision - 1, 20, 60000);
	assert_true(clock_boot_ms() - begin_ms < WAIT_MS);
	journal_read_status(journal, &status);
	assert_true(status.queued <= JOURNAL_QUEUE_MAX + 20 * 60100);
	assert_int_equal(status.gaps, 1);
	assert_int_equal(alarms, 1); /* at once: the thread of the journal cannot */
	assert_non_null(strstr(alarm_text, "missing"));
	assert_false(journal_flush(journal, 1));
	disk_hangs = false;
	flush();
	append_named(count + 1, count, 1, 4);
	flush();
	wait_alarms(2);
	reader = open_reader(0);
	expect_change(reader, 1, 1);
	for (missing = 2; (entry = next(reader)).event == JOURNAL_CHANGE;) {
		assert_int_equal(entry.revision, missing);
		missing += entry.is_last;
	}
	assert_int_equal(entry.event, JOURNAL_GAP);
	assert_int_equal(entry.previous, missing - 1);
	assert_int_equal(entry.revision, count);
	expect_change(reader, count + 1, 1);
	expect_end(reader);
}

static void
a_directory_that_cannot_be_made_is_tried_again(void **context)
{
	struct journal_reader *reader;
	char path[128];

	(void)context;
	snprintf(path, sizeof(path), "%s/journal", root);
	write_file(path, (const uint8_t *)"", 0);
	open_journal(0);
	append(1);
	wait_alarms(1);
	unlink(path);
	flush();
	reader = open_reader(0);
	expect_change(reader, 1, 1);
	expect_end(reader);
}

static void
what_a_backup_needs_is_never_deleted(void **context)
{
	struct journal_segments segments;
	struct journal_reader *reader;

	(void)context;
	settings.size = 1; /* all of it is too much, but what is needed */
	open_journal(0);
	for (uint64_t revision = 1; revision <= 6; revision++) {
		append(revision);
		flush();
		journal_trim(journal, 2); /* begins another segment, too */
	}
	assert_int_equal(journal_reader_list(root, &segments, NULL), STATUS_OK);
	assert_int_equal(segments.count, 4);
	assert_int_equal(segments.segment[0].base, 2);
	free(segments.segment);
	reader = open_reader(2);
	for (uint64_t revision = 3; revision <= 6; revision++)
		expect_change(reader, revision, 1);
	expect_end(reader);
	journal_trim(journal, UINT64_MAX);
	assert_int_equal(journal_reader_list(root, &segments, NULL), STATUS_OK);
	assert_int_equal(segments.count, 1);
	free(segments.segment);
}

static void
what_is_neither_old_nor_too_much_stays(void **context)
{
	struct journal_segments segments;

	(void)context;
	open_journal(0);
	for (uint64_t revision = 1; revision <= 3; revision++) {
		append(revision);
		flush();
		journal_trim(journal, revision);
	}
	assert_int_equal(journal_reader_list(root, &segments, NULL), STATUS_OK);
	assert_int_equal(segments.count, 3);
	free(segments.segment);
	for (size_t i = 0; i < 3; i++) {
		const struct timespec ago[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
		char path[PATH_MAX];

		path_of(i, path);
		assert_int_equal(utimensat(AT_FDCWD, path, ago, 0), 0);
	}
	journal_use(journal, &(struct journal_settings){ .size = 256u << 20, .age_ms = 0 });
	journal_trim(journal, 3);
	assert_int_equal(journal_reader_list(root, &segments, NULL), STATUS_OK);
	assert_int_equal(segments.count, 3); /* 0: no limit */
	free(segments.segment);
	journal_use(journal, &settings);
	journal_trim(journal, 3);
	assert_int_equal(journal_reader_list(root, &segments, NULL), STATUS_OK);
	assert_int_equal(segments.count, 1);
	free(segments.segment);
}

#define BESIDE 20000

static void *
append_many(void *context)
{
	(void)context;
	for (uint64_t revision = 1; revision <= BESIDE; revision++) {
		append_named(revision, revision - 1, revision % 500 == 0 ? 40 : 1,
			revision % 500 == 0 ? 20000 : 50);
		/* the test is of the reader: nothing is to be dropped */
		if (revision % 500 == 0 && !journal_flush(journal, WAIT_MS))
			break;
		if (revision % 1000 == 0)
			journal_trim(journal, 0);
	}
	return NULL;
}

static void
a_reader_beside_the_writer_sees_all_in_order(void **context)
{
	const uint64_t deadline = clock_boot_ms() + 10 * WAIT_MS;
	struct journal_reader *reader;
	uint64_t revision = 1;
	pthread_t thread;

	(void)context;
	settings.size = 64u << 20;
	open_journal(0);
	reader = open_reader(0);
	pthread_create(&thread, NULL, append_many, NULL);
	while (revision <= BESIDE && clock_boot_ms() < deadline) {
		struct journal_entry entry = next(reader);

		assert_int_not_equal(entry.event, JOURNAL_GAP);
		if (entry.event == JOURNAL_END) {
			usleep(100);
			continue;
		}
		assert_int_equal(entry.revision, revision);
		revision += entry.is_last;
	}
	pthread_join(thread, NULL);
	assert_int_equal(revision, BESIDE + 1);
	expect_end(reader);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_appended_is_read_again),
		TEST(reading_begins_above_a_revision_and_goes_on_after_the_end),
		TEST(a_revision_of_many_parts_is_one),
		TEST(of_a_torn_segment_the_whole_revisions_are_read),
		TEST(a_segment_without_its_head_hides_none_of_the_others),
		TEST(of_a_torn_revision_of_many_parts_nothing_is_read),
		TEST(a_flipped_bit_is_never_believed),
		TEST(a_start_after_a_crash_shows_what_is_missing),
		TEST(a_start_without_a_crash_shows_nothing_missing),
		TEST(segments_of_another_state_are_set_aside),
		TEST(a_full_disk_costs_an_alarm_and_no_history),
		TEST(a_disk_that_hangs_costs_history_and_never_the_writer),
		TEST(a_directory_that_cannot_be_made_is_tried_again),
		TEST(what_a_backup_needs_is_never_deleted),
		TEST(what_is_neither_old_nor_too_much_stays),
		TEST(a_reader_beside_the_writer_sees_all_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
