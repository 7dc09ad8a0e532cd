/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A serve whose values have right checksums and any content (lib/serve/layout.h, lib/lookup/lookup.h), in a
 * real environment whose transaction is never committed. The input: type and name of the
 * query, then entries { key length u8, value length u16, key, value }. An entry whose key is
 * longer than a name's is the meta record. Checksums are made right; with bit 15 of the length
 * set, the value is put as it is.
 */
#include <lmdb.h>
#include <unistd.h>

#include "lib/lookup/answer.h"
#include "lib/base/checksum.h"
#include "lib/lookup/lookup.h"
#include "lib/base/status.h"
#include "lib/serve/layout.h"
#include "lib/serve/writer.h"
#include "tests/fuzz/fuzz_file.h"

#define MAP_SIZE (16u << 20)
#define ENTRIES_MAX 32
#define AS_IT_IS 0x8000u

static struct serve_writer *writer;
static struct answer answer;
static struct zones zones;
static struct lookup_memory memory[2];

static void
make_zone(const char *wire, uint8_t len)
{
	struct zone *zone = &zones.zone[zones.count++];

	zone->name.len = len;
	memcpy(zone->name.wire, wire, len);
	name_to_key(zone->name.wire, &zone->key);
	zone->ttl = zone->negative_ttl = 5;
	zone->stale_ms = 1000;
}

static void
open_store(void)
{
	const char *directory = fuzz_directory();
	struct reason reason;

	/* made beside the directory and never published, so that closing removes it */
	if (serve_writer_create(directory, MAP_SIZE, &writer, &reason) != STATUS_OK
		|| answer_init(&answer) != STATUS_OK)
		abort();
	rmdir(directory);
	zones.zone = fuzz_must(calloc(2, sizeof(*zones.zone)));
	make_zone("\1z", 3);
	make_zone("\1b\1z", 5);
	zones.zone[1].delegation = ZONE_DELEGATION_RECURSE;
	zones.zone[1].any = ZONE_ANY_FULL;
	if (zones_finish(&zones, NULL) != STATUS_OK)
		abort();
}

static void
close_store(void)
{
	serve_writer_close(writer);
	answer_done(&answer);
	zones_done(&zones);
}

static void
seal(const uint8_t *key, size_t key_len, uint8_t *value, size_t len)
{
	uint32_t checksum = checksum_crc32c_two(key, key_len, value + 4, len - 4);

	for (size_t i = 0; i < 4; i++)
		value[i] = (uint8_t)(checksum >> (8 * i));
}

static void
put(struct serve_txn *txn, void *key, size_t key_len, uint8_t *value, size_t len)
{
	MDB_val at = { key_len, key }, content = { len, value };

	FUZZ_CHECK(mdb_put(txn->txn, txn->dbi, &at, &content, 0) == 0);
}

static void
put_entry(struct serve_txn *txn, const uint8_t *key, size_t key_len, const uint8_t *data,
	size_t len, bool is_raw)
{
	uint8_t *value = (uint8_t *)fuzz_text(data, len);
	struct name_key owner = { .len = (uint8_t)key_len };
	uint8_t bytes[SERVE_KEY_MAX];

	if (key_len > NAME_KEY_MAX) {
		if (len >= 4)
			seal(NULL, 0, value, len);
		put(txn, SERVE_META_KEY, 1, value, len);
	} else {
		memcpy(owner.bytes, key, key_len);
		if (len >= 4 && !is_raw)
			seal(owner.bytes, owner.len, value, len);
		put(txn, bytes, serve_node_key(&owner, bytes), value, len);
	}
	free(value);
}

static void
fill(struct serve_txn *txn, const uint8_t *data, size_t size)
{
	for (size_t i = 0; size > 3 && i < ENTRIES_MAX; i++) {
		size_t key_len = fuzz_take_u8(&data, &size);
		size_t head = fuzz_take_u16(&data, &size), len = head & ~AS_IT_IS;
		const uint8_t *key;

		if (key_len > size)
			key_len = size;
		key = data;
		data += key_len, size -= key_len;
		if (len > size)
			len = size;
		put_entry(txn, key, key_len, data, len, (head & AS_IT_IS) != 0);
		data += len, size -= len;
	}
}

/* Whatever is stored, an answer is one that can be sent. */
static void
check_answer(void)
{
	FUZZ_CHECK(answer.rrset_count <= ANSWER_RRSETS_MAX);
	FUZZ_CHECK(answer.used <= ANSWER_BUFFER_SIZE);
	for (size_t i = 0; i < answer.rrset_count; i++) {
		const struct answer_rrset *rrset = &answer.rrset[i];

		FUZZ_CHECK(rrset->count >= 1 && rrset->count <= RRSET_RECORDS_MAX);
		FUZZ_CHECK(rrset_is_well_formed(rrset->rdata, rrset->rdata_len,
			rrset->count));
		FUZZ_CHECK(name_wire_length(rrset->owner, rrset->owner_len)
			== rrset->owner_len);
	}
	if (answer.kind == ANSWER_ELSEWHERE)
		FUZZ_CHECK(name_wire_length(answer.target.wire, answer.target.len)
			== answer.target.len);
	FUZZ_CHECK(answer_rcode(&answer) <= ANSWER_RCODE_YXDOMAIN);
}

static void
ask(struct serve_txn *txn, const struct name *name, uint16_t type, uint64_t age_ms)
{
	static struct lookup_trace trace;
	struct lookup_query query = { .name = name->wire, .type = type,
		.wants_additional = true, .now_ms = 1000, .age_ms = age_ms,
		.memory = memory, .trace = &trace };
	struct name_key key;
	const struct zone *zone;

	name_to_key(name->wire, &key);
	zone = zones_match(&zones, &key);
	if (!zone)
		return;
	memset(memory, 0, sizeof(memory));
	trace.count = 0;
	answer_reset(&answer);
	lookup_answer(&zones, zone, &key, &query, txn, &answer);
	FUZZ_CHECK(trace.count <= LOOKUP_STEPS_MAX);
	check_answer();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t type = fuzz_take_u16(&data, &size);
	struct reason reason = { "" };
	struct serve_txn *txn;
	struct serve_meta meta;
	struct name name;

	if (!writer) {
		open_store();
		atexit(close_store);
	}
	if (name_from_wire(data, size, &name) != STATUS_OK)
		return 0;
	if (serve_writer_begin(writer, &txn, NULL) != STATUS_OK)
		abort();
	fill(txn, data + name.len, size - name.len);
	if (serve_read_meta(txn, &meta, &reason) != STATUS_OK)
		FUZZ_CHECK(reason.text[0] != '\0');
	ask(txn, &name, type, 0);
	ask(txn, &name, type, 500);
	ask(txn, &name, RRSET_ANY, 0);
	serve_writer_abort(txn);
	return 0;
}
