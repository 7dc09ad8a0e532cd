/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * unbound-conf: the Unbound settings that the zones of a livezone.yaml need, as a file to include;
 * what each setting is for stands in the output. check-config: is a livezone.yaml good? Neither
 * needs livezoned.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/command.h"
#include "lib/config/config.h"
#include "lib/dns/presentation.h"

/* The zones that Unbound, 1.17 to 1.26, answers by itself before any module, unless configured
 * otherwise (unbound.conf(5), local-zone; RFC 6303, 6761, 7534). */
#define ZEROS_15 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

/* %u runs from `first` to `last`. */
static const struct {
	const char *format;
	unsigned first, last;
} local_zones[] = {
	{ "localhost.", 0, 0 },
	{ "127.in-addr.arpa.", 0, 0 },
	{ "1." ZEROS_15 ZEROS_15 "0.ip6.arpa.", 0, 0 },
	{ "0." ZEROS_15 ZEROS_15 "0.ip6.arpa.", 0, 0 },
	{ "home.arpa.", 0, 0 },
	{ "resolver.arpa.", 0, 0 },
	{ "service.arpa.", 0, 0 },
	{ "onion.", 0, 0 },
	{ "test.", 0, 0 },
	{ "invalid.", 0, 0 },
	{ "10.in-addr.arpa.", 0, 0 },
	{ "%u.172.in-addr.arpa.", 16, 31 },
	{ "168.192.in-addr.arpa.", 0, 0 },
	{ "0.in-addr.arpa.", 0, 0 },
	{ "%u.100.in-addr.arpa.", 64, 127 },
	{ "254.169.in-addr.arpa.", 0, 0 },
	{ "2.0.192.in-addr.arpa.", 0, 0 },
	{ "100.51.198.in-addr.arpa.", 0, 0 },
	{ "113.0.203.in-addr.arpa.", 0, 0 },
	{ "255.255.255.255.in-addr.arpa.", 0, 0 },
	{ "d.f.ip6.arpa.", 0, 0 },
	{ "8.e.f.ip6.arpa.", 0, 0 },
	{ "9.e.f.ip6.arpa.", 0, 0 },
	{ "a.e.f.ip6.arpa.", 0, 0 },
	{ "b.e.f.ip6.arpa.", 0, 0 },
	{ "8.b.d.0.1.0.0.2.ip6.arpa.", 0, 0 },
};

static void print_server(const struct zones *zones, const char *address);
static void print_zone(const struct zone *zone);
static bool next_local_zone(size_t *inout_index, char out[PRESENTATION_NAME_MAX]);
static void print_module(const struct config *config, const char *module);
static void print_forwards(const struct zones *zones, const char *address, uint64_t port);
static void print_alone(const struct zones *zones);
static void print_fallback(const struct rrset *set);
static bool has_forwarded_parent(const struct zones *zones, const struct zone *zone);

