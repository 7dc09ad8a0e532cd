/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names and types are ldns' work, except where it lets a number wrap. TTLs are read here.
 */
#include "lib/dns/presentation.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dns/ldns_scope.h"
#include "lib/base/status.h"

#define TYPE_META_FIRST 128 /* RFC 6895 section 3.1: 128 to 255 are questions and meta */
#define TYPE_META_LAST 255

int
presentation_read_name(const char *text, struct name *out, struct reason *reason)
{
	return presentation_read_relative_name(text, NULL, out, reason);
}

int
presentation_read_relative_name(const char *text, const struct name *origin,
	struct name *out, struct reason *reason)
{
	__attribute__((cleanup(ldns_scope_rdf))) ldns_rdf *rdf = NULL;
	const char *bad = presentation_find_bad_octet(text);
	char shown[REASON_EXCERPT_SIZE];
	ldns_status status = LDNS_STATUS_OK;
	size_t len;

	if (origin && strcmp(text, "@") == 0) {
		*out = *origin;
		return 0;
	}
	if (bad) {
		reason_excerpt(text, shown);
		return reason_set(reason, STATUS_INVALID,
			"name \"%s\": octet %u must be written as \\%03u%s", shown,
			(uint8_t)*bad, (uint8_t)*bad,
			(uint8_t)*bad > 0x7f ? " (international names as xn--...)" : "");
	}
	status = ldns_str2rdf_dname(&rdf, text);
	if (status == LDNS_STATUS_MEM_ERR || (status == LDNS_STATUS_OK && !rdf))
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status != LDNS_STATUS_OK) {
		reason_excerpt(text, shown);
		return reason_set(reason, STATUS_INVALID, "name \"%s\": %s", shown,
			ldns_get_errorstr_by_id(status));
	}
	len = ldns_rdf_size(rdf);
	if (origin && !ldns_dname_str_absolute(text))
		len += origin->len - 1U;
	if (len > NAME_WIRE_MAX) {
		reason_excerpt(text, shown);
		return reason_set(reason, STATUS_INVALID,
			"name \"%s\" is longer than %d octets", shown, NAME_WIRE_MAX);
	}
	memcpy(out->wire, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	if (len > ldns_rdf_size(rdf))
		memcpy(out->wire + ldns_rdf_size(rdf) - 1, origin->wire, origin->len);
	out->len = (uint8_t)len;
	return 0;
}

const char *
presentation_find_bad_octet(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c >= 0x7f || strchr("\"();@", c))
			return text;
		if (c == '\\' && text[1] > ' ')
			text++;
	}
	return NULL;
}

void
presentation_write_name(const struct name *name, char *out)
{
	static const char special[] = ".;()\\\"@$";
	const uint8_t *at = name->wire;

	if (*at == 0)
		*out++ = '.';
	while (*at) {
		const uint8_t *end = at + 1 + *at;

		for (at++; at < end; at++) {
			if (*at <= ' ' || *at >= 0x7f) {
				*out++ = '\\';
				*out++ = (char)('0' + *at / 100);
				*out++ = (char)('0' + *at / 10 % 10);
				*out++ = (char)('0' + *at % 10);
				continue;
			}
			if (strchr(special, *at))
				*out++ = '\\';
			*out++ = (char)*at;
		}
		*out++ = '.';
	}
	*out = '\0';
}

static bool
is_storable(uint16_t type)
{
	return type != 0 && type != LDNS_RR_TYPE_OPT && type != UINT16_MAX
		&& (type < TYPE_META_FIRST || type > TYPE_META_LAST);
}

int
presentation_read_type(const char *text, uint16_t *out, struct reason *reason)
{
	char shown[REASON_EXCERPT_SIZE];
	unsigned long type = 0;

	if (strncasecmp(text, "TYPE", 4) == 0 && isdigit((unsigned char)text[4])) {
		char *end;

		/* ldns' own reader lets TYPE65537 wrap to A. */
		errno = 0;
		type = strtoul(text + 4, &end, 10);
		if (*end || errno || type > UINT16_MAX)
			type = 0;
	} else if (strlen(text) < PRESENTATION_TYPE_MAX) {
		type = ldns_get_rr_type_by_name(text);
	}
	if (type != 0 && is_storable((uint16_t)type)) {
		*out = (uint16_t)type;
		return 0;
	}
	reason_excerpt(text, shown);
	if (type != 0)
		return reason_set(reason, STATUS_INVALID,
			"type \"%s\" is for questions and messages and cannot be stored",
			shown);
	return reason_set(reason, STATUS_INVALID,
		"unknown type \"%s\": needs a type such as A, or TYPE1 to TYPE65534", shown);
}

void
presentation_write_type(uint16_t type, char out[PRESENTATION_TYPE_MAX])
{
	const char *name = ldns_rr_descript(type)->_name;

	if (name && strlen(name) < PRESENTATION_TYPE_MAX)
		memcpy(out, name, strlen(name) + 1);
	else
		snprintf(out, PRESENTATION_TYPE_MAX, "TYPE%u", type);
}

int
presentation_read_ttl(const char *text, uint32_t *out)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t total = 0;

	while (*text) {
		uint64_t value = 0, scale = 0;

		if (!isdigit((unsigned char)*text))
			return STATUS_INVALID;
		for (; isdigit((unsigned char)*text) && value <= INT32_MAX; text++)
			value = value * 10 + (uint64_t)(*text - '0');
		if (*text == '\0')
			scale = 1;
		for (size_t i = 0; scale == 0 && i < sizeof(units) / sizeof(*units); i++) {
			if (tolower((unsigned char)*text) == units[i].unit)
				scale = units[i].seconds;
		}
		total += value * scale;
		if (scale == 0 || total > INT32_MAX)
			return STATUS_INVALID;
		text += *text != '\0';
	}
	*out = (uint32_t)total;
	return 0;
}
