/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * main() of a fuzz target that is built without libFuzzer: runs it once over each file of its
 * corpus, or over the files and directories that it is given. The output is TAP with one test,
 * which fails with the name of the file that broke the target; a comment line names each file
 * before it is run, for faults that end the program at once.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FILES_MAX 20000 /* of one directory */

static unsigned count;
static char running[64 + NAME_MAX]; /* "not ok 1 - <file>" */

static void
fail(const char *what, const char *why)
{
	printf("not ok 1 - %s: %s\n", what, why);
	exit(1);
}

/* FUZZ_CHECK and sanitizers abort; the signal then ends the program. */
static void
name_the_file(int signal_number)
{
	ssize_t ignored = write(STDOUT_FILENO, running, strlen(running));

	(void)ignored;
	signal(signal_number, SIG_DFL);
}

static void
run_file(const char *path)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	struct stat info;
	size_t size;

	if (!file || fstat(fileno(file), &info) != 0)
		fail(base, strerror(errno));
	size = (size_t)info.st_size;
	/* exactly as long as the input: a sanitizer sees a byte too many */
	data = fuzz_must(malloc(size > 0 ? size : 1));
	size = fread(data, 1, size, file);
	fclose(file);
	printf("# %s\n", base);
	fflush(stdout);
	snprintf(running, sizeof(running), "not ok 1 - %s\n", base);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	count++;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
run_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_visible, alphasort);
	int i;

	if (n <= 0 || n > FILES_MAX)
		fail(path, "not a corpus");
	for (i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(file);
		free(entries[i]);
	}
	free(entries);
}

static void
run(const char *path)
{
	struct stat info;

	if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
		run_directory(path);
	else
		run_file(path);
}

int
main(int argc, char **argv)
{
	const char *top = getenv("LIVEZONE_SRCDIR");
	const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	char corpus[PATH_MAX];
	int i;

	if (strncmp(base, "lt-", 3) == 0) /* of libtool, for a program that is not installed */
		base += 3;
	puts("1..1");
	signal(SIGABRT, name_the_file);
	for (i = 1; i < argc; i++)
		run(argv[i]);
	if (argc == 1) {
		if (strncmp(base, "fuzz_", 5) == 0)
			base += 5;
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", top ? top : ".",
			base);
		run(corpus);
	}
	printf("ok 1 - %u files\n", count);
	return 0;
}
