/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The token file (sidecar/write/credentials.h).
 */
#include "sidecar/write/credentials.h"

#include "lib/base/status.h"
#include "tests/fuzz/fuzz_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned all = CREDENTIALS_READ | CREDENTIALS_WRITE | CREDENTIALS_REDIRECT
		| CREDENTIALS_ADMIN;
	struct credentials *credentials = NULL;
	struct reason reason = { "" };

	if (credentials_read(fuzz_file(data, size), &credentials, &reason) != STATUS_OK) {
		FUZZ_CHECK(!credentials && reason.text[0] != '\0');
		return 0;
	}
	FUZZ_CHECK(credentials->count <= CREDENTIALS_MAX);
	for (size_t i = 0; i < credentials->count; i++) {
		const struct credential *one = &credentials->credential[i];
		struct name name;

		FUZZ_CHECK(one->id[0] != '\0' && strlen(one->id) <= CREDENTIALS_ID_MAX);
		FUZZ_CHECK(one->verbs != 0 && (one->verbs & ~all) == 0);
		for (size_t z = 0; z < one->zone_count; z++)
			FUZZ_CHECK(name_from_key(one->zone[z].bytes, one->zone[z].len, &name)
				== STATUS_OK);
	}
	credentials_free(credentials);
	return 0;
}
