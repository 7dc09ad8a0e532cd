/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Text to wire and back. Words come from tokens.h, each rdata field is read by libldns'
 * function for its kind. The whole-line reader of ldns is not used: it takes 1 to 10 us
 * a record (this takes 0.2), lets numbers wrap (port 70000 becomes 4464) and cuts the
 * rest off a too long "\#". What ldns 1.8.3 does not check, the check functions do;
 * where it is unsafe with foreign text, the reason is said there.
 */
#include "lib/presentation.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "lib/status.h"
#include "lib/tokens.h"

#define EXCERPT_MAX 60        /* bytes of a client's text in a message */
#define TYPE_TEXT_MAX 16
#define LINE_MAX_BYTES TOKENS_TEXT_MAX
#define TYPE_META_FIRST 128 /* RFC 6895 section 3.1: 128 to 255 are questions and meta */
#define TYPE_META_LAST 255
#define BITMAP_TYPES_MAX 4096 /* ldns_str2rdf_nsec has an array of 65536 on the stack */
#define SVCPARAMS_MAX 16000   /* ldns counts lengths of up to 4 times this in 16 bits */
#define IPV6_TEXT_MAX 45      /* ldns_str2rdf_svcparams writes past its buffer at 46 */
#define TEXT_EXPANSION_MAX 16 /* ldns writes SVCB parameters without a look at its buffer: */
#define TEXT_SLACK 1024       /* a key of 2 octets becomes up to 16, an octet up to 6 */
#define LOC_TAIL_MAX 4        /* altitude, size and two precisions */
#define CLOCK_DIGITS 14       /* YYYYMMDDHHmmSS */

/* How many words a field is made of. */
enum take {
	TAKE_ONE,
	TAKE_REST,
	TAKE_THREE,
};

struct field;

/* Is the text of a field safe and right, as far as ldns does not look? */
typedef bool (*check_fn)(const struct field *field, char *text);

struct field {
	enum take take;
	bool quotable;
	uint32_t max; /* of numbers */
	check_fn check;
	ldns_status (*read)(ldns_rdf **, const char *);
	const char *needs;
};

/* Where rdata is written. */
struct sink {
	uint8_t *bytes;
	size_t room;
	size_t used;
};

/* What is said in front of a record's rdata. */
struct head {
	struct name owner;
	uint32_t ttl;
	bool has_ttl;
	uint16_t type;
	size_t rdata; /* index of the first token behind it */
};

/* The state of a master file between its entries. */
struct zone_file {
	FILE *file;
	struct name origin;
	struct name owner; /* of the last record; len 0 before the first */
	uint32_t default_ttl;
	int line;
	char *buf;
	size_t room;
	uint8_t *block;
	struct tokens tokens;
	presentation_record_fn fn;
	void *context;
};

/* What a read line was. */
enum line {
	LINE_READ,
	LINE_NONE, /* end of file */
};

static bool check_number(const struct field *field, char *text);
static bool check_mnemonic(const struct field *field, char *text);
static bool check_period(const struct field *field, char *text);
static bool check_clock(const struct field *field, char *text);
static bool check_hex(const struct field *field, char *text);
static bool check_digits_apart(const struct field *field, char *text);
static bool check_type(const struct field *field, char *text);
static bool check_bitmap(const struct field *field, char *text);
static bool check_location(const struct field *field, char *text);
static bool check_prefix(const struct field *field, char *text);
static bool check_gateway(const struct field *field, char *text);
static bool check_host_identity(const struct field *field, char *text);
static bool check_service(const struct field *field, char *text);
static bool check_parameter(unsigned long key, const char *value, size_t len);
static unsigned long service_key(const char *key, size_t len);

#define NEEDS_U8 "a number from 0 to 255"
#define NEEDS_U16 "a number from 0 to 65535"
#define NEEDS_U32 "a number from 0 to 4294967295"

/* By ldns' kind of field. A type with a kind that has no row (WKS: ldns asks getservbyname,
 * which is not safe with threads; NSAP, ATMA: dead) has only the RFC 3597 form. */
