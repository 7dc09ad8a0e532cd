/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * A master file (lib/dns/masterfile.h, lib/dns/tokens.h): every record that is taken is taken again
 * as a line of its own.
 */
#include "lib/dns/masterfile.h"

#include "lib/dns/presentation.h"
#include "lib/dns/rdata.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 200 /* looked at again, of one file */

static void
check_line(const struct rrset *rr)
{
	static uint8_t block[RRSET_RDATA_MAX];
	char owner[PRESENTATION_NAME_MAX], type[PRESENTATION_TYPE_MAX];
	struct rrset again = { 0 };
	struct name name;
	char *rdata, *line;

	FUZZ_CHECK(name_from_key(rr->owner.bytes, rr->owner.len, &name) == STATUS_OK);
	presentation_write_name(&name, owner);
	presentation_write_type(rr->type, type);
	rdata = fuzz_must(rdata_write(rr->type, rr->rdata + 2, rr->rdata_len - 2));
	if (asprintf(&line, "%s %u IN %s %s", owner, (unsigned)rr->ttl, type, rdata) < 0)
		abort();
	FUZZ_CHECK(masterfile_read_record(line, block, sizeof(block), &again, NULL)
		== STATUS_OK);
	FUZZ_CHECK(again.owner.len == rr->owner.len
		&& memcmp(again.owner.bytes, rr->owner.bytes, rr->owner.len) == 0);
	FUZZ_CHECK(again.type == rr->type && rrset_has_same_data(&again, rr));
	free(rdata);
	free(line);
}

static int
check_record(void *context, const struct rrset *rr, int line, struct reason *reason)
{
	size_t *count = context;

	(void)reason;
	FUZZ_CHECK(rr->count == 1 && line >= 1);
	FUZZ_CHECK(rrset_is_well_formed(rr->rdata, rr->rdata_len, 1));
	if ((*count)++ < RECORDS_MAX)
		check_line(rr);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct name origin = { 9, "\7example" };
	struct reason reason = { "" };
	size_t count = 0;
	FILE *file;

	if (size == 0)
		return 0;
	file = fuzz_must(fmemopen((void *)(uintptr_t)data, size, "r"));
	if (masterfile_read(file, &origin, 300, check_record, &count, &reason) != STATUS_OK)
		FUZZ_CHECK(reason.text[0] != '\0');
	fclose(file);
	return 0;
}
