/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Bodies of the API (rrset_json.h, api_body.h, change.h): octet 0 says what kind of body
 * the rest is. A change that is taken keeps every rule, and each of its RRsets comes back
 * from the JSON that the API makes of it.
 */
#include <unistd.h>

#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "sidecar/api/api.h"
#include "sidecar/json/buffer.h"
#include "sidecar/write/change.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/rrset_json.h"
#include "tests/fuzz/fuzz.h"

#define CHECKED_MAX 50 /* items read again, of one change */

static struct zones zones;
static struct rrset_json_reader *reader;

static void
make_zones(void)
{
	static const char *const names[] = { "service.internal", "in-addr.arpa", "test" };

	zones.zone = fuzz_must(calloc(3, sizeof(*zones.zone)));
	for (; zones.count < 3; zones.count++) {
		struct zone *zone = &zones.zone[zones.count];

		if (presentation_read_name(names[zones.count], &zone->name, NULL))
			abort();
		name_to_key(zone->name.wire, &zone->key);
		zone->ttl = 5;
	}
	if (zones_finish(&zones, NULL))
		abort();
}

/* Adds an item for what was read. */
static int
take(struct change *change, const struct rrset_json *read)
{
	struct api_body body = { .change = change, .source = "api" };

	return api_body_take(&body, read, fuzz_must(change_add(change)));
}

/* The body of PUT /v1/rrsets/www.service.internal/A. */
static int
read_body(struct change *change, struct json_value object, struct reason *reason)
{
	struct rrset_json read = { .rrset = { .owner = zones.zone[0].key, .type = RRSET_A } };
	int status = rrset_json_read(reader, object, RRSET_JSON_BODY, &read, reason);

	return status ? status : take(change, &read);
}

static int
read_list(char kind, struct change *change, struct json_value object, struct reason *reason)
{
	struct json_members members;
	struct json_value list, element = { NULL, 0 };
	struct rrset_json read;
	int status = STATUS_OK;

	if (!json_open(object, &members)
		|| !json_find(&members, kind == 'b' ? "changes" : "rrsets", &list))
		return reason_set(reason, STATUS_INVALID, "no list");
	while (!status && json_next(list, &element)) {
		status = kind == 'b' ? rrset_json_read_change(reader, element, &read, reason)
				     : rrset_json_read(reader, element, RRSET_JSON_FULL,
					       &read, reason);
		if (!status)
			status = take(change, &read);
	}
	return status;
}

static int
read_any(char kind, struct change *change, const char *text, size_t size,
	struct reason *reason)
{
	struct json_value object;
	int status = json_check(text, size, &object, reason);

	if (status)
		return status;
	return kind == 'o' ? read_body(change, object, reason)
			   : read_list(kind, change, object, reason);
}

static void
check_again(const struct change_item *item)
{
	struct rrset_json read, written = { .revision = 1,
		.has_lease = item->lease_ms != 0, .lease_ms = item->lease_ms,
		.source = item->source, .source_len = item->source_len };
	struct buffer buffer;
	struct json_writer json = { .out = &buffer };
	struct json_value object;
	const char *text;
	size_t len;

	change_read_rrset(item, &written.rrset);
	buffer_init(&buffer, 1 << 24, NULL);
	rrset_json_write(&json, &written);
	if (buffer_view(&buffer, &text, &len) != STATUS_OK)
		abort();
	FUZZ_CHECK(json_check(text, len, &object, NULL) == STATUS_OK);
	FUZZ_CHECK(rrset_json_read(reader, object, RRSET_JSON_FULL, &read, NULL) == STATUS_OK);
	FUZZ_CHECK(change_compare(item, &read.rrset.owner, read.rrset.type) == 0
		&& rrset_has_same_data(&read.rrset, &written.rrset));
	FUZZ_CHECK(read.has_lease == written.has_lease && read.lease_ms == item->lease_ms
		&& read.source_len == item->source_len
		&& memcmp(read.source, item->source, item->source_len) == 0);
	buffer_done(&buffer);
}

static void
check_item(const struct change_item *item)
{
	struct rrset rrset;

	change_read_rrset(item, &rrset);
	FUZZ_CHECK(zones_match(&zones, &rrset.owner));
	if (item->is_delete)
		return;
	FUZZ_CHECK(rrset.ttl <= RRSET_TTL_MAX && rrset.count >= 1
		&& rrset.count <= RRSET_RECORDS_MAX && rrset.rdata_len <= RRSET_RDATA_MAX);
	FUZZ_CHECK(rrset_is_well_formed(rrset.rdata, rrset.rdata_len, rrset.count));
	FUZZ_CHECK(rrset_message_size(&rrset) <= RRSET_MESSAGE_MAX);
	FUZZ_CHECK(item->source_len >= 1 && item->source_len <= STATE_SOURCE_MAX);
	FUZZ_CHECK(item->lease_ms == 0
		|| (item->lease_ms >= RRSET_JSON_LEASE_MIN_MS
			&& item->lease_ms <= RRSET_JSON_LEASE_MAX_MS));
}

/* Two items by their place in the order. */
static int
compare(const struct change *change, size_t a, size_t b)
{
	const struct change_item *other = &change->items[change->order[b]];

	return change_compare(&change->items[change->order[a]], other->rrset.owner,
		other->rrset.type);
}

static void
check_change(struct change *change)
{
	struct change_result result = { .item = CHANGE_WHOLE };

	if (change->count == 0)
		return;
	if (change_check(change, &zones, &result) != STATUS_OK) {
		FUZZ_CHECK(result.reason.text[0] != '\0');
		return;
	}
	for (size_t i = 0; i < change->count; i++) {
		check_item(&change->items[i]);
		if (i > 0)
			FUZZ_CHECK(compare(change, i - 1, i) < 0);
	}
	for (size_t i = 0; i < change->count && i < CHECKED_MAX; i++)
		if (!change->items[i].is_delete)
			check_again(&change->items[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char kind = (char)fuzz_take_u8(&data, &size);
	struct change *change = fuzz_must(change_new(CHANGE_ITEMS));
	struct reason reason = { "" };

	if (zones.count == 0)
		make_zones();
	if (!reader)
		reader = fuzz_must(rrset_json_reader_new(&zones));
	if (read_any(kind, change, (const char *)data, size, &reason) == STATUS_OK)
		check_change(change);
	else
		FUZZ_CHECK(reason.text[0] != '\0');
	change_free(change);
	return 0;
}
