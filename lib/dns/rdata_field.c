/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of ldns' kinds of fields, and checks of what ldns does not look at, found by reading
 * and fuzzing ldns 1.8.3: it lets numbers wrap (port 70000 becomes 4464), ignores what is left
 * over, and is unsafe with some foreign text. A check may cut the text while it looks, and puts
 * it together again.
 */
#include "lib/dns/rdata_field.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/presentation.h"
#include "lib/dns/tokens.h"

#define BITMAP_TYPES_MAX 4096 /* ldns_str2rdf_nsec has an array of 65536 on the stack */
#define SVCPARAMS_MAX 16000   /* ldns counts lengths of up to 4 times this in 16 bits */
#define IPV6_TEXT_MAX 45      /* ldns_str2rdf_svcparams writes past its buffer at 46 */
#define LOC_TAIL_MAX 4        /* altitude, size and two precisions */
#define CLOCK_DIGITS 14       /* YYYYMMDDHHmmSS */

bool
rdata_field_is_number(char *text, uint32_t max)
{
	uint64_t value = 0;
	const char *at = text;

	for (; isdigit((unsigned char)*at) && at < text + 10; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return at > text && *at == '\0' && value <= max;
}

/* A number up to `max`, or a word that ldns looks up. */
static bool
check_mnemonic(char *text, uint32_t max)
{
	return isalpha((unsigned char)*text) || rdata_field_is_number(text, max);
}

/* Seconds as in a TTL. */
static bool
check_period(char *text, uint32_t max)
{
	uint32_t seconds;

	(void)max;
	return presentation_read_ttl(text, &seconds) == 0;
}

/* YYYYMMDDHHmmSS, or seconds since 1970 in 32 bits. */
static bool
check_clock(char *text, uint32_t max)
{
	(void)max;
	if (strlen(text) == CLOCK_DIGITS)
		return strspn(text, "0123456789") == CLOCK_DIGITS;
	return rdata_field_is_number(text, UINT32_MAX);
}

/* Pairs of hex digits; blanks may be anywhere. */
static bool
check_hex(char *text, uint32_t max)
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

/* Hex digits in groups; sscanf in ldns would take signs and 0x. */
static bool
check_digits_apart(char *text, uint32_t max)
{
	(void)max;
	return text[strspn(text, "0123456789abcdefABCDEF:-")] == '\0'
		&& (isxdigit((unsigned char)*text));
}

/* A type that can be stored. */
static bool
check_type(char *text, uint32_t max)
{
	uint16_t type;

	(void)max;
	return presentation_read_type(text, &type, NULL) == 0;
}

/* A list of such types, with a limit. */
static bool
check_bitmap(char *text, uint32_t max)
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

/* LOC; ldns does not look at what is left behind the last number. */
static bool
check_location(char *text, uint32_t max)
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

/* APL: [!]family:address/bits; ldns takes the bits modulo 256. */
static bool
check_prefix(char *text, uint32_t max)
{
	char *at = *text == '!' ? text + 1 : text;
	char *slash = strchr(at, '/');

	(void)max;
	return (*at == '1' || *at == '2') && at[1] == ':' && slash
		&& rdata_field_is_number(slash + 1, *at == '1' ? 32 : 128);
}

/* IPSECKEY: exactly five words, the first three numbers, the last base64: ldns leaks at a
 * sixth word and at a bad key. */
static bool
check_gateway(char *text, uint32_t max)
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
				 : rdata_field_is_number(at, UINT8_MAX);
		*blank = ' ';
		if (!is_good)
			return false;
		at = blank + 1;
	}
	return !strchr(at, ' ') && ldns_str2rdf_b64(&key, at) == LDNS_STATUS_OK;
}

