/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The way into an image: the file's bytes, and the meta page of a commit. LMDB believes its
 * meta pages; what it would make of a damaged one is refused here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/serve/mdb.h"
#include "lib/serve/mdb_image.h"
#include "lib/serve/mdb_meta.h"
#include "lib/base/status.h"

#define PAGE_META 0x08
#define DEPTH_MAX 32 /* mdb.c CURSOR_STACK */
#define MAP_MAX ((uint64_t)1 << 46) /* what a process can map; LMDB believes the meta page */
#define FLAG_DUPLICATES 0x04 /* MDB_DUPSORT */
#define FLAG_INTEGER 0x08    /* MDB_INTEGERKEY: only the list of free pages has it */
#define READ_SIZE 65536

/* What LMDB wants of both. */
static int
check_header(const struct mdb_meta *page, unsigned number, struct reason *reason)
{
	uint32_t page_size = page->tree[MDB_IMAGE_FREE].page_size;

	if (page->magic != MDB_META_MAGIC)
		return reason_set(reason, STATUS_CORRUPT, "meta page %u: not of LMDB", number);
	if (page->version != MDB_META_VERSION)
		return reason_set(reason, STATUS_FOREIGN,
			"LMDB data format %u: this program knows %u", page->version, MDB_META_VERSION);
	if (page->number != number || (page->flags & MDB_IMAGE_PAGE_KINDS) != PAGE_META
		|| page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)) != 0)
		return reason_set(reason, STATUS_CORRUPT, "meta page %u: damaged", number);
	return STATUS_OK;
}

static int
check_meta(const struct mdb_meta *page, unsigned number, struct reason *reason)
{
	int status = check_header(page, number, reason);
	unsigned i;

	if (status != STATUS_OK)
		return status;
	if (page->map_size > MAP_MAX || page->last_page < 1
		|| page->last_page >= page->map_size / page->tree[MDB_IMAGE_FREE].page_size
		|| (page->tree[MDB_IMAGE_FREE].flags & (FLAG_DUPLICATES | FLAG_INTEGER))
			!= FLAG_INTEGER
		|| page->tree[MDB_IMAGE_MAIN].flags != 0)
		return reason_set(reason, STATUS_CORRUPT, "meta page %u: damaged", number);
	for (i = 0; i < 2; i++)
		if (page->tree[i].depth > DEPTH_MAX
			|| (page->tree[i].root != MDB_META_NO_ROOT
				&& page->tree[i].root > page->last_page))
			return reason_set(reason, STATUS_CORRUPT, "meta page %u: damaged",
				number);
	return STATUS_OK;
}

/* LMDB opens nothing of which one page is bad; what it would open is the newer commit. The
 * rest of the older one is not looked at: a power loss may have come while it was written
 * over, in part, and the next commit writes it anew. */
static int
find_meta(const uint8_t *bytes, uint64_t size, struct mdb_meta page[2],
	struct reason *reason)
{
	uint32_t page_size;
	int status;

	if (size < sizeof(page[0]))
		return reason_set(reason, STATUS_CORRUPT, "shorter than a page");
	memcpy(&page[0], bytes, sizeof(page[0]));
	page_size = page[0].tree[MDB_IMAGE_FREE].page_size;
	status = check_header(&page[0], 0, reason);
	if (status != STATUS_OK)
		return status;
	if (size < 2 * (uint64_t)page_size)
		return reason_set(reason, STATUS_CORRUPT, "shorter than two pages");
	memcpy(&page[1], bytes + page_size, sizeof(page[1]));
	status = check_header(&page[1], 1, reason);
	if (status == STATUS_OK && page[1].tree[MDB_IMAGE_FREE].page_size != page_size)
		status = reason_set(reason, STATUS_CORRUPT, "meta page 1: damaged");
	return status;
}

static void
fill(const void *bytes, uint64_t size, const struct mdb_meta *page, struct mdb_image *out)
{
	unsigned i;

	*out = (struct mdb_image){
		.bytes = bytes,
		.size = size,
		.page_size = page->tree[MDB_IMAGE_FREE].page_size,
		.last_page = page->last_page,
		.txn_id = page->txn_id,
		.pages = size / page->tree[MDB_IMAGE_FREE].page_size,
	};
	for (i = 0; i < 2; i++)
		out->tree[i] = (struct mdb_image_tree){
			.flags = page->tree[i].flags,
			.depth = page->tree[i].depth,
			.branch_pages = page->tree[i].branch_pages,
			.leaf_pages = page->tree[i].leaf_pages,
			.overflow_pages = page->tree[i].overflow_pages,
			.entries = page->tree[i].entries,
			.root = page->tree[i].root,
		};
}

