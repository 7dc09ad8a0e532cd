/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names, types, TTLs and times: octet 0 says what the rest is read as.
 */
#include "lib/base/duration.h"
#include "lib/dns/name.h"
#include "lib/dns/presentation.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

/* Wire to key and back; text and back. */
static void
check_name(const struct name *name)
{
	char text[PRESENTATION_NAME_MAX];
	struct name lower = *name, again = { 0 };
	struct name_key key, key_again;

	FUZZ_CHECK(name->len >= 1 && name_wire_length(name->wire, name->len) == name->len);
	name_to_key(name->wire, &key);
	FUZZ_CHECK(key.len == name->len - 1);
	name_lower(&lower);
	FUZZ_CHECK(name_from_key(key.bytes, key.len, &again) == STATUS_OK);
	FUZZ_CHECK(again.len == lower.len && memcmp(again.wire, lower.wire, lower.len) == 0);
	FUZZ_CHECK(name_equal(again.wire, name->wire));
	name_to_key(again.wire, &key_again);
	FUZZ_CHECK(key_again.len == key.len
		&& memcmp(key_again.bytes, key.bytes, key.len) == 0);
	FUZZ_CHECK(name_key_is_within(key.bytes, key.len, &key_again));
	presentation_write_name(name, text);
	FUZZ_CHECK(strlen(text) < sizeof(text));
	FUZZ_CHECK(presentation_read_name(text, &again, NULL) == STATUS_OK);
	FUZZ_CHECK(again.len == name->len && memcmp(again.wire, name->wire, name->len) == 0);
}

static void
read_wire(const uint8_t *data, size_t size)
{
	struct name name = { .len = 77 };

	if (name_from_wire(data, size, &name) == STATUS_OK)
		check_name(&name);
	else
		FUZZ_CHECK(name.len == 77);
}

static void
read_key(const uint8_t *data, size_t size)
{
	struct name name;

	if (name_from_key(data, size, &name) == STATUS_OK) {
		FUZZ_CHECK(name_wire_length(name.wire, name.len) == name.len);
		check_name(&name);
	}
}

static void
read_name(const char *text)
{
	static const struct name origin = { 9, "\7example" };
	struct reason reason = { "" };
	struct name name = { .len = 77 };

	if (presentation_read_name(text, &name, &reason) == STATUS_OK)
		check_name(&name);
	else
		FUZZ_CHECK(name.len == 77 && reason.text[0] != '\0');
	if (presentation_read_relative_name(text, &origin, &name, &reason) == STATUS_OK)
		check_name(&name);
}

static void
read_type(const char *text)
{
	char written[PRESENTATION_TYPE_MAX];
	struct reason reason = { "" };
	uint16_t type = 77, again;

	if (presentation_read_type(text, &type, &reason) != STATUS_OK) {
		FUZZ_CHECK(type == 77 && reason.text[0] != '\0');
		return;
	}
	presentation_write_type(type, written);
	FUZZ_CHECK(presentation_read_type(written, &again, NULL) == STATUS_OK);
	FUZZ_CHECK(again == type);
}

static void
read_time(const char *text)
{
	struct reason reason = { "" };
	char written[DURATION_TEXT_MAX];
	uint64_t ms = 77, again;
	uint32_t ttl;

	if (duration_read(text, &ms, &reason) == STATUS_OK) {
		duration_write(ms, written);
		FUZZ_CHECK(duration_read(written, &again, NULL) == STATUS_OK && again == ms);
		duration_write_seconds(ms, written);
	} else {
		FUZZ_CHECK(ms == 77 && reason.text[0] != '\0');
	}
	if (duration_read_time(text, &ms, &reason) == STATUS_OK) {
		duration_write_time(ms, written);
		FUZZ_CHECK(duration_read_time(written, &again, NULL) == STATUS_OK);
		FUZZ_CHECK(again / 1000 == ms / 1000);
	}
	if (presentation_read_ttl(text, &ttl) == STATUS_OK)
		FUZZ_CHECK(ttl <= INT32_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t kind = fuzz_take_u8(&data, &size);
	char *text;

	if (kind == 'w' || kind == 'k') {
		(kind == 'w' ? read_wire : read_key)(data, size);
		return 0;
	}
	text = fuzz_take_text(&data, &size);
	if (kind == 'n')
		read_name(text);
	else if (kind == 't')
		read_type(text);
	else
		read_time(text);
	free(text);
	return 0;
}