/* HIP: the algorithm is a number up to 255. */
static bool
check_host_identity(char *text, uint32_t max)
{
	char *blank = strchr(text, ' ');
	bool is_good;

	(void)max;
	if (!blank)
		return false;
	*blank = '\0';
	is_good = rdata_field_is_number(text, UINT8_MAX);
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
		return rdata_field_is_number(number, UINT16_MAX);
	}
	for (size_t i = 0, run = 0; key == LDNS_SVCPARAM_KEY_IPV6HINT && i < len; i++) {
		run = value[i] == ',' ? 0 : run + 1;
		if (run > IPV6_TEXT_MAX)
			return false;
	}
	return true;
}

/* SVCB parameters, which ldns reads into buffers of fixed size. */
static bool
check_service(char *text, uint32_t max)
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

#define NEEDS_U8 "a number from 0 to 255"
#define NEEDS_U16 "a number from 0 to 65535"
#define NEEDS_U32 "a number from 0 to 4294967295"

/* By ldns' kind of field. A type with a kind that has no row (WKS: ldns asks getservbyname,
 * which is not safe with threads; NSAP, ATMA: dead) has only the RFC 3597 form. */
static const struct rdata_field fields[] = {
	[LDNS_RDF_TYPE_DNAME] = { .needs = "a domain name such as host.example" },
	[LDNS_RDF_TYPE_INT8] = { .max = UINT8_MAX, .check = rdata_field_is_number,
		.read = ldns_str2rdf_int8, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_INT16] = { .max = UINT16_MAX, .check = rdata_field_is_number,
		.read = ldns_str2rdf_int16, .needs = NEEDS_U16 },
	[LDNS_RDF_TYPE_INT32] = { .max = UINT32_MAX, .check = rdata_field_is_number,
		.read = ldns_str2rdf_int32, .needs = NEEDS_U32 },
	[LDNS_RDF_TYPE_A] = { .read = ldns_str2rdf_a,
		.needs = "one IPv4 address such as 10.0.0.5" },
	[LDNS_RDF_TYPE_AAAA] = { .read = ldns_str2rdf_aaaa,
		.needs = "one IPv6 address such as fd00::5" },
	[LDNS_RDF_TYPE_STR] = { .quotable = true, .read = ldns_str2rdf_str,
		.needs = "a string of up to 255 octets, in quotes when it has blanks" },
	[LDNS_RDF_TYPE_LONG_STR] = { .quotable = true, .read = ldns_str2rdf_long_str,
		.needs = "a string in quotes" },
	[LDNS_RDF_TYPE_TAG] = { .read = ldns_str2rdf_tag,
		.needs = "a tag of letters and digits such as issue" },
	[LDNS_RDF_TYPE_APL] = { .check = check_prefix, .read = ldns_str2rdf_apl,
		.needs = "a prefix such as 1:10.0.0.0/8 or !2:fd00::/8" },
	[LDNS_RDF_TYPE_B32_EXT] = { .read = ldns_str2rdf_b32_ext,
		.needs = "base32 in the extended hex alphabet" },
	[LDNS_RDF_TYPE_NSEC3_NEXT_OWNER] = { .read = ldns_str2rdf_b32_ext,
		.needs = "base32 in the extended hex alphabet" },
	[LDNS_RDF_TYPE_NSEC3_SALT] = { .read = ldns_str2rdf_nsec3_salt,
		.needs = "hex digits in pairs, or -" },
	[LDNS_RDF_TYPE_B64] = { .take = RDATA_FIELD_REST, .read = ldns_str2rdf_b64,
		.needs = "base64" },
	[LDNS_RDF_TYPE_HEX] = { .take = RDATA_FIELD_REST, .check = check_hex,
		.read = ldns_str2rdf_hex, .needs = "hex digits in pairs" },
	[LDNS_RDF_TYPE_NSEC] = { .take = RDATA_FIELD_REST, .check = check_bitmap,
		.read = ldns_str2rdf_nsec, .needs = "a list of types such as A TXT" },
	[LDNS_RDF_TYPE_TYPE] = { .check = check_type, .read = ldns_str2rdf_type,
		.needs = "a type such as A" },
	[LDNS_RDF_TYPE_CERT_ALG] = { .max = UINT16_MAX, .check = check_mnemonic,
		.read = ldns_str2rdf_cert_alg, .needs = "a certificate type such as PKIX" },
	[LDNS_RDF_TYPE_ALG] = { .max = UINT8_MAX, .check = check_mnemonic,
		.read = ldns_str2rdf_alg, .needs = "an algorithm such as 13" },
	[LDNS_RDF_TYPE_CERTIFICATE_USAGE] = { .max = UINT8_MAX, .check = check_mnemonic,
		.read = ldns_str2rdf_certificate_usage, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_SELECTOR] = { .max = UINT8_MAX, .check = check_mnemonic,
		.read = ldns_str2rdf_selector, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_MATCHING_TYPE] = { .max = UINT8_MAX, .check = check_mnemonic,
		.read = ldns_str2rdf_matching_type, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_TIME] = { .check = check_clock, .read = ldns_str2rdf_time,
		.needs = "a time as YYYYMMDDHHmmSS" },
	[LDNS_RDF_TYPE_PERIOD] = { .check = check_period, .read = ldns_str2rdf_period,
		.needs = "a number of seconds such as 3600 or 1h" },
	[LDNS_RDF_TYPE_LOC] = { .take = RDATA_FIELD_REST, .check = check_location,
		.read = ldns_str2rdf_loc,
		.needs = "a location such as 52 22 23 N 4 53 32 E 0m" },
	[LDNS_RDF_TYPE_HIP] = { .take = RDATA_FIELD_THREE, .check = check_host_identity,
		.read = ldns_str2rdf_hip, .needs = "algorithm, tag in hex, key in base64" },
	[LDNS_RDF_TYPE_IPSECKEY] = { .take = RDATA_FIELD_REST, .check = check_gateway,
		.read = ldns_str2rdf_ipseckey,
		.needs = "precedence, gateway type, algorithm, gateway, key in base64" },
	[LDNS_RDF_TYPE_ILNP64] = { .check = check_digits_apart,
		.read = ldns_str2rdf_ilnp64, .needs = "64 bits such as 14:4fff:ff20:ee64" },
	[LDNS_RDF_TYPE_EUI48] = { .check = check_digits_apart,
		.read = ldns_str2rdf_eui48, .needs = "48 bits such as 00-00-5e-00-53-2a" },
	[LDNS_RDF_TYPE_EUI64] = { .check = check_digits_apart,
		.read = ldns_str2rdf_eui64,
		.needs = "64 bits such as 00-00-5e-ef-10-00-00-2a" },
	[LDNS_RDF_TYPE_SVCPARAMS] = { .take = RDATA_FIELD_REST, .check = check_service,
		.read = ldns_str2rdf_svcparams,
		.needs = "parameters such as alpn=h2 port=8443 ipv4hint=10.0.0.5" },
};

