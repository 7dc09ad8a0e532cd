/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * backup: the whole state as JSON lines. The last line is checked before anyone gets to see the
 * file: it appears under its name, or is written to standard output, only when it is whole.
 * restore: the whole state replaced by a backup, which livezoned checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/call.h"
#include "client/command.h"
#include "client/input.h"
#include "client/output.h"
#include "lib/base/checksum.h"

static FILE *open_partial(const char *path, char **out_partial);
static enum command_exit fetch(const struct command_line *line, FILE *file);
static enum command_exit check(FILE *file);
static enum command_exit keep(FILE *file, const char *partial, const char *path);
static enum command_exit print(FILE *file);

enum command_exit
cmd_backup(const struct command_line *line)
{
	const char *path = line->count > 0 ? line->argument[0] : NULL;
	enum command_exit result;
	char *partial = NULL;
	FILE *file;

	if (path && strcmp(path, "-") == 0)
		path = NULL;
	file = path ? open_partial(path, &partial) : tmpfile();
	if (!file) {
		command_complain("%s: %s", path ? path : "temporary file", strerror(errno));
		free(partial);
		return COMMAND_REFUSED;
	}
	result = fetch(line, file);
	if (result == COMMAND_OK)
		result = path ? keep(file, partial, path) : print(file);
	if (result != COMMAND_OK && partial)
		unlink(partial);
	fclose(file);
	free(partial);
	return result;
}

/* "<path>.partial", for its owner only: a backup holds every internal name. */
static FILE *
open_partial(const char *path, char **out_partial)
{
	int fd;

	if (asprintf(out_partial, "%s.partial", path) < 0) {
		*out_partial = NULL;
		return NULL;
	}
	fd = open(*out_partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w+");
}

static enum command_exit
fetch(const struct command_line *line, FILE *file)
{
	struct api_request request = {
		.method = "GET",
		.path = "/v1/backup",
		.sink = file,
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	enum command_exit result = call(line, &request, NULL);

	if (result == COMMAND_OK && fflush(file) != 0) {
		command_complain("writing the backup: %s", strerror(errno));
		return COMMAND_REFUSED;
	}
	return result == COMMAND_OK ? check(file) : result;
}

/* The last line has the checksum of all before it, and the number of RRsets. */
static enum command_exit
check(FILE *file)
{
	struct json_object *trailer;
	uint32_t checksum = 0xffffffffu, before = checksum;
	uint64_t lines = 0;
	char *line = NULL, crc[9];
	size_t room = 0;
	ssize_t len;
	bool is_whole;

	rewind(file);
	for (; (len = getline(&line, &room, file)) > 0; lines++) {
		before = checksum;
		checksum = checksum_crc32c_more(checksum, line, (size_t)len);
	}
	snprintf(crc, sizeof(crc), "%08x", ~before);
	trailer = lines > 0 ? json_tokener_parse(line) : NULL;
	is_whole = lines >= 2 && strcmp(output_text(trailer, "livezone"), "end") == 0
		&& strcmp(output_text(trailer, "crc"), crc) == 0
		&& output_number(trailer, "count") == lines - 2;
	json_object_put(trailer);
	free(line);
	if (is_whole)
		return COMMAND_OK;
	command_complain("the backup came cut short or damaged (%llu lines)",
		(unsigned long long)lines);
	return COMMAND_REFUSED;
}

static enum command_exit
keep(FILE *file, const char *partial, const char *path)
{
	if (fsync(fileno(file)) == 0 && rename(partial, path) == 0)
		return COMMAND_OK;
	command_complain("%s: %s", path, strerror(errno));
	return COMMAND_REFUSED;
}

static enum command_exit
print(FILE *file)
{
	char buffer[65536];
	size_t got;

	rewind(file);
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
		if (fwrite(buffer, 1, got, stdout) != got)
			break;
	if (!ferror(file) && fflush(stdout) == 0)
		return COMMAND_OK;
	command_complain("standard output: %s", strerror(errno));
	return COMMAND_REFUSED;
}

static void
print_restored(struct json_object *reply)
{
	fputs("restored: ", stdout);
	output_replaced(reply);
}

enum command_exit
cmd_restore(const struct command_line *line)
{
	struct api_request request = {
		.method = "PUT",
		.path = "/v1/restore",
		.content_type = "application/x-ndjson",
		.timeout_s = API_BULK_TIMEOUT_S,
	};
	enum command_exit result;

	request.body_file = input_open(line->argument[0]);
	if (!request.body_file)
		return COMMAND_REFUSED;
	result = call_and_show(line, &request, NULL, print_restored, NULL);
	fclose(request.body_file);
	return result;
}