static const struct field fields[] = {
	[LDNS_RDF_TYPE_DNAME] = { .needs = "a domain name such as host.example" },
	[LDNS_RDF_TYPE_INT8] = { .max = UINT8_MAX, .check = check_number,
		.read = ldns_str2rdf_int8, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_INT16] = { .max = UINT16_MAX, .check = check_number,
		.read = ldns_str2rdf_int16, .needs = NEEDS_U16 },
	[LDNS_RDF_TYPE_INT32] = { .max = UINT32_MAX, .check = check_number,
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
	[LDNS_RDF_TYPE_B64] = { .take = TAKE_REST, .read = ldns_str2rdf_b64,
		.needs = "base64" },
	[LDNS_RDF_TYPE_HEX] = { .take = TAKE_REST, .check = check_hex,
		.read = ldns_str2rdf_hex, .needs = "hex digits in pairs" },
	[LDNS_RDF_TYPE_NSEC] = { .take = TAKE_REST, .check = check_bitmap,
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
	[LDNS_RDF_TYPE_LOC] = { .take = TAKE_REST, .check = check_location,
		.read = ldns_str2rdf_loc,
		.needs = "a location such as 52 22 23 N 4 53 32 E 0m" },
	[LDNS_RDF_TYPE_HIP] = { .take = TAKE_THREE, .check = check_host_identity,
		.read = ldns_str2rdf_hip, .needs = "algorithm, tag in hex, key in base64" },
	[LDNS_RDF_TYPE_IPSECKEY] = { .take = TAKE_REST, .check = check_gateway,
		.read = ldns_str2rdf_ipseckey,
		.needs = "precedence, gateway type, algorithm, gateway, key in base64" },
	[LDNS_RDF_TYPE_ILNP64] = { .check = check_digits_apart,
		.read = ldns_str2rdf_ilnp64, .needs = "64 bits such as 14:4fff:ff20:ee64" },
	[LDNS_RDF_TYPE_EUI48] = { .check = check_digits_apart,
		.read = ldns_str2rdf_eui48, .needs = "48 bits such as 00-00-5e-00-53-2a" },
	[LDNS_RDF_TYPE_EUI64] = { .check = check_digits_apart,
		.read = ldns_str2rdf_eui64,
		.needs = "64 bits such as 00-00-5e-ef-10-00-00-2a" },
	[LDNS_RDF_TYPE_SVCPARAMS] = { .take = TAKE_REST, .check = check_service,
		.read = ldns_str2rdf_svcparams,
		.needs = "parameters such as alpn=h2 port=8443 ipv4hint=10.0.0.5" },
};

static int read_name(const char *text, const struct name *origin, struct name *out,
	struct reason *reason);
static const char *find_bad_octet(const char *text);
static bool is_storable(uint16_t type);
static int read_rdata(uint16_t type, struct tokens *tokens, size_t first,
	const struct name *origin, struct sink *sink, struct reason *reason);
static int read_fields(uint16_t type, struct tokens *tokens, size_t first,
	const struct name *origin, struct sink *sink, struct reason *reason);
static bool has_text_form(const ldns_rr_descriptor *desc);
static const struct field *find_field(const ldns_rr_descriptor *desc, size_t index);
static int read_field(const struct field *field, ldns_rdf_type kind, char *text,
	const struct name *origin, struct sink *sink, struct reason *reason);
static char *take_words(const struct field *field, struct tokens *tokens, size_t at,
	size_t *out_used);
static int refuse_count(uint16_t type, const struct tokens *tokens, size_t first,
	struct reason *reason);
static int read_generic(uint16_t type, struct tokens *tokens, size_t first,
	struct sink *sink, struct reason *reason);
static bool is_valid_rdata(uint16_t type, const uint8_t *rdata, size_t len);
static int append(struct sink *sink, const uint8_t *bytes, size_t len,
	struct reason *reason);
static int finish_record(struct sink *sink);
static struct sink start_record(uint8_t *block, size_t room);
static bool has_all_fields(const ldns_rr_descriptor *desc, size_t count);
static ldns_rr *parse_wire(uint16_t type, const uint8_t *rdata, size_t len);
static char *write_fields(uint16_t type, const uint8_t *rdata, size_t len);
static char *write_generic(const uint8_t *rdata, size_t len);
static bool reads_back(uint16_t type, const char *text, const uint8_t *rdata, size_t len);
static int read_head(const struct tokens *tokens, size_t at, struct head *head,
	struct reason *reason);
static bool read_ttl(const char *text, uint32_t *out);
static bool is_class(const char *text, bool *out_internet);
static int read_entry(struct zone_file *zone, struct reason *reason);
static int read_line(struct zone_file *zone, enum line *out, struct reason *reason);
static int handle_entry(struct zone_file *zone, int line, struct reason *reason);
static int handle_directive(struct zone_file *zone, struct reason *reason);
static int handle_record(struct zone_file *zone, int line, struct reason *reason);
static void excerpt(const char *text, size_t len, char out[4 * EXCERPT_MAX + 4]);
static void cleanup_tokens(struct tokens *tokens);
static void cleanup_rdf(ldns_rdf **rdf);
static void cleanup_rr(ldns_rr **rr);
static void cleanup_buffer(ldns_buffer **buffer);
static void cleanup_zone_file(struct zone_file *zone);

int
presentation_read_name(const char *text, struct name *out, struct reason *reason)
{
	return read_name(text, NULL, out, reason);
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

int
presentation_read_type(const char *text, uint16_t *out, struct reason *reason)
{
	char shown[4 * EXCERPT_MAX + 4];
	unsigned long type = 0;

	if (strncasecmp(text, "TYPE", 4) == 0 && isdigit((unsigned char)text[4])) {
		char *end;

		/* ldns' own reader lets TYPE65537 wrap to A. */
		errno = 0;
		type = strtoul(text + 4, &end, 10);
		if (*end || errno || type > UINT16_MAX)
			type = 0;
	} else if (strlen(text) < TYPE_TEXT_MAX) {
		type = ldns_get_rr_type_by_name(text);
	}
	if (type != 0 && is_storable((uint16_t)type)) {
		*out = (uint16_t)type;
		return 0;
	}
	excerpt(text, strlen(text), shown);
	if (type != 0)
		return reason_set(reason, STATUS_INVALID,
			"type \"%s\" is for questions and messages and cannot be stored",
			shown);
	return reason_set(reason, STATUS_INVALID,
		"unknown type \"%s\": needs a type such as A, or TYPE1 to TYPE65534", shown);
}

void
presentation_write_type(uint16_t type, char out[16])
{
	const char *name = ldns_rr_descript(type)->_name;

	if (name && strlen(name) < TYPE_TEXT_MAX)
		memcpy(out, name, strlen(name) + 1);
	else
		snprintf(out, TYPE_TEXT_MAX, "TYPE%u", type);
}

int
presentation_read_rdata(uint16_t type, const char *text, uint8_t *block, size_t room,
	struct reason *reason)
{
	__attribute__((cleanup(cleanup_tokens))) struct tokens tokens;
	struct sink sink = start_record(block, room);
	char type_text[TYPE_TEXT_MAX];
	char shown[4 * EXCERPT_MAX + 4];
	size_t len = strlen(text);
	int status;

	tokens_init(&tokens);
	status = tokens_add_line(&tokens, text, len, TOKENS_LINE, reason);
	if (status) {
		presentation_write_type(type, type_text);
		excerpt(text, len, shown);
		return reason_prefix(reason, status, "%s \"%s\"", type_text, shown);
	}
	status = read_rdata(type, &tokens, 0, NULL, &sink, reason);
	return status ? status : finish_record(&sink);
}

char *
presentation_write_rdata(uint16_t type, const uint8_t *rdata, size_t len)
{
	char *text = write_fields(type, rdata, len);

	if (text && reads_back(type, text, rdata, len))
		return text;
	free(text);
	return write_generic(rdata, len);
}

int
presentation_read_record(const char *text, uint8_t *block, size_t room,
	struct rrset *out, struct reason *reason)
{
	__attribute__((cleanup(cleanup_tokens))) struct tokens tokens;
	struct sink sink = start_record(block, room);
	struct head head;
	int status;

	tokens_init(&tokens);
	status = tokens_add_line(&tokens, text, strlen(text), TOKENS_LINE, reason);
	if (status)
		return status;
	if (tokens.count == 0 || tokens.starts_blank)
		return reason_set(reason, STATUS_INVALID,
			"needs \"owner ttl IN type data\"");
	status = read_name(tokens_text(&tokens, 0), NULL, &head.owner, reason);
	if (!status)
		status = read_head(&tokens, 1, &head, reason);
	if (status)
		return status;
	if (!head.has_ttl)
		return reason_set(reason, STATUS_INVALID,
			"a TTL is missing: needs \"owner ttl IN type data\"");
	status = read_rdata(head.type, &tokens, head.rdata, NULL, &sink, reason);
	if (status)
		return status;
	out->rdata_len = (uint32_t)finish_record(&sink);
	out->rdata = block;
	out->type = head.type;
	out->ttl = head.ttl;
	out->count = 1;
	name_to_key(head.owner.wire, &out->owner);
	return 0;
}

int
presentation_read_zone(FILE *file, const struct name *origin, uint32_t default_ttl,
	presentation_record_fn fn, void *context, struct reason *reason)
{
	__attribute__((cleanup(cleanup_zone_file))) struct zone_file zone = {
		.file = file,
		.origin = *origin,
		.default_ttl = default_ttl,
		.block = malloc(RRSET_RDATA_MAX),
		.fn = fn,
		.context = context,
	};
	int status;

	tokens_init(&zone.tokens);
	if (!zone.block)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	do {
		int line = zone.line + 1;

		tokens_clear(&zone.tokens);
		status = read_entry(&zone, reason);
		if (status == STATUS_NOT_FOUND)
			return 0;
		if (!status && zone.tokens.count > 0)
			status = handle_entry(&zone, line, reason);
		if (status)
			reason_prefix(reason, status, "line %d", line);
	} while (!status);
	return status;
}

/* Names. */

static int
read_name(const char *text, const struct name *origin, struct name *out,
	struct reason *reason)
{
	__attribute__((cleanup(cleanup_rdf))) ldns_rdf *rdf = NULL;
	const char *bad = find_bad_octet(text);
	char shown[4 * EXCERPT_MAX + 4];
	ldns_status status = LDNS_STATUS_OK;
	size_t len;

	if (origin && strcmp(text, "@") == 0) {
		*out = *origin;
		return 0;
	}
	if (bad) {
		excerpt(text, strlen(text), shown);
		return reason_set(reason, STATUS_INVALID,
			"name \"%s\": octet %u must be written as \\%03u%s", shown,
			(uint8_t)*bad, (uint8_t)*bad,
			(uint8_t)*bad > 0x7f ? " (international names as xn--...)" : "");
	}
	status = ldns_str2rdf_dname(&rdf, text);
	if (status == LDNS_STATUS_MEM_ERR)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	if (status != LDNS_STATUS_OK) {
		excerpt(text, strlen(text), shown);
		return reason_set(reason, STATUS_INVALID, "name \"%s\": %s", shown,
			ldns_get_errorstr_by_id(status));
	}
	len = ldns_rdf_size(rdf);
	if (origin && !ldns_dname_str_absolute(text))
		len += origin->len - 1U;
	if (len > NAME_WIRE_MAX) {
		excerpt(text, strlen(text), shown);
		return reason_set(reason, STATUS_INVALID,
			"name \"%s\" is longer than %d octets", shown, NAME_WIRE_MAX);
	}
	memcpy(out->wire, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	if (len > ldns_rdf_size(rdf))
		memcpy(out->wire + ldns_rdf_size(rdf) - 1, origin->wire, origin->len);
	out->len = (uint8_t)len;
	return 0;
}

/* What means something else in master files, or is most likely a mistake, must be
 * escaped in a name. */
static const char *
find_bad_octet(const char *text)
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

static bool
is_storable(uint16_t type)
{
	return type != 0 && type != LDNS_RR_TYPE_OPT && type != UINT16_MAX
		&& (type < TYPE_META_FIRST || type > TYPE_META_LAST);
}

/* Rdata in. */

static struct sink
start_record(uint8_t *block, size_t room)
{
	struct sink sink = { .bytes = block + 2 };

	if (room > 2)
		sink.room = room - 2 < UINT16_MAX ? room - 2 : UINT16_MAX;
	return sink;
}

/* Sets the length in front; returns the bytes of the whole record. */
static int
finish_record(struct sink *sink)
{
	sink->bytes[-2] = (uint8_t)(sink->used >> 8);
	sink->bytes[-1] = (uint8_t)sink->used;
	return (int)sink->used + 2;
}

static int
append(struct sink *sink, const uint8_t *bytes, size_t len, struct reason *reason)
{
	if (len > sink->room - sink->used)
		return reason_set(reason, STATUS_TOO_LARGE,
			"the data does not fit: an RRset has at most %d bytes",
			RRSET_RDATA_MAX);
	if (len > 0)
		memcpy(sink->bytes + sink->used, bytes, len);
	sink->used += len;
	return 0;
}

static int
read_rdata(uint16_t type, struct tokens *tokens, size_t first, const struct name *origin,
	struct sink *sink, struct reason *reason)
{
	if (first < tokens->count && !tokens->token[first].quoted
		&& strcmp(tokens_text(tokens, first), "\\#") == 0)
		return read_generic(type, tokens, first, sink, reason);
	return read_fields(type, tokens, first, origin, sink, reason);
}

static int
read_fields(uint16_t type, struct tokens *tokens, size_t first, const struct name *origin,
	struct sink *sink, struct reason *reason)
{
	const ldns_rr_descriptor *desc = ldns_rr_descript(type);
	size_t max = ldns_rr_descriptor_maximum(desc);
	size_t at = first, index = 0;
	char type_text[TYPE_TEXT_MAX];

	presentation_write_type(type, type_text);
	if (!has_text_form(desc))
		return reason_set(reason, STATUS_INVALID,
			"%s has no text form here: write \\# LENGTH HEX (RFC 3597)",
			type_text);
	for (; at < tokens->count && index < max; index++) {
		const struct field *field = find_field(desc, index);
		bool quoted = tokens->token[at].quoted;
		size_t used;
		char *text = take_words(field, tokens, at, &used);
		int status;

		if (!text)
			return refuse_count(type, tokens, first, reason);
		if (quoted && !field->quotable)
			status = reason_set(reason, STATUS_INVALID,
				"\"%.60s\" is in quotes: needs %s", text, field->needs);
		else
			status = read_field(field,
				ldns_rr_descriptor_field_type(desc, index), text, origin,
				sink, reason);
		if (status && max == 1)
			return reason_prefix(reason, status, "%s", type_text);
		if (status)
			return reason_prefix(reason, status, "%s field %zu", type_text,
				index + 1);
		at += used;
	}
	if (at < tokens->count || index < ldns_rr_descriptor_minimum(desc))
		return refuse_count(type, tokens, first, reason);
	return 0;
}

static bool
has_text_form(const ldns_rr_descriptor *desc)
{
	size_t count = desc->_maximum > 0 ? desc->_maximum : 1;

	if (!desc->_name)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!find_field(desc, i))
			return false;
	}
	return true;
}

static const struct field *
find_field(const ldns_rr_descriptor *desc, size_t index)
{
	ldns_rdf_type kind = ldns_rr_descriptor_field_type(desc, index);

	if ((size_t)kind >= sizeof(fields) / sizeof(*fields) || !fields[kind].needs)
		return NULL;
	return &fields[kind];
}

/* The text of a field that starts at token `at`; NULL when there are too few words. */
static char *
take_words(const struct field *field, struct tokens *tokens, size_t at, size_t *out_used)
{
	*out_used = 1;
	if (field->take == TAKE_REST)
		return tokens_join(tokens, at);
	if (field->take == TAKE_THREE) {
		if (at + 2 >= tokens->count)
			return NULL;
		*out_used = 3;
		for (size_t i = at; i < at + 2; i++)
			tokens->text[tokens->token[i].at + tokens->token[i].len] = ' ';
	}
	return tokens_text(tokens, at);
}

static int
read_field(const struct field *field, ldns_rdf_type kind, char *text,
	const struct name *origin, struct sink *sink, struct reason *reason)
{
	__attribute__((cleanup(cleanup_rdf))) ldns_rdf *rdf = NULL;
	char shown[4 * EXCERPT_MAX + 4];
	ldns_status status;

	if (kind == LDNS_RDF_TYPE_DNAME) {
		struct name name;
		int result = read_name(text, origin, &name, reason);

		return result ? result : append(sink, name.wire, name.len, reason);
	}
	if (!field->check || field->check(field, text)) {
		errno = 0; /* ldns_str2rdf_hip looks at an old one */
		status = field->read(&rdf, text);
		if (status == LDNS_STATUS_OK)
			return append(sink, ldns_rdf_data(rdf), ldns_rdf_size(rdf), reason);
		if (status == LDNS_STATUS_MEM_ERR)
			return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	}
	excerpt(text, strlen(text), shown);
	return reason_set(reason, STATUS_INVALID, "\"%s\": needs %s", shown, field->needs);
}

static int
refuse_count(uint16_t type, const struct tokens *tokens, size_t first,
	struct reason *reason)
{
	const ldns_rr_descriptor *desc = ldns_rr_descript(type);
	size_t words = tokens->count - first;
	size_t count = desc->_maximum > 0 ? desc->_maximum : 1;
	char type_text[TYPE_TEXT_MAX];
	char list[REASON_MAX / 2] = "";
	size_t used = 0;

	presentation_write_type(type, type_text);
	for (size_t i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
			i > 0 ? ", " : "", find_field(desc, i)->needs);
	return reason_set(reason, STATUS_INVALID, "%s has %zu field%s: needs %s", type_text,
		words, words == 1 ? "" : "s", list);
}

/* RFC 3597 section 5: \# length hex. */
static int
read_generic(uint16_t type, struct tokens *tokens, size_t first, struct sink *sink,
	struct reason *reason)
{
	__attribute__((cleanup(cleanup_rdf))) ldns_rdf *rdf = NULL;
	static const struct field length = { .max = UINT16_MAX };
	char type_text[TYPE_TEXT_MAX];
	char *hex = NULL;
	size_t len = 0;
	int status;

	presentation_write_type(type, type_text);
	if (first + 1 >= tokens->count || !check_number(&length, tokens_text(tokens, first + 1)))
		return reason_set(reason, STATUS_INVALID,
			"%s: \\# needs a length from 0 to 65535 and hex digits", type_text);
	if (first + 2 < tokens->count) {
		hex = tokens_join(tokens, first + 2);
		if (!check_hex(&length, hex) || ldns_str2rdf_hex(&rdf, hex) != LDNS_STATUS_OK)
			return reason_set(reason, STATUS_INVALID,
				"%s: \\# needs hex digits in pairs", type_text);
		len = ldns_rdf_size(rdf);
	}
	if (len != strtoul(tokens_text(tokens, first + 1), NULL, 10))
		return reason_set(reason, STATUS_INVALID,
			"%s: \\# says %.10s bytes, and %zu are there", type_text,
			tokens_text(tokens, first + 1), len);
	status = append(sink, rdf ? ldns_rdf_data(rdf) : NULL, len, reason);
	if (status)
		return status;
	if (!is_valid_rdata(type, sink->bytes, len))
		return reason_set(reason, STATUS_INVALID,
			"%s: the bytes are not data of this type", type_text);
	return 0;
}

/* Do the rules of a known type explain every byte? Names must be uncompressed: ldns
 * expands pointers, and then the bytes differ. */
static bool
is_valid_rdata(uint16_t type, const uint8_t *rdata, size_t len)
{
	const ldns_rr_descriptor *desc = ldns_rr_descript(type);
	__attribute__((cleanup(cleanup_rr))) ldns_rr *rr = NULL;
	size_t at = 0;

	if (!has_text_form(desc) && len == 0)
		return true; /* opaque here */
	rr = parse_wire(type, rdata, len);
	if (!rr || !has_all_fields(desc, ldns_rr_rd_count(rr)))
		return false;
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		if (ldns_rdf_size(rdf) > len - at
			|| memcmp(ldns_rdf_data(rdf), rdata + at, ldns_rdf_size(rdf)) != 0)
			return false;
		at += ldns_rdf_size(rdf);
	}
	return at == len;
}

/* A last field that takes what is left may have nothing left: CAA 0 issue "". */
static bool
has_all_fields(const ldns_rr_descriptor *desc, size_t count)
{
	if (count + 1 != ldns_rr_descriptor_minimum(desc))
		return count >= ldns_rr_descriptor_minimum(desc);
	switch (ldns_rr_descriptor_field_type(desc, count)) {
	case LDNS_RDF_TYPE_LONG_STR:
	case LDNS_RDF_TYPE_B64:
	case LDNS_RDF_TYPE_HEX:
	case LDNS_RDF_TYPE_NSEC:
		return true;
	default:
		return false;
	}
}

static ldns_rr *
parse_wire(uint16_t type, const uint8_t *rdata, size_t len)
{
	ldns_rr *rr;
	uint8_t *wire;
	size_t at = 0;
	ldns_status status;

	if (len > UINT16_MAX)
		return NULL;
	wire = malloc(len + 2);
	rr = ldns_rr_new();
	if (wire && rr) {
		wire[0] = (uint8_t)(len >> 8);
		wire[1] = (uint8_t)len;
		memcpy(wire + 2, rdata, len);
		ldns_rr_set_type(rr, type);
		status = ldns_wire2rdf(rr, wire, len + 2, &at);
		if (status == LDNS_STATUS_OK && at == len + 2) {
			free(wire);
			return rr;
		}
	}
	free(wire);
	ldns_rr_free(rr);
	return NULL;
}

/* Checks of what ldns lets pass. */

static bool
check_number(const struct field *field, char *text)
{
	uint64_t value = 0;
	const char *at = text;

	for (; isdigit((unsigned char)*at) && at < text + 10; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return at > text && *at == '\0' && value <= field->max;
}

static bool
check_mnemonic(const struct field *field, char *text)
{
	return isalpha((unsigned char)*text) || check_number(field, text);
}

static bool
check_period(const struct field *field, char *text)
{
	uint32_t seconds;

	(void)field;
	return read_ttl(text, &seconds);
}

static bool
check_clock(const struct field *field, char *text)
{
	static const struct field seconds = { .max = UINT32_MAX };

	(void)field;
	if (strlen(text) == CLOCK_DIGITS)
		return strspn(text, "0123456789") == CLOCK_DIGITS;
	return check_number(&seconds, text);
}

static bool
check_hex(const struct field *field, char *text)
{
	size_t digits = 0;

	(void)field;
	for (; *text; text++) {
		if (*text != ' ' && !isxdigit((unsigned char)*text))
			return false;
		digits += *text != ' ';
	}
	return digits % 2 == 0;
}

/* Hex digits in groups; sscanf in ldns would take signs and 0x. */
static bool
check_digits_apart(const struct field *field, char *text)
{
	(void)field;
	return text[strspn(text, "0123456789abcdefABCDEF:-")] == '\0'
		&& (isxdigit((unsigned char)*text));
}

static bool
check_type(const struct field *field, char *text)
{
	uint16_t type;

	(void)field;
	return presentation_read_type(text, &type, NULL) == 0;
}

static bool
check_bitmap(const struct field *field, char *text)
{
	size_t count = 0;
	char *at = text;

	(void)field;
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

/* ldns does not look at what is left behind the last number. */
static bool
check_location(const struct field *field, char *text)
{
	const char *tail = strpbrk(text, "EW");
	size_t words = 0;

	(void)field;
	if (!tail || text[strspn(text, "0123456789.-NSEWmM ")] != '\0')
		return false;
	for (tail++; *tail; tail++)
		words += *tail == ' ' && tail[1] != '\0';
	return words >= 1 && words <= LOC_TAIL_MAX;
}

/* [!]family:address/bits; ldns takes the bits modulo 256. */
static bool
check_prefix(const struct field *field, char *text)
{
	char *at = *text == '!' ? text + 1 : text;
	struct field bits = { .max = *at == '1' ? 32 : 128 };
	char *slash = strchr(at, '/');

	(void)field;
	return (*at == '1' || *at == '2') && at[1] == ':' && slash
		&& check_number(&bits, slash + 1);
}

/* Exactly five words, the first three numbers, the last base64: ldns leaks at a sixth word
 * and at a bad key. */
static bool
check_gateway(const struct field *field, char *text)
{
	static const struct field number = { .max = UINT8_MAX };
	__attribute__((cleanup(cleanup_rdf))) ldns_rdf *key = NULL;
	char *at = text;

	(void)field;
	for (unsigned i = 0; i < 4; i++) {
		char *blank = strchr(at, ' ');
		bool is_good;

		if (!blank)
			return false;
		*blank = '\0';
		is_good = i == 3 ? !find_bad_octet(at) : check_number(&number, at);
		*blank = ' ';
		if (!is_good)
			return false;
		at = blank + 1;
	}
	return !strchr(at, ' ') && ldns_str2rdf_b64(&key, at) == LDNS_STATUS_OK;
}

static bool
check_host_identity(const struct field *field, char *text)
{
	static const struct field algorithm = { .max = UINT8_MAX };
	char *blank = strchr(text, ' ');
	bool is_good;

	(void)field;
	if (!blank)
		return false;
	*blank = '\0';
	is_good = check_number(&algorithm, text);
	*blank = ' ';
	return is_good;
}

static bool
check_service(const struct field *field, char *text)
{
	(void)field;
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
		if (!check_parameter(service_key(text, key), value, (size_t)(end - value)))
			return false;
		text = end + (*end == '"');
		text += strspn(text, " ");
	}
	return true;
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
check_parameter(unsigned long key, const char *value, size_t len)
{
	static const struct field port = { .max = UINT16_MAX };
	char number[8];

	if (*value == '"') {
		value++;
		len--;
	}
	if (key == LDNS_SVCPARAM_KEY_PORT) {
		snprintf(number, sizeof(number), "%.*s", (int)len, value);
		return check_number(&port, number);
	}
	for (size_t i = 0, run = 0; key == LDNS_SVCPARAM_KEY_IPV6HINT && i < len; i++) {
		run = value[i] == ',' ? 0 : run + 1;
		if (run > IPV6_TEXT_MAX)
			return false;
	}
	return true;
}

/* Rdata out. */

static char *
write_fields(uint16_t type, const uint8_t *rdata, size_t len)
{
	const ldns_rr_descriptor *desc = ldns_rr_descript(type);
	__attribute__((cleanup(cleanup_buffer))) ldns_buffer *buffer = NULL;
	__attribute__((cleanup(cleanup_rr))) ldns_rr *rr = NULL;

	if (!has_text_form(desc) || len == 0)
		return NULL;
	rr = parse_wire(type, rdata, len);
	buffer = ldns_buffer_new(TEXT_EXPANSION_MAX * len + TEXT_SLACK);
	if (!rr || !buffer)
		return NULL;
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		if (i > 0)
			ldns_buffer_printf(buffer, " ");
		if (ldns_rdf2buffer_str(buffer, ldns_rr_rdf(rr, i)) != LDNS_STATUS_OK)
			return NULL;
	}
	/* a type bitmap ends in a blank */
	while (ldns_buffer_position(buffer) > 0 && ldns_buffer_current(buffer)[-1] == ' ')
		ldns_buffer_skip(buffer, -1);
	return ldns_buffer_export2str(buffer);
}

/* Out and in again gives the same bytes? */
static bool
reads_back(uint16_t type, const char *text, const uint8_t *rdata, size_t len)
{
	uint8_t fixed[1024];
	uint8_t *block = len + 2 <= sizeof(fixed) ? fixed : malloc(len + 2);
	int used = -1;

	if (block)
		used = presentation_read_rdata(type, text, block, len + 2, NULL);
	bool is_same = used >= 0 && (size_t)used == len + 2
		&& memcmp(block + 2, rdata, len) == 0;
	if (block != fixed)
		free(block);
	return is_same;
}

static char *
write_generic(const uint8_t *rdata, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * len + 16);
	char *at = text;

	if (!text)
		return NULL;
	at += sprintf(at, "\\# %zu", len);
	if (len > 0)
		*at++ = ' ';
	for (size_t i = 0; i < len; i++) {
		*at++ = digits[rdata[i] >> 4];
		*at++ = digits[rdata[i] & 15];
	}
	*at = '\0';
	return text;
}

/* Records and master files. */

/* TTL and class in either order, both may be left out, then the type. */
static int
read_head(const struct tokens *tokens, size_t at, struct head *head,
	struct reason *reason)
{
	bool has_class = false, is_internet;

	head->has_ttl = false;
	for (; at < tokens->count && !tokens->token[at].quoted; at++) {
		const char *text = tokens_text(tokens, at);

		if (!head->has_ttl && isdigit((unsigned char)*text)) {
			if (!read_ttl(text, &head->ttl))
				return reason_set(reason, STATUS_INVALID,
					"TTL \"%.60s\": needs seconds such as 5 or 1h",
					text);
			head->has_ttl = true;
			continue;
		}
		if (!has_class && is_class(text, &is_internet)) {
			if (!is_internet)
				return reason_set(reason, STATUS_INVALID,
					"class \"%.60s\": only IN is served", text);
			has_class = true;
			continue;
		}
		head->rdata = at + 1;
		return presentation_read_type(text, &head->type, reason);
	}
	return reason_set(reason, STATUS_INVALID, "a type is missing: needs \"owner ttl IN "
		"type data\"");
}

/* Seconds, or numbers with units (BIND's 1h30m); up to 2^31 - 1 (RFC 2181 section 8). */
static bool
read_ttl(const char *text, uint32_t *out)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t total = 0;

	while (*text) {
		uint64_t value = 0, scale = 0;

		if (!isdigit((unsigned char)*text))
			return false;
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
			return false;
		text += *text != '\0';
	}
	*out = (uint32_t)total;
	return true;
}

