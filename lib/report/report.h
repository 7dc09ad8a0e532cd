/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What a loaded module says of itself: a small text file in the serve directory,
 * "unbound-<pid>.report", written whole by its keeper thread once a second (temporary
 * name, then rename) and read by livezoned for /v1/status. Lines are "key value", first
 * line "livezone-report 1"; unknown keys are skipped by readers.
 *
 * A report outlives a process that did not end by itself, and is then what the module's
 * next start knows of it (module/breaker.h).
 *
 * And what both sides of serve must have in common. The lock file is memory that they share:
 * mutexes of the C library, in LMDB's layout, with process ids in them, and LMDB itself notices
 * next to nothing of what may differ (doc/lmdb.md, "formats"). So each side says what it is:
 * the module in its report, livezoned in "livezoned.identity", which lies in serve before serve is
 * published; the same kind of lines, first line "livezone-identity 1".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/clock.h"
#include "lib/base/reason.h"

#define REPORT_ZONES_MAX 1024
/* Between two looks of a calm keeper at the files: within that a replaced store is noticed. */
#define REPORT_LOOK_MS 250
#define REPORT_CRASHES 3 /* unclean exits that are remembered */

/* How an answer came about: the ladder of architecture.md. */
enum report_stage {
	REPORT_LIVE,
	REPORT_STALE,
	REPORT_FALLBACK,
	REPORT_NEXT,   /* passed on */
	REPORT_FAILED, /* SERVFAIL */
	REPORT_STAGES,
};

/* Empty or 0: not known, as of an older version; that differs from nothing. */
struct identity {
	uint64_t pid;
	uint64_t pid_namespace;           /* inode */
	char boot_id[CLOCK_BOOT_TEXT_SIZE];  /* the kernel's */
	char lmdb[16];                    /* "0.9.24" */
	char libc[32];                    /* "glibc 2.36" */
	unsigned mutex_size;              /* sizeof(pthread_mutex_t) */
};

enum identity_verdict {
	IDENTITY_FITS,
	IDENTITY_SHARES_PID, /* the same process id in another pid namespace */
	IDENTITY_DIFFERS,    /* must not share a lock file */
};

struct report_zone {
	char name[256]; /* presentation format, escaped, cut */
	uint64_t answers[REPORT_STAGES];
	uint64_t nodata;
	uint64_t nxdomain;
};

struct report {
	pid_t pid;
	char unbound[32];         /* version that the module was built for */
	struct identity identity;        /* with the same pid */
	char store[32];           /* "live", "absent", "refused", "disabled", ... */
	char store_reason[256];   /* why not live; empty otherwise */
	char warning[256];        /* what is wrong although it answers; empty: nothing */
	char serve_instance[33];  /* hex of the instance that is open; empty when none */
	uint64_t serve_inode;     /* of the data.mdb that the workers read; 0 when none */
	uint64_t revision;        /* last revision that the keeper saw */
	uint64_t started_ms;      /* wall clock */
	uint64_t written_ms;      /* wall clock: how fresh this report is */
	uint64_t written_boot_ms; /* the same, on the boot clock of identity.boot_id */
	unsigned ended;           /* 1: by itself; what follows is not a crash */
	uint64_t crash_ms[REPORT_CRASHES]; /* boot clock, newest first; 0: none */
	uint64_t off_until_ms;    /* boot clock: until then the store is not read; 0: it is */
	uint64_t off_pause_ms;    /* how long that was, or is */
	uint64_t opens;           /* environments opened since the start */
	uint64_t corrupt;         /* values that failed their checks */
	uint64_t trips_sigbus;    /* reads that the fault guard ended, by kind */
	uint64_t trips_sigsegv;
	uint64_t trips_assert;
	uint64_t damaged_inode;   /* of a data.mdb that was found damaged; 0: none */
	uint64_t snapshot_revision; /* of the stale snapshot */
	uint64_t snapshot_size;   /* bytes; 0: there is none */
	uint64_t snapshot_ms;     /* wall clock: when it last was equal to the store */
	uint64_t foreign;         /* queries for names in no live zone */
	unsigned workers;
	size_t zone_count;
	struct report_zone *zone; /* zone_count of them, owned */
};

/* Writes the file of report->pid into `dir`. */
int report_write(const char *dir, const struct report *report, struct reason *reason);

/* Called for each report found; the report is gone after the call. */
typedef void (*report_fn)(void *context, const struct report *report);

/* Reads all reports in `dir` but those of processes that are gone, and removes these when
 * they are old. */
int report_read_all(const char *dir, report_fn fn, void *context, struct reason *reason);

/* Reads all reports in `dir`, of living processes and dead. */
int report_read_any(const char *dir, report_fn fn, void *context, struct reason *reason);

/* How long ago it was written, now: by the boot clock when it is of the boot `boot_id`, so that
 * a wall clock that is set changes nothing. */
uint64_t report_age_ms(const struct report *report, const char *boot_id);

/* Removes the report of `pid`. */
void report_remove(const char *dir, pid_t pid);

/* What the calling process is. */
void report_identity_init(struct identity *out);

/* May both use one lock file? Else the reason says what differs, and what to do. */
enum identity_verdict report_identity_compare(const struct identity *own,
	const struct identity *other, struct reason *reason);

/* Writes livezoned's file into `dir`. */
int report_identity_write(const char *dir, const struct identity *side, struct reason *reason);

/* Reads it. STATUS_NOT_FOUND: there is none, as of an older livezoned. */
int report_identity_read(const char *dir, struct identity *out, struct reason *reason);
