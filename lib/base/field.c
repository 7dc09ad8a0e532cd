/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Text files of one process for another: reports of the module, and what livezoned says of
 * itself. On the keeper's thread and on livezoned's; never on the way of a query.
 */
#include "lib/base/field.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/status.h"

static int write_new(int directory, const char *name, field_print_fn print,
	const void *record);
static int read_whole(int fd, size_t size_max, char **out);

void
field_print_all(FILE *file, const struct field_table *table, const void *record)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->field[i];
		const char *at = (const char *)record + field->offset;
		uint64_t number = 0;
		unsigned small = 0;

		fprintf(file, "%s ", field->key);
		switch (field->kind) {
		case FIELD_TEXT:
			field_print_text(file, at);
			break;
		case FIELD_NUMBER:
			memcpy(&number, at, sizeof(number));
			fprintf(file, "%" PRIu64, number);
			break;
		case FIELD_UNSIGNED:
			memcpy(&small, at, sizeof(small));
			fprintf(file, "%u", small);
			break;
		}
		putc('\n', file);
	}
}

void
field_print_text(FILE *file, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
}

void
field_parse_line(const char *line, const struct field_table *table, void *record)
{
	size_t key = strcspn(line, " ");
	const char *value = line[key] ? line + key + 1 : line + key;

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->field[i];
		char *at = (char *)record + field->offset;
		uint64_t number = 0;
		unsigned small;

		if (strlen(field->key) != key || strncmp(line, field->key, key) != 0)
			continue;
		if (field->kind == FIELD_TEXT) {
			snprintf(at, field->size, "%s", value);
		} else if (!field_parse_number(value, &number)) {
			return;
		} else if (field->kind == FIELD_NUMBER) {
			memcpy(at, &number, sizeof(number));
		} else {
			small = number > UINT16_MAX ? UINT16_MAX : (unsigned)number;
			memcpy(at, &small, sizeof(small));
		}
	}
}

bool
field_parse_number(const char *text, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno)
		return false;
	*out = value;
	return true;
}

int
field_open_directory(const char *dir, int *out_fd, struct reason *reason)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return reason_set(reason, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
			"%s: %s", dir, strerror(errno));
	*out_fd = fd;
	return STATUS_OK;
}

int
field_write_file(int directory, const char *name, field_print_fn print, const void *record)
{
	char temporary[FIELD_NAME_MAX];
	int status, error;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	status = write_new(directory, temporary, print, record);
	if (status == STATUS_OK && renameat(directory, temporary, directory, name) != 0)
		status = STATUS_IO;
	if (status == STATUS_OK)
		return status;
	error = errno;
	unlinkat(directory, temporary, 0);
	errno = error;
	return error == ENOSPC || error == EDQUOT ? STATUS_FULL : status;
}

static int
write_new(int directory, const char *name, field_print_fn print, const void *record)
{
	FILE *file;
	int error;
	int fd;

	unlinkat(directory, name, 0); /* of a process that was killed as it wrote */
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0640);
	if (fd < 0)
		return STATUS_IO;
	(void)fchmod(fd, 0640); /* the directory's group reads it, whatever the umask */
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return STATUS_IO;
	}
	print(file, record);
	error = ferror(file);
	return fclose(file) || error ? STATUS_IO : STATUS_OK;
}

int
field_read_file(int directory, const char *name, size_t size_max, char **out)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int status;

	if (fd < 0)
		return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
	status = read_whole(fd, size_max, out);
	close(fd);
	return status;
}

static int
read_whole(int fd, size_t size_max, char **out)
{
	struct stat info;
	size_t size, used = 0;
	ssize_t got = 1;
	char *text;

	if (fstat(fd, &info) || !S_ISREG(info.st_mode))
		return STATUS_INVALID;
	if (info.st_size > (off_t)size_max)
		return STATUS_TOO_LARGE;
	size = (size_t)info.st_size;
	text = malloc(size + 1);
	if (!text)
		return STATUS_NO_MEMORY;
	while (got > 0 && used < size) {
		got = read(fd, text + used, size - used);
		used += got > 0 ? (size_t)got : 0;
	}
	text[used] = '\0';
	if (got < 0 || memchr(text, '\0', used)) {
		free(text);
		return got < 0 ? STATUS_IO : STATUS_CORRUPT;
	}
	*out = text;
	return STATUS_OK;
}