static bool
is_class(const char *text, bool *out_internet)
{
	static const char *const others[] = { "CH", "HS", "CS", "NONE", "ANY" };

	*out_internet = strcasecmp(text, "IN") == 0 || strcasecmp(text, "CLASS1") == 0;
	if (*out_internet)
		return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (strcasecmp(text, others[i]) == 0)
			return true;
	}
	return strncasecmp(text, "CLASS", 5) == 0 && isdigit((unsigned char)text[5]);
}

/* The lines of one entry; STATUS_NOT_FOUND at the end of the file. */
static int
read_entry(struct zone_file *zone, struct reason *reason)
{
	enum line line;
	int status;

	do {
		status = read_line(zone, &line, reason);
		if (status)
			return status;
		if (line == LINE_NONE && zone->tokens.depth > 0)
			return reason_set(reason, STATUS_INVALID,
				"a parenthesis is opened and not closed");
		if (line == LINE_NONE)
			return STATUS_NOT_FOUND;
	} while (zone->tokens.depth > 0);
	return 0;
}

/* The next line, added to the entry's tokens. */
static int
read_line(struct zone_file *zone, enum line *out, struct reason *reason)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(zone->file)) != EOF && c != '\n') {
		if (len == LINE_MAX_BYTES)
			return reason_set(reason, STATUS_TOO_LARGE,
				"a line is longer than %d bytes", LINE_MAX_BYTES);
		if (len == zone->room) {
			size_t room = zone->room > 0 ? 2 * zone->room : BUFSIZ;
			char *buf = realloc(zone->buf, room);

			if (!buf)
				return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
			zone->buf = buf;
			zone->room = room;
		}
		zone->buf[len++] = (char)c;
	}
	if (c == EOF && ferror(zone->file))
		return reason_set(reason, STATUS_IO, "cannot read: %s", strerror(errno));
	*out = c == EOF && len == 0 ? LINE_NONE : LINE_READ;
	if (*out == LINE_NONE)
		return 0;
	zone->line++;
	if (len > 0 && zone->buf[len - 1] == '\r')
		len--;
	return tokens_add_line(&zone->tokens, len > 0 ? zone->buf : "", len, TOKENS_ENTRY,
		reason);
}

