/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * The table of ldns' kinds of fields.
 */
#include "lib/dns/rdata_field.h"

#include <errno.h>

#include "lib/dns/tokens.h"

#define NEEDS_U8 "a number from 0 to 255"
#define NEEDS_U16 "a number from 0 to 65535"
#define NEEDS_U32 "a number from 0 to 4294967295"

/* By ldns' kind of field. A type with a kind that has no row (WKS: ldns asks getservbyname,
 * which is not safe with threads; NSAP, ATMA: dead) has only the RFC 3597 form. */
static const struct rdata_field fields[] = {
	[LDNS_RDF_TYPE_DNAME] = { .needs = "a domain name such as host.example" },
	[LDNS_RDF_TYPE_INT8] = { .max = UINT8_MAX, .check = rdata_check_number,
		.read = ldns_str2rdf_int8, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_INT16] = { .max = UINT16_MAX, .check = rdata_check_number,
		.read = ldns_str2rdf_int16, .needs = NEEDS_U16 },
	[LDNS_RDF_TYPE_INT32] = { .max = UINT32_MAX, .check = rdata_check_number,
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
	[LDNS_RDF_TYPE_APL] = { .check = rdata_check_prefix, .read = ldns_str2rdf_apl,
		.needs = "a prefix such as 1:10.0.0.0/8 or !2:fd00::/8" },
	[LDNS_RDF_TYPE_B32_EXT] = { .read = ldns_str2rdf_b32_ext,
		.needs = "base32 in the extended hex alphabet" },
	[LDNS_RDF_TYPE_NSEC3_NEXT_OWNER] = { .read = ldns_str2rdf_b32_ext,
		.needs = "base32 in the extended hex alphabet" },
	[LDNS_RDF_TYPE_NSEC3_SALT] = { .read = ldns_str2rdf_nsec3_salt,
		.needs = "hex digits in pairs, or -" },
	[LDNS_RDF_TYPE_B64] = { .take = RDATA_FIELD_REST, .read = ldns_str2rdf_b64,
		.needs = "base64" },
	[LDNS_RDF_TYPE_HEX] = { .take = RDATA_FIELD_REST, .check = rdata_check_hex,
		.read = ldns_str2rdf_hex, .needs = "hex digits in pairs" },
	[LDNS_RDF_TYPE_NSEC] = { .take = RDATA_FIELD_REST, .check = rdata_check_bitmap,
		.read = ldns_str2rdf_nsec, .needs = "a list of types such as A TXT" },
	[LDNS_RDF_TYPE_TYPE] = { .check = rdata_check_type, .read = ldns_str2rdf_type,
		.needs = "a type such as A" },
	[LDNS_RDF_TYPE_CERT_ALG] = { .max = UINT16_MAX, .check = rdata_check_mnemonic,
		.read = ldns_str2rdf_cert_alg, .needs = "a certificate type such as PKIX" },
	[LDNS_RDF_TYPE_ALG] = { .max = UINT8_MAX, .check = rdata_check_mnemonic,
		.read = ldns_str2rdf_alg, .needs = "an algorithm such as 13" },
	[LDNS_RDF_TYPE_CERTIFICATE_USAGE] = { .max = UINT8_MAX, .check = rdata_check_mnemonic,
		.read = ldns_str2rdf_certificate_usage, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_SELECTOR] = { .max = UINT8_MAX, .check = rdata_check_mnemonic,
		.read = ldns_str2rdf_selector, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_MATCHING_TYPE] = { .max = UINT8_MAX, .check = rdata_check_mnemonic,
		.read = ldns_str2rdf_matching_type, .needs = NEEDS_U8 },
	[LDNS_RDF_TYPE_TIME] = { .check = rdata_check_clock, .read = ldns_str2rdf_time,
		.needs = "a time as YYYYMMDDHHmmSS" },
	[LDNS_RDF_TYPE_PERIOD] = { .check = rdata_check_period, .read = ldns_str2rdf_period,
		.needs = "a number of seconds such as 3600 or 1h" },
	[LDNS_RDF_TYPE_LOC] = { .take = RDATA_FIELD_REST, .check = rdata_check_location,
		.read = ldns_str2rdf_loc,
		.needs = "a location such as 52 22 23 N 4 53 32 E 0m" },
	[LDNS_RDF_TYPE_HIP] = { .take = RDATA_FIELD_THREE, .check = rdata_check_host_identity,
		.read = ldns_str2rdf_hip, .needs = "algorithm, tag in hex, key in base64" },
	[LDNS_RDF_TYPE_IPSECKEY] = { .take = RDATA_FIELD_REST, .check = rdata_check_gateway,
		.read = ldns_str2rdf_ipseckey,
		.needs = "precedence, gateway type, algorithm, gateway, key in base64" },
	[LDNS_RDF_TYPE_ILNP64] = { .check = rdata_check_digits_apart,
		.read = ldns_str2rdf_ilnp64, .needs = "64 bits such as 14:4fff:ff20:ee64" },
	[LDNS_RDF_TYPE_EUI48] = { .check = rdata_check_digits_apart,
		.read = ldns_str2rdf_eui48, .needs = "48 bits such as 00-00-5e-00-53-2a" },
	[LDNS_RDF_TYPE_EUI64] = { .check = rdata_check_digits_apart,
		.read = ldns_str2rdf_eui64,
		.needs = "64 bits such as 00-00-5e-ef-10-00-00-2a" },
	[LDNS_RDF_TYPE_SVCPARAMS] = { .take = RDATA_FIELD_REST, .check = rdata_check_service,
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
