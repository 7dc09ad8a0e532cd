/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Checks by hand, found by reading and fuzzing ldns 1.8.3. A check may cut the text while it
 * looks and puts it together again.
 */
#include "lib/dns/rdata_check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/ldns_scope.h"
#include "lib/dns/presentation.h"

#define BITMAP_TYPES_MAX 4096 /* ldns_str2rdf_nsec has an array of 65536 on the stack */
#define SVCPARAMS_MAX 16000   /* ldns counts lengths of up to 4 times this in 16 bits */
#define IPV6_TEXT_MAX 45      /* ldns_str2rdf_svcparams writes past its buffer at 46 */
#define LOC_TAIL_MAX 4        /* altitude, size and two precisions */
#define CLOCK_DIGITS 14       /* YYYYMMDDHHmmSS */

bool
rdata_check_number(char *text, uint32_t max)
{
	uint64_t value = 0;
	const char *at = text;

	for (; isdigit((unsigned char)*at) && at < text + 10; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return at > text && *at == '\0' && value <= max;
}

bool
rdata_check_mnemonic(char *text, uint32_t max)
{
	return isalpha((unsigned char)*text) || rdata_check_number(text, max);
}

bool
rdata_check_period(char *text, uint32_t max)
{
	uint32_t seconds;

	(void)max;
	return presentation_read_ttl(text, &seconds) == 0;
}

bool
rdata_check_clock(char *text, uint32_t max)
{
	(void)max;
	if (strlen(text) == CLOCK_DIGITS)
		return strspn(text, "0123456789") == CLOCK_DIGITS;
	return rdata_check_number(text, UINT32_MAX);
}

bool
rdata_check_hex(char *text, uint32_t max)
{
	size_t digits = 0;

	(void)max;
	for (; *text; text++) {
		if (*text != ' ' && !isxdigit((unsigned char)*text))
			return false;
		digits += *text != ' ';
	}
	return digits % 2 == 0;
}

bool
rdata_check_digits_apart(char *text, uint32_t max)
{
	(void)max;
	return text[strspn(text, "0123456789abcdefABCDEF:-")] == '\0'
		&& (isxdigit((unsigned char)*text));
}

bool
rdata_check_type(char *text, uint32_t max)
{
	uint16_t type;

	(void)max;
	return presentation_read_type(text, &type, NULL) == 0;
}

bool
rdata_check_bitmap(char *text, uint32_t max)
{
	size_t count = 0;
	char *at = text;

	(void)max;
	while (at) {
		char *blank = strchr(at, ' ');
		uint16_t type;
		int status;

		if (blank)
			*blank = '\0';
		status = presentation_read_type(at, &type, NULL);
		if (blank)
			*blank = ' ';
		if (status || ++count > BITMAP_TYPES_MAX)
			return false;
		at = blank ? blank + 1 : NULL;
	}
	return true;
}

bool
rdata_check_location(char *text, uint32_t max)
{
	const char *tail = strpbrk(text, "EW");
	size_t words = 0;

	(void)max;
	if (!tail || text[strspn(text, "0123456789.-NSEWmM ")] != '\0')
		return false;
	for (tail++; *tail; tail++)
		words += *tail == ' ' && tail[1] != '\0';
	return words >= 1 && words <= LOC_TAIL_MAX;
}

bool
rdata_check_prefix(char *text, uint32_t max)
{
	char *at = *text == '!' ? text + 1 : text;
	char *slash = strchr(at, '/');

	(void)max;
	return (*at == '1' || *at == '2') && at[1] == ':' && slash
		&& rdata_check_number(slash + 1, *at == '1' ? 32 : 128);
}

bool
rdata_check_gateway(char *text, uint32_t max)
{
	__attribute__((cleanup(ldns_scope_rdf))) ldns_rdf *key = NULL;
	char *at = text;

	(void)max;
	for (unsigned i = 0; i < 4; i++) {
		char *blank = strchr(at, ' ');
		bool is_good;

		if (!blank)
			return false;
		*blank = '\0';
		is_good = i == 3 ? !presentation_find_bad_octet(at)
				 : rdata_check_number(at, UINT8_MAX);
		*blank = ' ';
		if (!is_good)
			return false;
		at = blank + 1;
	}
	return !strchr(at, ' ') && ldns_str2rdf_b64(&key, at) == LDNS_STATUS_OK;
}

bool
rdata_check_host_identity(char *text, uint32_t max)
{
	char *blank = strchr(text, ' ');
	bool is_good;

	(void)max;
	if (!blank)
		return false;
	*blank = '\0';
	is_good = rdata_check_number(text, UINT8_MAX);
	*blank = ' ';
	return is_good;
}

/* The number of a key, as ldns reads it: "key6" and "key06" are ipv6hint too. */
static unsigned long
service_key(const char *key, size_t len)
{
	if (len == 4 && strncmp(key, "port", len) == 0)
		return LDNS_SVCPARAM_KEY_PORT;
	if (len == 8 && strncmp(key, "ipv6hint", len) == 0)
		return LDNS_SVCPARAM_KEY_IPV6HINT;
	if (strncmp(key, "key", 3) == 0)
		return strtoul(key + 3, NULL, 10);
	return LDNS_SVCPARAM_KEY_RESERVED;
}

static bool
is_safe_parameter(unsigned long key, const char *value, size_t len)
{
	char number[8];

	if (*value == '"') {
		value++;
		len--;
	}
	if (key == LDNS_SVCPARAM_KEY_PORT) {
		snprintf(number, sizeof(number), "%.*s", (int)len, value);
		return rdata_check_number(number, UINT16_MAX);
	}
	for (size_t i = 0, run = 0; key == LDNS_SVCPARAM_KEY_IPV6HINT && i < len; i++) {
		run = value[i] == ',' ? 0 : run + 1;
		if (run > IPV6_TEXT_MAX)
			return false;
	}
	return true;
}

bool
rdata_check_service(char *text, uint32_t max)
{
	(void)max;
	if (strlen(text) > SVCPARAMS_MAX)
		return false;
	while (*text) {
		size_t key = strcspn(text, "= ");
		char *value = text + key + (text[key] == '=');
		char *end = *value == '"' ? value + 1 : value + strcspn(value, " ");

		for (; *value == '"' && *end && *end != '"'; end++) {
			if (*end == '\\' && end[1])
				end++;
		}
		if (!is_safe_parameter(service_key(text, key), value, (size_t)(end - value)))
			return false;
		text = end + (*end == '"');
		text += strspn(text, " ");
	}
	return true;
}