static int
handle_entry(struct zone_file *zone, int line, struct reason *reason)
{
	if (!zone->tokens.starts_blank && tokens_text(&zone->tokens, 0)[0] == '$'
		&& !zone->tokens.token[0].quoted)
		return handle_directive(zone, reason);
	return handle_record(zone, line, reason);
}

static int
handle_directive(struct zone_file *zone, struct reason *reason)
{
	const char *word = tokens_text(&zone->tokens, 0);
	const char *value = zone->tokens.count == 2 ? tokens_text(&zone->tokens, 1) : NULL;
	const struct name origin = zone->origin;

	if (strcasecmp(word, "$ORIGIN") == 0) {
		if (!value)
			return reason_set(reason, STATUS_INVALID, "$ORIGIN needs one name");
		return read_name(value, &origin, &zone->origin, reason);
	}
	if (strcasecmp(word, "$TTL") == 0) {
		if (!value || !read_ttl(value, &zone->default_ttl))
			return reason_set(reason, STATUS_INVALID,
				"$TTL needs seconds such as 5 or 1h");
		return 0;
	}
	if (strcasecmp(word, "$INCLUDE") == 0)
		return reason_set(reason, STATUS_INVALID,
			"$INCLUDE is refused: put the records into this file");
	return reason_set(reason, STATUS_INVALID, "unknown directive \"%.60s\"", word);
}

