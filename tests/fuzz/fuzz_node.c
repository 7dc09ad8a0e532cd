/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve value (lib/serve/node.h): octet 0 says whether the checksum is made right (1) or left
 * as it is, then the length of the key, the key, and the value.
 */
#include "lib/serve/node.h"

#include "lib/base/checksum.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

static void
seal(const struct name_key *key, uint8_t *value, size_t len)
{
	uint32_t checksum = checksum_crc32c_two(key->bytes, key->len, value + 4, len - 4);

	for (size_t i = 0; i < 4; i++)
		value[i] = (uint8_t)(checksum >> (8 * i));
}

/* What is taken once is taken again, after it was written. */
static void
check_again(const struct node *node, const struct name_key *key, struct node_rrset *rrsets)
{
	struct node again;
	size_t size = node_size(rrsets, node->count);
	uint8_t *value;

	if (size > NODE_SIZE_MAX)
		return;
	value = fuzz_must(malloc(size));
	node_encode(key, node->revision, node->flags, rrsets, node->count, value);
	FUZZ_CHECK(node_open(value, size, key, &again) == STATUS_OK);
	FUZZ_CHECK(again.count == node->count && again.revision == node->revision);
	for (size_t i = 0; i < node->count; i++) {
		struct node_rrset rrset;

		FUZZ_CHECK(node_rrset(&again, i, &rrset) == STATUS_OK);
		FUZZ_CHECK(rrset.type == rrsets[i].type && rrset.ttl == rrsets[i].ttl
			&& rrset.count == rrsets[i].count
			&& rrset.expires_ms == rrsets[i].expires_ms
			&& rrset.rdata_len == rrsets[i].rdata_len
			&& memcmp(rrset.rdata, rrsets[i].rdata, rrset.rdata_len) == 0);
	}
	/* any other name has another checksum */
	if (key->len > 0) {
		struct name_key other = *key;

		other.bytes[0] ^= 1;
		FUZZ_CHECK(node_open(value, size, &other, &again) == STATUS_CORRUPT);
	}
	free(value);
}

static void
check_node(const struct node *node, const struct name_key *key)
{
	struct node_rrset rrsets[NODE_RRSETS_MAX], found;
	bool is_whole = true;

	for (size_t i = 0; i < node->count; i++) {
		int status = node_rrset(node, i, &rrsets[i]);

		FUZZ_CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
		is_whole = is_whole && status == STATUS_OK;
		if (status != STATUS_OK)
			continue;
		FUZZ_CHECK(rrsets[i].count >= 1 && rrsets[i].count <= RRSET_RECORDS_MAX);
		FUZZ_CHECK(rrset_is_well_formed(rrsets[i].rdata, rrsets[i].rdata_len,
			rrsets[i].count));
		FUZZ_CHECK(rrsets[i].rdata >= node->value
			&& rrsets[i].rdata + rrsets[i].rdata_len
				<= node->value + node->length);
		/* at the end of time every lease is over */
		status = node_find(node, rrsets[i].type, UINT64_MAX, &found);
		FUZZ_CHECK(status != STATUS_OK || found.expires_ms == 0);
		status = node_find(node, rrsets[i].type, 0, &found);
		FUZZ_CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
	}
	if (is_whole)
		check_again(node, key, rrsets);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_sealed = fuzz_take_u8(&data, &size) & 1;
	struct name_key key = { .len = fuzz_take_u8(&data, &size) };
	struct node node = { .count = 7 };
	uint8_t *value;
	int status;

	if (key.len > NAME_KEY_MAX || key.len > size)
		return 0;
	memcpy(key.bytes, data, key.len);
	value = (uint8_t *)fuzz_text(data + key.len, size - key.len);
	size -= key.len;
	if (is_sealed && size >= 4)
		seal(&key, value, size);
	status = node_open(value, size, &key, &node);
	if (status == STATUS_OK)
		check_node(&node, &key);
	else
		FUZZ_CHECK((status == STATUS_CORRUPT || status == STATUS_FOREIGN)
			&& node.count == 7);
	free(value);
	return 0;
}
