/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * What http.c (listeners, threads, connections) and http_exchange.c (requests) share. For
 * these two only.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "sidecar/http/http.h"
#include "sidecar/http/http_peers.h"

struct MHD_Daemon;

struct http_server {
	const struct http_handler *handler;
	struct MHD_Daemon *daemon;
	struct http_peers peers;
	char *spool_dir;
	char *unix_path;
	struct stat unix_stat; /* whose file to remove at the end */
	int unix_fd, tcp_fd;   /* -1: off; the accept thread's */
	int wake_fd;
	int reserve_fd; /* closed for a moment when descriptors run out */
	pthread_t thread;
	atomic_bool is_stopping;
	atomic_bool is_done;
	/* http_exchange.c's: slots for bulk bodies */
	pthread_mutex_t bulk_lock;
	pthread_cond_t bulk_free;
	unsigned bulk_used;
};