enum command_exit
cmd_unbound_conf(const struct command_line *line)
{
	const char *address = command_value(line, "address");
	const char *module = command_value(line, "module");
	struct reason reason = { "" };
	struct config *config;
	uint64_t port = 53;

	if (command_number(line, "port", 1, 65535, &port))
		return COMMAND_USAGE;
	if (address && address[strspn(address, "0123456789abcdefABCDEF.:")])
		return command_misuse(line, "--address wants an IP address, not \"%s\"", address);
	if (config_read(config_path(command_value(line, "config")), &config, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_REFUSED;
	}
	printf("# Settings of Unbound for the live zones of %s,\n"
	       "# by livezonectl unbound-conf. Include it after your own server: section, and\n"
	       "# make it again when a zone comes, goes or changes its policies.\n\n",
		config->path);
	if (command_has(line, "without-module")) {
		print_alone(&config->zones);
	} else {
		print_server(&config->zones, address);
		print_module(config, module ? module : LIVEZONE_MODULE);
		print_forwards(&config->zones, address ? address : "127.0.0.1", port);
	}
	config_free(config);
	return COMMAND_OK;
}

static void
print_server(const struct zones *zones, const char *address)
{
	puts("server:\n"
	     "\t# livezone is asked first; what is in no live zone goes on to the others.\n"
	     "\tmodule-config: \"dynlib validator iterator\"\n"
	     "\n"
	     "\t# Unbound refuses queries without the RD bit before any module sees them,\n"
	     "\t# except from clients that it sets the bit for. Give your own networks the same.\n"
	     "\taccess-control: 127.0.0.0/8 allow_setrd\n"
	     "\taccess-control: ::1 allow_setrd");
	if (address)
		printf("\taccess-control: %s allow_setrd\n", address);
	puts("\n"
	     "\t# The forwards at the end lead to this very server.\n"
	     "\tdo-not-query-localhost: no\n"
	     "\n"
	     "\t# Each live zone: none of Unbound's built-in answers for it (nodefault, or\n"
	     "\t# transparent inside a bigger built-in zone), and no chain of trust, since\n"
	     "\t# its answers are not signed.");
	for (size_t i = 0; i < zones->count; i++)
		print_zone(&zones->zone[i]);
	putchar('\n');
}

static void
print_zone(const struct zone *zone)
{
	char name[PRESENTATION_NAME_MAX], local[PRESENTATION_NAME_MAX];
	bool inside = false;
	size_t i = 0;

	presentation_write_name(&zone->name, name);
	while (next_local_zone(&i, local)) {
		struct name_key key;
		struct name wire;

		if (presentation_read_name(local, &wire, NULL))
			continue;
		name_to_key(wire.wire, &key);
		if (key.len == zone->key.len)
			continue;
		if (name_key_is_within(zone->key.bytes, zone->key.len, &key))
			inside = true;
		else if (name_key_is_within(key.bytes, key.len, &zone->key))
			printf("\tlocal-zone: \"%s\" nodefault\n", local);
	}
	printf("\tlocal-zone: \"%s\" %s\n", name, inside ? "transparent" : "nodefault");
	printf("\tdomain-insecure: \"%s\"\n", name);
}

/* Writes the name of the *inout_index-th one and counts on; false at the end. */
static bool
next_local_zone(size_t *inout_index, char out[PRESENTATION_NAME_MAX])
{
	size_t left = *inout_index;

	for (size_t i = 0; i < sizeof(local_zones) / sizeof(local_zones[0]); i++) {
		size_t count = local_zones[i].last - local_zones[i].first + 1;
		const char *rest = strstr(local_zones[i].format, "%u");

		if (left >= count) {
			left -= count;
			continue;
		}
		if (rest)
			snprintf(out, PRESENTATION_NAME_MAX, "%u%s",
				local_zones[i].first + (unsigned)left, rest + 2);
		else
			snprintf(out, PRESENTATION_NAME_MAX, "%s", local_zones[i].format);
		(*inout_index)++;
		return true;
	}
	return false;
}

static void
print_module(const struct config *config, const char *module)
{
	puts("dynlib:");
	printf("\tdynlib-file: \"%s\"\n", module);
	if (strcmp(config->path, LIVEZONE_CONF_DEFAULT) != 0)
		printf("\t# The module reads its own default, so Unbound must be started with\n"
		       "\t# %s=%s in its environment.\n",
			CONFIG_ENVIRONMENT, config->path);
	putchar('\n');
}

static void
print_forwards(const struct zones *zones, const char *address, uint64_t port)
{
	char name[PRESENTATION_NAME_MAX];

	puts("# A public CNAME that leads into a live zone is followed by Unbound's iterator,\n"
	     "# which asks here and keeps nothing of the answer.");
	for (size_t i = 0; i < zones->count; i++) {
		const struct zone *zone = &zones->zone[i];

		presentation_write_name(&zone->name, name);
		if (zone_is_answered_whole(zone)) {
			printf("forward-zone:\n\tname: \"%s\"\n\tforward-addr: %s@%llu\n"
			       "\tforward-no-cache: yes\n",
				name, address, (unsigned long long)port);
			continue;
		}
		printf("# None for %s: what it passes on would come back here.\n", name);
		if (has_forwarded_parent(zones, zone))
			puts("# It lies in a zone that is forwarded here, so give it a stub-zone or\n"
			     "# forward-zone of its own, to where its other names are known.");
	}
}

/* What is left when the module cannot be loaded: its last stage before on-failure. */
static void
print_alone(const struct zones *zones)
{
	char name[PRESENTATION_NAME_MAX];

	puts("server:\n"
	     "\t# livezone.so is not loaded. Fallback records answer; any other name of a live\n"
	     "\t# zone is refused, so that clients ask their next server, unless the zone\n"
	     "\t# passes on what it does not have.");
	for (size_t i = 0; i < zones->count; i++) {
		const struct zone *zone = &zones->zone[i];

		presentation_write_name(&zone->name, name);
		printf("\tlocal-zone: \"%s\" %s\n\tdomain-insecure: \"%s\"\n", name,
			zone_is_answered_whole(zone) ? "refuse" : "typetransparent", name);
		for (size_t k = 0; k < zone->fallback_count; k++)
			print_fallback(&zone->fallback[k]);
	}
}

/* Every type as RFC 3597 has it, which Unbound reads. */
static void
print_fallback(const struct rrset *set)
{
	char owner[PRESENTATION_NAME_MAX];
	const uint8_t *at = set->rdata, *end = set->rdata + set->rdata_len;
	struct name name;

	if (name_from_key(set->owner.bytes, set->owner.len, &name))
		return;
	presentation_write_name(&name, owner);
	while (at < end) {
		size_t len = (size_t)at[0] << 8 | at[1];

		printf("\tlocal-data: '%s %lu IN TYPE%u \\# %zu ", owner,
			(unsigned long)set->ttl, set->type, len);
		for (size_t i = 0; i < len; i++)
			printf("%02x", at[2 + i]);
		puts("'");
		at += 2 + len;
	}
}

static bool
has_forwarded_parent(const struct zones *zones, const struct zone *zone)
{
	for (size_t i = zone->parent; i != ZONES_NONE; i = zones->zone[i].parent)
		if (zone_is_answered_whole(&zones->zone[i]))
			return true;
	return false;
}

enum command_exit
cmd_check_config(const struct command_line *line)
{
	const char *given = command_value(line, "config");
	struct reason reason = { "" };
	struct config *config;

	if (line->count > 0)
		given = line->argument[0];
	if (config_read(config_path(given), &config, &reason)) {
		command_complain("%s", reason.text);
		return COMMAND_REFUSED;
	}
	printf("%s: ok, %zu zone%s\n", config->path, config->zones.count,
		config->zones.count == 1 ? "" : "s");
	config_free(config);
	return COMMAND_OK;
}
