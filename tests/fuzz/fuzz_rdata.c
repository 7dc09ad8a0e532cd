/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The data of a record (lib/dns/rdata.h): octet 0 says whether it is text or wire, then its type
 * in two octets.
 */
#include "lib/dns/rdata.h"

#include "lib/dns/rrset.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz.h"

/* The form in which the API gives a record is one that the API takes, and the same data. */
static void
check_text(uint16_t type, const uint8_t *rdata, size_t len, bool must_be_read)
{
	static uint8_t block[RRSET_RDATA_MAX];
	char *text = fuzz_must(rdata_write(type, rdata, len));
	int got = rdata_read(type, text, block, sizeof(block), NULL);

	FUZZ_CHECK(got >= 0 || !must_be_read);
	if (got >= 0)
		FUZZ_CHECK((size_t)got == 2 + len && memcmp(block + 2, rdata, len) == 0);
	free(text);
}

static void
read_text(uint16_t type, const uint8_t *data, size_t size)
{
	static uint8_t block[RRSET_RDATA_MAX];
	char *text = fuzz_take_text(&data, &size);
	struct reason reason = { "" };
	int got = rdata_read(type, text, block, sizeof(block), &reason);

	if (got < 0) {
		FUZZ_CHECK(reason.text[0] != '\0');
	} else {
		FUZZ_CHECK(rrset_is_well_formed(block, (size_t)got, 1));
		check_text(type, block + 2, (size_t)got - 2, true);
		/* in exactly as much room, and not in less */
		FUZZ_CHECK(rdata_read(type, text, block, (size_t)got, NULL) == got);
		FUZZ_CHECK(rdata_read(type, text, block, (size_t)got - 1, NULL)
			== STATUS_TOO_LARGE);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_wire = fuzz_take_u8(&data, &size) & 1;
	uint16_t type = fuzz_take_u16(&data, &size);

	if (!is_wire)
		read_text(type, data, size);
	else if (size <= RRSET_RDATA_MAX - 2)
		check_text(type, data, size, false);
	return 0;
}