static int
handle_record(struct zone_file *zone, int line, struct reason *reason)
{
	struct tokens *tokens = &zone->tokens;
	struct sink sink = start_record(zone->block, RRSET_RDATA_MAX);
	struct rrset rr = { .count = 1, .rdata = zone->block };
	struct head head;
	int status = 0;

	if (!tokens->starts_blank)
		status = read_name(tokens_text(tokens, 0), &zone->origin, &zone->owner,
			reason);
	else if (zone->owner.len == 0)
		return reason_set(reason, STATUS_INVALID, "the first record has no owner");
	if (!status)
		status = read_head(tokens, tokens->starts_blank ? 0 : 1, &head, reason);
	if (!status)
		status = read_rdata(head.type, tokens, head.rdata, &zone->origin, &sink,
			reason);
	if (status)
		return status;
	rr.rdata_len = (uint32_t)finish_record(&sink);
	rr.type = head.type;
	rr.ttl = head.has_ttl ? head.ttl : zone->default_ttl;
	name_to_key(zone->owner.wire, &rr.owner);
	return zone->fn(zone->context, &rr, line, reason);
}

/* At most EXCERPT_MAX bytes of a foreign text, fit for a log line. */
static void
excerpt(const char *text, size_t len, char out[4 * EXCERPT_MAX + 4])
{
	for (size_t i = 0; i < len && i < EXCERPT_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c >= 0x7f)
			out += sprintf(out, "\\%03u", c);
		else
			*out++ = (char)c;
	}
	strcpy(out, len > EXCERPT_MAX ? "..." : "");
}

static void
cleanup_tokens(struct tokens *tokens)
{
	tokens_done(tokens);
}

static void
cleanup_rdf(ldns_rdf **rdf)
{
	ldns_rdf_deep_free(*rdf);
}

static void
cleanup_rr(ldns_rr **rr)
{
	ldns_rr_free(*rr);
}

static void
cleanup_buffer(ldns_buffer **buffer)
{
	ldns_buffer_free(*buffer);
}

static void
cleanup_zone_file(struct zone_file *zone)
{
	tokens_done(&zone->tokens);
	free(zone->block);
	free(zone->buf);
}