const struct rdata_field *
rdata_field_find(ldns_rdf_type kind)
{
	if ((size_t)kind >= sizeof(fields) / sizeof(*fields) || !fields[kind].needs)
		return NULL;
	return &fields[kind];
}

char *
rdata_field_take_words(const struct rdata_field *field, struct tokens *tokens, size_t at,
	size_t *out_used)
{
	*out_used = 1;
	if (field->take == RDATA_FIELD_REST)
		return tokens_join(tokens, at);
	if (field->take == RDATA_FIELD_THREE) {
		if (at + 2 >= tokens->count)
			return NULL;
		*out_used = 3;
		for (size_t i = at; i < at + 2; i++)
			tokens->text[tokens->token[i].at + tokens->token[i].len] = ' ';
	}
	return tokens_text(tokens, at);
}

ldns_status
rdata_field_read(const struct rdata_field *field, char *text, ldns_rdf **out)
{
	ldns_status status;

	if (field->check && !field->check(text, field->max))
		return LDNS_STATUS_SYNTAX_ERR;
	errno = 0; /* ldns_str2rdf_hip looks at an old one */
	status = field->read(out, text);
	/* most of ldns' readers are content with an rdf that there was no memory for */
	return status == LDNS_STATUS_OK && !*out ? LDNS_STATUS_MEM_ERR : status;
}