int
mdb_image_open(const void *bytes, uint64_t size, uint64_t txn_id, struct mdb_image *out,
	struct reason *reason)
{
	struct mdb_meta page[2];
	const struct mdb_meta *found;
	int status;

	if (sizeof(void *) != 8)
		return reason_set(reason, STATUS_FOREIGN, "LMDB's pages of 32-bit systems");
	status = find_meta(bytes, size, page, reason);
	if (status != STATUS_OK)
		return status;
	found = &page[txn_id == 0 ? page[1].txn_id > page[0].txn_id : txn_id & 1];
	if (txn_id != 0 && found->txn_id != txn_id)
		return reason_set(reason, STATUS_UNAVAILABLE, "commits come too fast");
	status = check_meta(found, (unsigned)found->number, reason);
	if (status == STATUS_OK)
		fill(bytes, size, found, out);
	return status;
}

int
mdb_image_open_damaged(
	const void *bytes, uint64_t size, struct mdb_image *out, struct reason *reason)
{
	static const uint32_t sizes[] = { 4096, 8192, 16384, 32768, 65536 };
	struct mdb_meta page, found = { .txn_id = 0 };
	unsigned i, good = 0;

	if (sizeof(void *) != 8)
		return reason_set(reason, STATUS_FOREIGN, "LMDB's pages of 32-bit systems");
	if (size >= sizeof(page)) {
		memcpy(&page, bytes, sizeof(page));
		if (check_meta(&page, 0, reason) == STATUS_OK) {
			found = page;
			good++;
		}
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (size < sizes[i] + sizeof(page))
			break;
		memcpy(&page, (const uint8_t *)bytes + sizes[i], sizeof(page));
		if (check_meta(&page, 1, reason) != STATUS_OK
			|| page.tree[MDB_IMAGE_FREE].page_size != sizes[i])
			continue;
		good++;
		if (page.txn_id > found.txn_id)
			found = page;
	}
	if (found.txn_id == 0)
		return reason_set(reason, STATUS_CORRUPT, "no meta page can be read");
	if (size < found.tree[MDB_IMAGE_FREE].page_size)
		return reason_set(reason, STATUS_CORRUPT, "shorter than a page");
	fill(bytes, size, &found, out);
	out->may_be_older = good < 2;
	return STATUS_OK;
}

/* --- the file --- */

/* A piece that the disk does not give stays zero, which is no page. */
static void
read_piece(int fd, uint8_t *bytes, uint64_t at, uint64_t size)
{
	size_t wanted = size - at < READ_SIZE ? (size_t)(size - at) : READ_SIZE, used = 0;

	while (used < wanted) {
		ssize_t len = pread(fd, bytes + at + used, wanted - used, (off_t)(at + used));

		if (len == 0 || (len < 0 && errno != EINTR))
			return;
		if (len > 0)
			used += (size_t)len;
	}
}

int
mdb_image_load(const char *path, void **out_bytes, uint64_t *out_size, struct reason *reason)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat file;
	uint64_t at;
	void *bytes;

	if (fd < 0)
		return status_from_mdb_reason(errno, path, reason);
	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size == 0) {
		close(fd);
		return reason_set(reason, STATUS_CORRUPT, "%s: empty, or no file", path);
	}
	bytes = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED) {
		close(fd);
		return reason_set(reason, STATUS_NO_MEMORY, "%s: no memory for %lld bytes",
			path, (long long)file.st_size);
	}
	for (at = 0; at < (uint64_t)file.st_size; at += READ_SIZE)
		read_piece(fd, bytes, at, (uint64_t)file.st_size);
	close(fd);
	*out_bytes = bytes;
	*out_size = (uint64_t)file.st_size;
	return STATUS_OK;
}

void
mdb_image_unload(void *bytes, uint64_t size)
{
	if (bytes)
		munmap(bytes, size);
}
