/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the livezone authors */
/*
 * Is the host the Unbound that this module was built for? Nothing in the host asks that: a
 * wrong guess at a struct's layout would write into strange memory. So what can be compared
 * cheaply is compared with the headers that we were compiled with, before anything of the
 * host is used.
 */
#include "module/host.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <string.h>

#include "lib/base/status.h"

/* Allocators round sizes up: glibc to 16, others to the next of four classes per
 * doubling. */
#define ROUNDED_UP(size) ((size) + (size) / 4 + 16)

/* Functions that Unbound exports since 1.<minor>. Each must be there or not as HOST_MINOR
 * says: a host of another version is found out by the one that lies between the two. */
static const struct {
	const char *name;
	int minor;
} symbols[] = {
	{ "edns_opt_list_append_keepalive", 18 },
	{ "modstack_call_startup", 21 },
	{ "reply_info_can_answer_expired", 22 },
	{ "local_zones_swap_tree", 23 },
	{ "mesh_copy_client_info", 25 },
	{ "mesh_area_find_unique", 26 },
};

static bool has_same_symbols(struct reason *reason);
static size_t reply_size_here(void);
static size_t reply_size_in_host(void);
static int find_version(struct dl_phdr_info *object, size_t size, void *context);

int
host_check(
	struct module_env *env, int id, func_init_t own_init, struct reason *reason)
{
	const struct dynlibmod_env *wrapper = env->modinfo[id];
	size_t room;

	/* without any pointer into the host's structs first */
	if (!dl_iterate_phdr(&find_version, NULL))
		return reason_set(reason, STATUS_FOREIGN,
			"built for %s, but the host does not name that version",
			HOST_STRING);
	if (!has_same_symbols(reason))
		return STATUS_FOREIGN;
	if (reply_size_here() != reply_size_in_host())
		return reason_set(reason, STATUS_FOREIGN,
			"the host's replies have %zu bytes, %zu here",
			reply_size_in_host(), reply_size_here());
	if (wrapper->func_init != own_init)
		return reason_set(reason, STATUS_FOREIGN,
			"struct module_env or dynlibmod_env is laid out differently");
	room = malloc_usable_size(env); /* the host's is one calloc */
	if (room < sizeof(*env) || room > ROUNDED_UP(sizeof(*env)))
		return reason_set(reason, STATUS_FOREIGN,
			"struct module_env has %zu bytes in the host, %zu here", room,
			sizeof(*env));
	return STATUS_OK;
}

static bool
has_same_symbols(struct reason *reason)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		bool is_there = dlsym(RTLD_DEFAULT, symbols[i].name) != NULL;

		if (is_there != (HOST_MINOR >= symbols[i].minor)) {
			reason_set(reason, STATUS_FOREIGN,
				"built for %s, but the host is %s 1.%d", HOST_STRING,
				is_there ? "not older than" : "older than",
				symbols[i].minor);
			return false;
		}
	}
	return true;
}

/* What the host counts for a cached message without rrsets and name: the sizes of two
 * structs as the host knows them. */
static size_t
reply_size_in_host(void)
{
	union {
		struct msgreply_entry entry;
		char room[4096]; /* more than any version has */
	} key;
	union {
		struct reply_info reply;
		char room[4096];
	} data;

	memset(&key, 0, sizeof(key));
	memset(&data, 0, sizeof(data));
	return msgreply_sizefunc(&key, &data);
}

static size_t
reply_size_here(void)
{
	return sizeof(struct msgreply_entry) + sizeof(struct reply_info)
	       - sizeof(struct rrset_ref);
}

/* The host's version is in no variable, but as text in its read-only memory. Returns 1
 * when found, which ends the iteration. The first object is the executable. */
static int
find_version(struct dl_phdr_info *object, size_t size, void *context)
{
	(void)size;
	(void)context;
	if (object->dlpi_name[0] != '\0')
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		const char *start = (const char *)(object->dlpi_addr + part->p_vaddr);

		if (part->p_type == PT_LOAD && (part->p_flags & PF_R)
			&& !(part->p_flags & PF_W)
			&& memmem(start, part->p_memsz, HOST_STRING, sizeof(HOST_STRING)))
			return 1;
	}
	return 0;
}

bool
host_check_query(const struct module_qstate *q)
{
	return q->env->attach_sub == &mesh_attach_sub
	       && q->env->detect_cycle == &mesh_detect_cycle
	       && q->mesh_info->super_set.cmp == &mesh_state_ref_compare
	       && (const char *)q->mesh_info
			  == (const char *)q - offsetof(struct mesh_state, s);
}
