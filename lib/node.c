/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The serve value: encoded by livezoned's writer thread, decoded by Unbound's workers on
 * the way of a query. The decoder trusts no byte.
 */
#include "lib/node.h"

#include <string.h>

#include "lib/checksum.h"
#include "lib/cursor.h"
#include "lib/status.h"

#define MAGIC 0x314e5a4cu /* "LZN1" */
#define MAGIC_FAMILY 0x004e5a4cu /* "LZN" of any version */
#define KEY_AT 32
#define HEAD_SIZE 24

static size_t
align8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

int
node_open(const uint8_t *value, size_t len, const struct name_key *key, struct node *out)
{
	struct cursor cursor = cursor_init(value, len);
	uint32_t checksum = cursor_u32(&cursor);
	uint32_t magic = cursor_u32(&cursor);
	uint32_t length = cursor_u32(&cursor);
	uint16_t count = cursor_u16(&cursor);
	uint16_t key_len = cursor_u16(&cursor);
	uint64_t revision = cursor_u64(&cursor);
	uint32_t flags = cursor_u32(&cursor);
	size_t heads = KEY_AT + align8(key_len);

	if (cursor.failed)
		return STATUS_CORRUPT;
	if (magic != MAGIC)
		return (magic & 0x00ffffffu) == MAGIC_FAMILY ? STATUS_FOREIGN
							     : STATUS_CORRUPT;
	if (length != len || len > NODE_SIZE_MAX || count > NODE_RRSETS_MAX
		|| key_len != key->len || heads + (size_t)count * HEAD_SIZE > len)
		return STATUS_CORRUPT;
	if (checksum_crc32c(value + 4, len - 4) != checksum)
		return STATUS_CORRUPT;
	if (memcmp(value + KEY_AT, key->bytes, key_len) != 0)
		return STATUS_CORRUPT;
	*out = (struct node){
		.value = value,
		.length = length,
		.revision = revision,
		.flags = flags,
		.count = count,
		.heads = (uint32_t)heads,
	};
	return STATUS_OK;
}

int
node_rrset(const struct node *node, size_t index, struct node_rrset *out)
{
	struct cursor cursor =
		cursor_init(node->value + node->heads + index * HEAD_SIZE, HEAD_SIZE);
	struct node_rrset found = {
		.type = cursor_u16(&cursor),
		.count = cursor_u16(&cursor),
		.ttl = cursor_u32(&cursor),
	};
	uint32_t offset = cursor_u32(&cursor);

	found.rdata_len = cursor_u32(&cursor);
	found.expires_ms = cursor_u64(&cursor);
	found.rdata = node->value + offset;
	if (found.count == 0 || found.count > RRSET_RECORDS_MAX
		|| offset > node->length || found.rdata_len > node->length - offset
		|| !rrset_is_well_formed(found.rdata, found.rdata_len, found.count))
		return STATUS_CORRUPT;
	*out = found;
	return STATUS_OK;
}

int
node_find(const struct node *node, uint16_t type, uint64_t now_ms, struct node_rrset *out)
{
	size_t i;

	for (i = 0; i < node->count; i++) {
		const uint8_t *head = node->value + node->heads + i * HEAD_SIZE;
		int status;

		if ((head[0] | head[1] << 8) != type)
			continue;
		status = node_rrset(node, i, out);
		if (status == STATUS_OK && out->expires_ms != 0
			&& out->expires_ms <= now_ms)
			return STATUS_NOT_FOUND;
		return status;
	}
	return STATUS_NOT_FOUND;
}

size_t
node_size(const struct name_key *key, const struct node_rrset *rrsets, size_t count)
{
	size_t size = KEY_AT + align8(key->len) + count * HEAD_SIZE;
	size_t i;

	for (i = 0; i < count; i++)
		size += rrsets[i].rdata_len;
	return size;
}

void
node_encode(const struct name_key *key, uint64_t revision, uint32_t flags,
	const struct node_rrset *rrsets, size_t count, uint8_t *out)
{
	static const uint8_t zeros[8];
	size_t size = node_size(key, rrsets, count);
	struct cursor_out cursor = cursor_out_init(out, size);
	size_t i, offset = KEY_AT + align8(key->len) + count * HEAD_SIZE;

	cursor_put_u32(&cursor, 0);
	cursor_put_u32(&cursor, MAGIC);
	cursor_put_u32(&cursor, (uint32_t)size);
	cursor_put_u16(&cursor, (uint16_t)count);
	cursor_put_u16(&cursor, key->len);
	cursor_put_u64(&cursor, revision);
	cursor_put_u32(&cursor, flags);
	cursor_put_u32(&cursor, 0);
	cursor_put(&cursor, key->bytes, key->len);
	cursor_put(&cursor, zeros, align8(key->len) - key->len);
	for (i = 0; i < count; i++) {
		cursor_put_u16(&cursor, rrsets[i].type);
		cursor_put_u16(&cursor, rrsets[i].count);
		cursor_put_u32(&cursor, rrsets[i].ttl);
		cursor_put_u32(&cursor, (uint32_t)offset);
		cursor_put_u32(&cursor, rrsets[i].rdata_len);
		cursor_put_u64(&cursor, rrsets[i].expires_ms);
		offset += rrsets[i].rdata_len;
	}
	for (i = 0; i < count; i++)
		cursor_put(&cursor, rrsets[i].rdata, rrsets[i].rdata_len);
	cursor = cursor_out_init(out, size);
	cursor_put_u32(&cursor, checksum_crc32c(out + 4, size - 4));
}
