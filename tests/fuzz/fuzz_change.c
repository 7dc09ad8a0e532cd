/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Bodies of the API (sidecar/json/json.h, rrset_json.h, change.h): octet 0 says what kind of body
 * the rest is. A change that is taken keeps every rule, and each of its RRsets comes back
 * from the JSON that the API makes of it.
 */
#include <unistd.h>

#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "sidecar/json/buffer.h"
#include "sidecar/write/change.h"
#include "sidecar/json/json_writer.h"
#include "sidecar/json/json.h"
#include "sidecar/json/rrset_json.h"
#include "tests/fuzz/fuzz.h"

#define CHECKED_MAX 50 /* items read again, of one change */

static struct zones zones;
static struct rrset_json_reader reader;

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

static void
init_reader(struct change *change)
{
	reader.zones = &zones;
	reader.change = change;
	reader.source = "api";
	reader.lease_ms = 0;
	reader.fault = (struct rrset_json_fault){ 0 };
}

static int
read_change(void *context, size_t index, struct json_object *element, struct reason *reason)
{
	struct change_item *item = change_add(context);

	(void)index;
	return rrset_json_read_change(&reader, element, fuzz_must(item), reason);
}

static int
read_full(void *context, size_t index, struct json_object *element, struct reason *reason)
{
	struct change_item *item = change_add(context);

	(void)index;
	return rrset_json_read(&reader, element, RRSET_JSON_FULL, fuzz_must(item), reason);
}

/* The body of PUT /v1/rrsets/www.service.internal/A. */
static int
read_body(struct change *change, const char *text, size_t size, struct reason *reason)
{
	struct change_item *item = fuzz_must(change_add(change));
	struct json_object *object = NULL;
	int status = json_read(text, size, NULL, NULL, NULL, &object, NULL, reason);

	item->rrset.owner = zones.zone[0].key;
	item->rrset.type = RRSET_A;
	if (status == STATUS_OK)
		status = rrset_json_read(&reader, object, RRSET_JSON_BODY, item, reason);
	json_free(object);
	return status;
}

static int
read_any(char kind, struct change *change, const char *text, size_t size,
	struct reason *reason)
{
	struct json_object *rest = NULL;
	bool has_list;
	int status;

	if (kind == 'o')
		return read_body(change, text, size, reason);
	status = kind == 'b'
		? json_read(text, size, "changes", read_change, change, &rest, &has_list,
			  reason)
		: json_read(text, size, "rrsets", read_full, change, &rest, &has_list,
			  reason);
	json_free(rest);
	return status;
}

static void
check_again(const struct change_item *item)
{
	struct state_record record = { .rrset = item->rrset, .revision = 1,
		.lease_ms = item->lease_ms, .source = item->source,
		.source_len = item->source_len };
	struct change *change = fuzz_must(change_new(CHANGE_ITEMS));
	struct change_item *again = fuzz_must(change_add(change));
	struct json_object *object = NULL;
	struct buffer buffer;
	struct json_writer emit = { .out = &buffer };
	const char *text;
	size_t len;

	buffer_init(&buffer, 1 << 24, NULL);
	rrset_json_write(&emit, &record, 0);
	if (buffer_view(&buffer, &text, &len) != STATUS_OK)
		abort();
	init_reader(change);
	FUZZ_CHECK(json_read(text, len, NULL, NULL, NULL, &object, NULL, NULL) == STATUS_OK);
	FUZZ_CHECK(rrset_json_read(&reader, object, RRSET_JSON_FULL, again, NULL)
		== STATUS_OK);
	FUZZ_CHECK(change_compare(&again->rrset, &item->rrset) == 0
		&& rrset_has_same_data(&again->rrset, &item->rrset));
	FUZZ_CHECK(again->lease_ms == item->lease_ms && again->source_len == item->source_len
		&& memcmp(again->source, item->source, item->source_len) == 0);
	json_free(object);
	buffer_done(&buffer);
	change_free(change);
}

static void
check_item(const struct change_item *item)
{
	const struct rrset *rrset = &item->rrset;

	FUZZ_CHECK(zones_match(&zones, &rrset->owner));
	if (item->is_delete)
		return;
	FUZZ_CHECK(rrset->ttl <= RRSET_TTL_MAX && rrset->count >= 1
		&& rrset->count <= RRSET_RECORDS_MAX && rrset->rdata_len <= RRSET_RDATA_MAX);
	FUZZ_CHECK(rrset_is_well_formed(rrset->rdata, rrset->rdata_len, rrset->count));
	FUZZ_CHECK(rrset_message_size(rrset) <= RRSET_MESSAGE_MAX);
	FUZZ_CHECK(item->source_len >= 1 && item->source_len <= STATE_SOURCE_MAX);
	FUZZ_CHECK(item->lease_ms == 0
		|| (item->lease_ms >= RRSET_JSON_LEASE_MIN_MS
			&& item->lease_ms <= RRSET_JSON_LEASE_MAX_MS));
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
			FUZZ_CHECK(change_compare(&change->items[change->order[i - 1]].rrset,
					   &change->items[change->order[i]].rrset)
				< 0);
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
	init_reader(change);
	if (read_any(kind, change, (const char *)data, size, &reason) == STATUS_OK)
		check_change(change);
	else
		FUZZ_CHECK(reason.text[0] != '\0');
	change_free(change);
	return 0;
}
