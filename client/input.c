/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Names of the command line on their way into a URL, and desired states from files, of which
 * only the form is read here.
 */
#include "client/input.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "lib/base/duration.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/dns/masterfile.h"
#include "lib/dns/rdata.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Bytes of space that may stand before JSON. */
#define LEAD_MAX 512

/* Stands for "no TTL given": the API then takes the zone's, which we do not know here. */
#define TTL_UNSET UINT32_MAX

/* A master file on its way to an array. */
struct collection {
	struct json_object *rrsets; /* array */
	struct json_object *index;  /* "name type" to RRset; borrows from rrsets */
};

static bool skip_lead(FILE *file, int *inout, char before[LEAD_MAX], size_t *inout_count);
static enum command_exit read_json(FILE *file, const char *path, struct json_object **out);
static char *read_all(FILE *file, size_t *out_len);
static enum command_exit read_master(FILE *file, const char *path, const char *origin,
	struct json_object **out);
static int on_record(void *context, const struct rrset *rr, int line,
	struct reason *reason);
static struct json_object *find_rrset(struct collection *collection, const char *name,
	const struct rrset *rr);

enum command_exit
input_read_target(const char *name, const char *type, struct input_target *out)
{
	struct reason reason = { "" };
	struct name wire;
	uint16_t number;

	if (presentation_read_name(name, &wire, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_USAGE;
	}
	name_lower(&wire);
	presentation_write_name(&wire, out->name);
	out->type[0] = '\0';
	if (!type)
		return COMMAND_OK;
	if (presentation_read_type(type, &number, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_USAGE;
	}
	presentation_write_type(number, out->type);
	return COMMAND_OK;
}

bool
input_fits_path(const char *text)
{
	return text[strspn(text, LETTERS "-._~!$&'()*+,;=:@")] == '\0';
}

enum command_exit
input_check_source(const char *source)
{
	size_t len = strlen(source);

	if (len > 0 && len <= 64 && source[strspn(source, LETTERS "._-")] == '\0'
		&& !strchr("._-", source[0]))
		return COMMAND_OK;
	command_complain("\"%s\" is not the name of a source: up to 64 letters, digits and . _ -",
		source);
	return COMMAND_USAGE;
}

enum command_exit
input_check_lease(const char *lease)
{
	struct reason reason = { "" };
	uint64_t ms;

	if (!lease || duration_read(lease, &ms, &reason) == 0)
		return COMMAND_OK;
	command_complain("--lease: %s", reason.text);
	return COMMAND_USAGE;
}

void
input_escape(const char *text, char *out)
{
	for (const char *c = text; *c; c++) {
		if (strchr(LETTERS "-._~", *c))
			*out++ = *c;
		else
			out += sprintf(out, "%%%02X", (unsigned)(unsigned char)*c);
	}
	*out = '\0';
}

enum command_exit
input_zone_path(const char *zone, char path[INPUT_PATH_MAX])
{
	struct input_target target;
	enum command_exit result = input_read_target(zone, NULL, &target);

	if (result)
		return result;
	if (!input_fits_path(target.name)) {
		command_complain("%s: this name cannot be written in a URL", target.name);
		return COMMAND_USAGE;
	}
	snprintf(path, INPUT_PATH_MAX, "/v1/zones/%s", target.name);
	return COMMAND_OK;
}

FILE *
input_open(const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (!file)
		command_complain("%s: %s", path, strerror(errno));
	return file;
}

bool
input_is_json(FILE *file)
{
	char before[LEAD_MAX];
	size_t count = 0;
	int c = getc(file);
	const bool is_json = skip_lead(file, &c, before, &count) && (c == '{' || c == '[');

	if (c != EOF)
		ungetc(c, file);
	while (count > 0) /* glibc takes back what has just been read from its buffer */
		ungetc((unsigned char)before[--count], file);
	return is_json;
}

/* Reads space and a byte order mark away, into `before`; *inout is the byte behind them. False
 * when there is more of that than JSON has in front. */
static bool
skip_lead(FILE *file, int *inout, char before[LEAD_MAX], size_t *inout_count)
{
	while (*inout != EOF && strchr(" \t\r\n\xef\xbb\xbf", *inout) && *inout != '\0') {
		if (*inout_count == LEAD_MAX)
			return false;
		before[(*inout_count)++] = (char)*inout;
		*inout = getc(file);
	}
	return true;
}

enum command_exit
input_read_rrsets(const char *path, const char *origin, struct json_object **out)
{
	FILE *file = input_open(path);
	enum command_exit result;

	if (!file)
		return COMMAND_REFUSED;
	if (input_is_json(file))
		result = read_json(file, path, out);
	else
		result = read_master(file, path, origin, out);
	fclose(file);
	return result;
}

static enum command_exit
read_json(FILE *file, const char *path, struct json_object **out)
{
	struct json_object *json = NULL, *rrsets;
	enum command_exit result = COMMAND_REFUSED;
	struct reason reason = { "out of memory" };
	struct json_value document;
	size_t len = 0;
	char *text = read_all(file, &len);

	/* by the rules of the API: json-c takes the last of two equal keys */
	if (text && json_check(text, len, &document, &reason) == STATUS_OK) {
		text[document.at - text + (ptrdiff_t)document.len] = '\0';
		json = json_tokener_parse(document.at);
	}
	rrsets = output_array(json, "rrsets");
	if (json_object_is_type(json, json_type_array))
		rrsets = json;
	if (!text)
		command_complain("%s: %s", path, strerror(errno));
	else if (!json)
		command_complain("%s: %s", path, reason.text);
	else if (!rrsets)
		command_complain("%s: neither an array of RRsets nor {\"rrsets\":[...]}", path);
	else
		result = COMMAND_OK;
	if (result == COMMAND_OK)
		*out = json_object_get(rrsets);
	json_object_put(json);
	free(text);
	return result;
}

/* Malloced and NUL-terminated; NULL with errno, EFBIG above the limit. */
static char *
read_all(FILE *file, size_t *out_len)
{
	size_t room = 64 * 1024, len = 0;
	char *text = malloc(room);

	while (text) {
		size_t got = fread(text + len, 1, room - len - 1, file);
		char *longer;

		len += got;
		if (got == 0 && !ferror(file)) {
			text[len] = '\0';
			*out_len = len;
			return text;
		}
		if (len > INPUT_SIZE_MAX)
			errno = EFBIG;
		if (got == 0 || len > INPUT_SIZE_MAX)
			break;
		if (len + 1 < room)
			continue;
		room *= 2;
		longer = realloc(text, room);
		if (!longer)
			break;
		text = longer;
	}
	free(text);
	return NULL;
}

static enum command_exit
read_master(FILE *file, const char *path, const char *origin, struct json_object **out)
{
	struct collection collection = { json_object_new_array(), json_object_new_object() };
	struct reason reason = { "" };
	struct name name;
	int status = presentation_read_name(origin, &name, &reason);

	if (status == 0)
		status = masterfile_read(file, &name, TTL_UNSET, on_record,
			&collection, &reason);
	json_object_put(collection.index);
	if (status) {
		command_complain("%s: %s", path, reason.text);
		json_object_put(collection.rrsets);
		return COMMAND_REFUSED;
	}
	*out = collection.rrsets;
	return COMMAND_OK;
}

static int
on_record(void *context, const struct rrset *rr, int line, struct reason *reason)
{
	struct collection *collection = context;
	char text[PRESENTATION_NAME_MAX];
	struct json_object *rrset;
	struct name name;
	char *rdata;
	uint64_t ttl;

	(void)line;
	if (name_from_key(rr->owner.bytes, rr->owner.len, &name))
		return reason_set(reason, STATUS_CORRUPT, "bad owner name");
	presentation_write_name(&name, text);
	rrset = find_rrset(collection, text, rr);
	ttl = rr->ttl == TTL_UNSET ? 0 : rr->ttl;
	/* RFC 2181 section 5.2 */
	if (output_number(rrset, "ttl") != ttl)
		return reason_set(reason, STATUS_INVALID,
			"the TTLs of %s differ within one RRset", text);
	rdata = rdata_write(rr->type, rr->rdata + 2, rr->rdata_len - 2);
	if (!rdata)
		return reason_set(reason, STATUS_NO_MEMORY, "out of memory");
	json_object_array_add(output_array(rrset, "records"), json_object_new_string(rdata));
	free(rdata);
	return 0;
}

/* The RRset of a record; made when this is its first. */
static struct json_object *
find_rrset(struct collection *collection, const char *name, const struct rrset *rr)
{
	char key[PRESENTATION_NAME_MAX + 32], type[16];
	struct json_object *rrset;

	presentation_write_type(rr->type, type);
	snprintf(key, sizeof(key), "%s %s", name, type);
	if (json_object_object_get_ex(collection->index, key, &rrset))
		return rrset;
	rrset = json_object_new_object();
	json_object_object_add(rrset, "name", json_object_new_string(name));
	json_object_object_add(rrset, "type", json_object_new_string(type));
	if (rr->ttl != TTL_UNSET)
		json_object_object_add(rrset, "ttl", json_object_new_int64(rr->ttl));
	json_object_object_add(rrset, "records", json_object_new_array());
	json_object_array_add(collection->rrsets, rrset);
	json_object_object_add(collection->index, key, json_object_get(rrset));
	return rrset;
}
